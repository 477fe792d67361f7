"""Chat prompts for actions: system prompt, user message and the beginning of the answer, in the family's format."""

from __future__ import annotations

from devstral_ls.errors import ModelUnsupported
from devstral_ls.generation import ModelInfo, Prompt, Text
from devstral_ls.models.families.formats import ChatFormat
from devstral_ls.models.families.table import FAMILIES

_CHAT_LAYOUTS = ("chat-prefill", "chat-overlap")
"""A model whose vocabulary has the chat tokens has one of these; see ``models.families.table.layouts_with``."""


def chat_format(model: ModelInfo) -> ChatFormat | None:
    """The chat format of ``model``; ``None`` for one that only completes text."""
    chat = FAMILIES[model.family].chat
    return chat if chat is not None and any(layout in model.layouts for layout in _CHAT_LAYOUTS) else None


def continues_answers(model: ModelInfo) -> bool:
    """True when ``model`` continues an answer that was begun for it (prefill)."""
    return chat_format(model) is not None and "chat-prefill" in model.layouts


def conversation(model: ModelInfo, system: str, turns: tuple[tuple[str, str], ...], user: str, opened: str) -> Prompt:
    """The prompt for ``user`` after earlier ``turns`` (user message and answer), with ``opened`` as the answer's beginning.

    Raises:
        ModelUnsupported: the model has no chat format.
    """
    chat = chat_format(model)
    if chat is None:
        raise ModelUnsupported(
            f"{model.name} only completes text: it cannot be told what to do",
            hint="Code actions need a model with a chat format, as Devstral and instruct models have.",
        )
    first = turns[0][0] if turns else user
    parts: Prompt = chat.ask(system, first)
    for number, (_, answer) in enumerate(turns):
        message = turns[number + 1][0] if number + 1 < len(turns) else user
        parts = (*parts, Text(answer), *chat.answer_close, *chat.ask("", message))
    return (*parts, Text(opened)) if opened else parts


def stops(model: ModelInfo) -> tuple[str, ...]:
    """The strings that end an answer."""
    return FAMILIES[model.family].stops
