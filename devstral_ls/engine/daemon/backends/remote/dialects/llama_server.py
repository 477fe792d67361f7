"""llama-server's own API; what its bodies, events and errors mean is in ``llama_server_api``."""

from __future__ import annotations

from typing import Any, cast

from devstral_ls.engine.daemon.backends import llama_server_api as api
from devstral_ls.engine.daemon.backends.backend import BackendRequest, Capabilities
from devstral_ls.engine.daemon.backends.remote.dialects.dialect import Dialect


def _body(request: BackendRequest, model: str | None) -> dict[str, Any]:
    ids = cast("list[int]", request.prompt)
    return api.completion_body(ids, request.sampling, model, return_tokens=request.resumable)


def _tokenize_body(text: str, parse_special: bool, _model: str | None) -> dict[str, Any]:
    return api.tokenize_body(text, parse_special=parse_special)


LLAMA_SERVER = Dialect(
    name="llama-server",
    # The server chooses the slot: we are not its only client. Of its vocabulary we know what it told, and tokens of the
    # type "user defined" are made of any text.
    capabilities=Capabilities(prompt="ids", logprobs=True, parses_specials=True),
    completion=api.COMPLETION,
    tokenize=api.TOKENIZE,
    tokenize_body=_tokenize_body,
    health=api.HEALTH,
    progress=(api.METRICS, api.BATCHES),
    body=_body,
    event=api.event_of,
    error=api.error_of,
)
