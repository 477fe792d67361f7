"""The API that vLLM, SGLang and many others took over from OpenAI: three rows, by what a server accepts as a prompt.

Shapes: ``/v1/completions`` and ``/v1/chat/completions`` as server-sent events that end in ``[DONE]``; ``/tokenize`` is
vLLM's, which SGLang has too.
"""

from __future__ import annotations

import json
import re
from typing import Any

from devstral_ls.engine.daemon.answer_prefix import EchoedPrefix, PromptPrefix
from devstral_ls.engine.daemon.backends.backend import BackendRequest, Capabilities, End, Event, Piece
from devstral_ls.engine.daemon.backends.remote.dialects.dialect import Dialect, text_of
from devstral_ls.engine.daemon.prompt_text import sendable
from devstral_ls.errors import DevstralError, EngineBusy, EngineUnavailable, GenerationFailed, PromptTooLong
from devstral_ls.generation import FinishReason, GenerationRequest

_MAX_STOPS = 4
"""Stop strings OpenAI's API takes; more are refused."""

_TOO_LONG = re.compile(r"maximum context length is (\d+).*?(\d+)", re.DOTALL)
"""How vLLM and OpenAI write it: ``maximum context length is 4096 tokens. However, you requested 5000 tokens``."""

_NAMELESS = "default"
"""The model's name where the server gives none; SGLang takes any."""


def _completion_body(request: BackendRequest, model: str | None) -> dict[str, Any]:
    sampling = request.sampling
    return {"prompt": request.prompt} | _common(sampling, model) | {"max_tokens": max(sampling.max_tokens, 1)}


def _ids_body(request: BackendRequest, model: str | None) -> dict[str, Any]:
    # vLLM and SGLang leave control tokens out of the text otherwise, and a stop that is one is never met.
    return _completion_body(request, model) | {"skip_special_tokens": False}


def _chat_body(request: BackendRequest, model: str | None) -> dict[str, Any]:
    # What the model repeats has to be generated, too: code has more than two characters a token.
    n_repeated = len(request.sampling.begins_with) // 2 + 8
    messages = {"messages": request.prompt} | _common(request.sampling, model)
    return messages | {"max_tokens": request.sampling.max_tokens + n_repeated}


def _common(sampling: GenerationRequest, model: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model or _NAMELESS, "stream": True, "temperature": sampling.temperature}
    if sampling.temperature > 0:
        body["top_p"] = sampling.top_p
    if sampling.stop:
        body["stop"] = [sendable(text) for text in sampling.stop[:_MAX_STOPS]]
    return body


def _event(line: bytes) -> Event | None:
    kind, _, payload = line.partition(b":")
    if kind != b"data":
        return None
    if payload.strip() == b"[DONE]":
        return End("", FinishReason.STOP, None)
    try:
        event = json.loads(payload)
        if "error" in event or event.get("object") == "error":
            raise _error(500, payload)
        if not event["choices"]:
            return None  # vLLM's last event has nothing but the usage
        choice = event["choices"][0]
        text = text_of(choice["text"] if "text" in choice else choice["delta"].get("content"))
        if choice.get("finish_reason") is not None:
            finish = FinishReason.LENGTH if choice["finish_reason"] == "length" else FinishReason.STOP
            return End(text, finish, None)
        return Piece(text) if text else None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise GenerationFailed(f"the engine's answer makes no sense: {error!r:.200}") from error


def _error(status: int, body: bytes) -> DevstralError:
    message = f"HTTP status {status}"
    try:
        values = json.loads(body)
        error = values.get("error", values)
        message = str(error["message"] if isinstance(error, dict) else error)[:500]
        if isinstance(error, dict) and str(error.get("code", "")).isdecimal():
            status = int(error["code"])
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        pass
    found = _TOO_LONG.search(message)
    if found is not None:
        return PromptTooLong(int(found[2]), int(found[1]))
    if status in (429, 503):
        return EngineBusy(f"the engine is busy: {message}")
    if status in (401, 403):
        return EngineUnavailable("the engine refuses our key")
    return GenerationFailed(f"the engine refused the request: {message}")


def _tokenize_body(text: str, _specials: bool, model: str | None) -> dict[str, Any]:
    return {"model": model or _NAMELESS, "prompt": sendable(text), "add_special_tokens": False}


OPENAI_IDS = Dialect(
    name="openai",
    capabilities=Capabilities(prompt="ids", parses_specials=True, answer_prefix=PromptPrefix, prefix_in_prompt=True),
    completion="/v1/completions",
    tokenize="/tokenize",
    tokenize_body=_tokenize_body,
    health="/v1/models",
    body=_ids_body,
    event=_event,
    error=_error,
)
OPENAI_TEXT = Dialect(
    name="openai-text",
    capabilities=Capabilities(prompt="text", answer_prefix=PromptPrefix, prefix_in_prompt=True),
    completion="/v1/completions",
    health="/v1/models",
    body=_completion_body,
    event=_event,
    error=_error,
)
OPENAI_CHAT = Dialect(
    name="openai-chat",
    capabilities=Capabilities(prompt="messages", answer_prefix=EchoedPrefix),
    completion="/v1/chat/completions",
    health="/v1/models",
    body=_chat_body,
    event=_event,
    error=_error,
)
