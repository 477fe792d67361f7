"""One question to the engine: the request that a window becomes, and the stream read until enough was written.

Suggestions and calibration ask alike, so what calibration measures is what suggestions get.
"""

from __future__ import annotations

from collections.abc import Sequence

from devstral_ls.generation import Engine, FinishReason, GenerationRequest, ModelInfo
from devstral_ls.prompt.layouts import LAYOUTS, build
from devstral_ls.prompt.window import Window
from devstral_ls.related import Excerpt
from devstral_ls.suggest import stops
from devstral_ls.suggest.draft import Draft, Place
from devstral_ls.suggest.trace import Trace


def request_for(
    window: Window,
    uri: str,
    model: ModelInfo,
    max_tokens: int,
    time_limit_ms: int,
    excerpts: Sequence[Excerpt] = (),
) -> GenerationRequest:
    """``window`` in the model's first layout, with ``excerpts`` of other files, its last word taken back and forced.

    Raises:
        ModelUnsupported: the family does not know the layout.
    """
    prefix, taken = LAYOUTS[model.layouts[0]].take_back(_unix(window.prefix))
    prompt, stop = build(model, Window(prefix, _unix(window.suffix)), uri, excerpts)
    return GenerationRequest(
        prompt=prompt, max_tokens=max_tokens, stop=stop, begins_with=taken, time_limit_ms=time_limit_ms
    )


async def read(engine: Engine, request: GenerationRequest, place: Place, trace: Trace) -> Draft:
    """Read the stream until enough was written; leaving the block cancels the rest. The usage goes to ``trace``.

    Raises:
        EngineError, PromptTooLong: see ``generation.Engine``.
    """
    answer = ""
    complete = False
    n_forced = len(request.begins_with)
    async with engine.generate(request) as chunks:
        async for chunk in chunks:
            answer += chunk.text
            trace.usage = chunk.usage or trace.usage
            complete = chunk.finish is FinishReason.STOP
            enough = stops.cut(answer[n_forced:], place)
            if enough is not None:
                return Draft(enough, place)
    if not answer.startswith(request.begins_with):
        return Draft("", place)
    return Draft(answer[n_forced:], place, complete=complete)


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
