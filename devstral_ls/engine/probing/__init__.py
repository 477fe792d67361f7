"""What is behind an address: which dialect it speaks, and what it tells of its model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from devstral_ls.engine.http import Http
from devstral_ls.engine.probing import llama_server, ollama, openai
from devstral_ls.engine.probing.found import Found, client_of, refuse
from devstral_ls.engine.remote_options import RemoteOptions
from devstral_ls.errors import EngineUnavailable, GenerationFailed

__all__ = ["Found", "client_of", "probe"]

_Ask = Callable[[Http, RemoteOptions], Awaitable[Found]]

_ASK: Mapping[str, _Ask] = {
    "llama-server": llama_server.ask,
    "ollama": ollama.ask,
    "openai": openai.ask,
    "openai-chat": openai.ask,
}

_SIGNS: Mapping[str, tuple[str, str]] = {
    "llama-server": ("/props", "default_generation_settings"),
    "ollama": ("/api/version", "version"),
    "openai": ("/v1/models", "data"),
}
"""By what a server is known: a path, and what its answer there has. In order: Ollama and llama-server know ``/v1`` too."""


async def probe(http: Http, options: RemoteOptions) -> Found:
    """What is at the other end of ``http``.

    Raises:
        EngineError: nobody answers, our key is not known, or there is no model to be had; with a hint.
    """
    name = options.dialect if options.dialect != "auto" else await _dialect_of(http)
    try:
        return await _ASK[name](http, options)
    except GenerationFailed as error:
        raise EngineUnavailable(f"the engine cannot be asked: {error.message}", hint=_HINT) from error


_HINT = "Check engine.baseUrl, engine.dialect and engine.remoteModel."


async def _dialect_of(http: Http) -> str:
    for name, (path, sign) in _SIGNS.items():
        status, said = await http.get_json(path)
        refuse(status)
        if status == 200 and isinstance(said, dict) and sign in said:
            return name
    raise EngineUnavailable(
        "what answers at engine.baseUrl is no engine we know: not llama-server, Ollama or OpenAI-compatible", hint=_HINT
    )
