"""Remote engines, which the user runs or rents: llama-server, OpenAI-compatible servers, Ollama. Their address is probed.

They run in the language server's own process, without a daemon: see ``docs/decisions/0008``.
"""
