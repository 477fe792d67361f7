"""Infilling for endpoints that only take messages: the model repeats the line before the gap and the one after it.

The repeated beginning is removed when the answer is read, the repeated end when suggestions are cut at text that already
follows the cursor. Published for a plain chat template: 46 points better than a hole marker (``models.md``); where
prefill is possible, ``infill.chat_prefill`` is better still.
"""

from __future__ import annotations

from devstral_ls.generation import Prompt
from devstral_ls.models.families.formats import ChatFormat
from devstral_ls.prompt.infill import OTHER_FILES
from devstral_ls.prompt.window import Window

SYSTEM = "You complete source code. You answer with code and nothing else: no explanations."

MAX_REPEATED = 400
"""The most characters that the model is asked to repeat; of a longer line, its end."""


def last_line(prefix: str) -> tuple[str, str]:
    """``prefix`` unchanged, and its end from the last line that is not blank, which the answer is to begin with."""
    start = prefix.rfind("\n", 0, len(prefix.rstrip())) + 1
    return prefix, prefix[max(start, len(prefix) - MAX_REPEATED) :]


def chat_overlap(chat: ChatFormat, window: Window, path: str, other_files: str = "") -> Prompt:
    """A user message that shows both sides of the gap and says which lines to begin and to end with.

    ``other_files``, excerpts of other files, begin it.
    """
    name = path.rpartition("/")[2] or "the file"
    message = f"{OTHER_FILES if other_files else ''}{other_files}A piece of {name} is missing. It begins with:\n```\n{window.prefix}\n```\n"
    if window.suffix.strip():
        message += f"After the gap it goes on with:\n```\n{window.suffix}\n```\n"
    first = last_line(window.prefix)[1].strip()
    if first:
        message += f"Write what belongs into the gap. Begin by repeating the code right before it:\n{first}\n"
    else:
        message += "Write what belongs into the gap.\n"
    behind = next((line.strip() for line in window.suffix.split("\n") if line.strip()), "")
    if behind:
        message += f"End by repeating the line right after it:\n{behind[:MAX_REPEATED]}\n"
    return chat.ask(SYSTEM, message)
