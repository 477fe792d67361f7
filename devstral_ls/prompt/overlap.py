"""Infilling where only a conversation is possible: the model repeats the line before the gap and the one behind it.

The repeated beginning is cut away where the answer is read (it is what the answer begins with), the repeated end where
suggestions are cut at what follows already. Published for a plain chat template: 46 points better than a hole marker
(``models.md``); with prefill, ``infill.chat_prefill`` is better still.
"""

from __future__ import annotations

from devstral_ls.generation import Prompt
from devstral_ls.models.families.formats import ChatFormat
from devstral_ls.prompt.infill import OTHERS
from devstral_ls.prompt.window import Window

SYSTEM = "You complete source code. You answer with code and nothing else: no explanations."

MAX_REPEATED = 400
"""Characters the model is asked to repeat at most: of a longer line, its end."""


def last_line(prefix: str) -> tuple[str, str]:
    """``prefix`` as it is, and its end that the answer is to begin with: from the last line that is not blank on."""
    start = prefix.rfind("\n", 0, len(prefix.rstrip())) + 1
    return prefix, prefix[max(start, len(prefix) - MAX_REPEATED) :]


def chat_overlap(chat: ChatFormat, window: Window, path: str, others: str = "") -> Prompt:
    """One question that shows both sides of the gap and says which lines to begin and to end with.

    ``others``, what other files say, begins it.
    """
    name = path.rpartition("/")[2] or "the file"
    asked = (
        f"{OTHERS if others else ''}{others}A piece of {name} is missing. It begins with:\n```\n{window.prefix}\n```\n"
    )
    if window.suffix.strip():
        asked += f"After the gap it goes on with:\n```\n{window.suffix}\n```\n"
    first = last_line(window.prefix)[1].strip()
    if first:
        asked += f"Write what belongs into the gap. Begin by repeating the code right before it:\n{first}\n"
    else:
        asked += "Write what belongs into the gap.\n"
    behind = next((line.strip() for line in window.suffix.split("\n") if line.strip()), "")
    if behind:
        asked += f"End by repeating the line right after it:\n{behind[:MAX_REPEATED]}\n"
    return chat.ask(SYSTEM, asked)
