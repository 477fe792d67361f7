"""Probing an address: which dialect the server speaks, and what it says of its model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from devstral_ls.engine.daemon.backends.remote.http import Http
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.daemon.backends.remote.probing import llama_server, ollama, openai
from devstral_ls.engine.daemon.backends.remote.probing.probed import Probed, refuse
from devstral_ls.errors import EngineUnavailable, GenerationFailed

__all__ = ["Probed", "probe"]

_Probe = Callable[[Http, RemoteOptions], Awaitable[Probed]]

_PROBES: Mapping[str, _Probe] = {
    "llama-server": llama_server.probe,
    "ollama": ollama.probe,
    "openai": openai.probe,
    "openai-chat": openai.probe,
}
"""By the ``engine.dialect`` setting."""

_SIGNS: Mapping[str, tuple[str, str]] = {
    "llama-server": ("/props", "default_generation_settings"),
    "ollama": ("/api/version", "version"),
    "openai": ("/v1/models", "data"),
}
"""How a server is recognized: a path, and a key of its answer there. In order: Ollama and llama-server know ``/v1`` too."""

_HINT = "Check engine.baseUrl, engine.dialect and engine.remoteModel."


async def probe(http: Http, options: RemoteOptions) -> Probed:
    """The server at the other end of ``http``.

    Raises:
        EngineError: no answer, our key is refused, or the server has no model; with a hint.
    """
    name = options.dialect if options.dialect != "auto" else await _recognize(http)
    try:
        return await _PROBES[name](http, options)
    except GenerationFailed as error:
        raise EngineUnavailable(f"the engine cannot be probed: {error.message}", hint=_HINT) from error


async def _recognize(http: Http) -> str:
    for name, (path, sign) in _SIGNS.items():
        status, answer = await http.get_json(path)
        refuse(status)
        if status == 200 and isinstance(answer, dict) and sign in answer:
            return name
    raise EngineUnavailable(
        "what answers at engine.baseUrl is no engine we know: not llama-server, Ollama or OpenAI-compatible", hint=_HINT
    )
