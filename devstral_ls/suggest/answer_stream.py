"""One request to the engine: what a window becomes, and the stream read until there is enough.

Suggestions and calibration both use it, so calibration measures what suggestions get.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devstral_ls.code_context import Excerpt
from devstral_ls.generation import Engine, FinishReason, GenerationRequest, ModelInfo, Priority
from devstral_ls.prompt.layouts import LAYOUTS, build
from devstral_ls.prompt.window import Window
from devstral_ls.suggest import stops
from devstral_ls.suggest.confidence import Confidence
from devstral_ls.suggest.postprocess.draft import CursorContext, Draft
from devstral_ls.suggest.trace import Trace
from devstral_ls.text import unix_newlines


def request_for(
    window: Window,
    uri: str,
    model: ModelInfo,
    max_tokens: int,
    time_limit_ms: int,
    excerpts: Sequence[Excerpt] = (),
    *,
    conversation: str = "",
    priority: Priority = Priority.INLINE,
) -> GenerationRequest:
    """``window`` in the model's first layout, with ``excerpts`` of other files, its last word taken back and forced.

    Raises:
        ModelUnsupported: the family does not know the layout.
    """
    prefix, taken_back = LAYOUTS[model.layouts[0]].take_back(unix_newlines(window.prefix))
    prompt, stop = build(model, Window(prefix, unix_newlines(window.suffix)), uri, excerpts)
    return GenerationRequest(
        prompt=prompt,
        max_tokens=max_tokens,
        stop=stop,
        begins_with=taken_back,
        time_limit_ms=time_limit_ms,
        conversation=conversation,
        priority=priority,
    )


def _ignore(_text: str) -> None:
    return


async def read_answer(
    engine: Engine,
    request: GenerationRequest,
    place: CursorContext,
    trace: Trace,
    on_text: Callable[[str], None] = _ignore,
    min_confidence: float = 0.0,
) -> Draft:
    """Read the stream until enough was written, or the model is less sure than ``min_confidence``; leaving the block
    cancels the rest. The usage and the confidence go to ``trace``; ``on_text`` is called with all the text so far.

    Raises:
        EngineError, PromptTooLong: see ``generation.Engine``.
    """
    answer = ""
    complete = False
    n_forced = len(request.begins_with)
    confidence = Confidence(request.begins_with, min_confidence)
    async with engine.generate(request) as chunks:
        async for chunk in chunks:
            trace.usage = chunk.usage or trace.usage
            sure = confidence.cut(answer, chunk.text, chunk.logprobs)
            trace.confidence = confidence.first_line
            if sure is not None:
                trace.decisions.append("cut-where-unsure")
                return Draft(sure[n_forced:], place, unsure=True)
            answer += chunk.text
            on_text(answer[n_forced:])
            complete = chunk.finish is FinishReason.STOP
            enough = stops.cut(answer[n_forced:], place)
            if enough is not None:
                return Draft(enough, place)
    if not complete:
        trace.decisions.append("tokens-or-time-over")
    if not answer.startswith(request.begins_with):
        return Draft("", place)
    return Draft(answer[n_forced:], place, complete=complete)
