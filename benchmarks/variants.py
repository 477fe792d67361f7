"""The arms of a comparison: the whole server, the server as shipped, other layouts, and each part switched off.

``OFF`` replaces parts inside a server process of its own (``benchmarks.variant_server``); the code under test does not know
it. A part that moved is an error, and not a variant that measures nothing: ``tests/benchmarks`` tries all.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from benchmarks.llama_vim_baseline import LLAMA_VIM_AFTER, LLAMA_VIM_BEFORE
from benchmarks.rig import SHIPPED_MS, Arm
from devstral_ls.code_context import SOURCES
from devstral_ls.prompt.window import Window


def without_window() -> None:
    """A fixed number of lines around the cursor, as llama.vim cuts them, in place of the budgeted, sticky window."""

    def lines_around(snapshot: Any, offset: int, *_: Any, **__: Any) -> Window:
        before, after = snapshot.text[:offset], snapshot.text[offset:]
        above, below = before.split("\n")[-LLAMA_VIM_BEFORE - 1 :], after.split("\n")[: LLAMA_VIM_AFTER + 1]
        return Window("\n".join(above), "\n".join(below))

    _put("devstral_ls.suggest.generator", "cut_window", lines_around)


def without_healing() -> None:
    """Keep the word before the cursor in the prompt."""
    layouts = importlib.import_module("devstral_ls.prompt.layouts")
    table = {name: replace(layout, take_back=lambda prefix: (prefix, "")) for name, layout in layouts.LAYOUTS.items()}
    _put("devstral_ls.prompt.layouts", "LAYOUTS", table)
    _put("devstral_ls.suggest.answer_stream", "LAYOUTS", table)


def without_syntax_cut() -> None:
    """End one line at its end, and several lines when the model ends them."""

    def cut(text: str, place: Any) -> str | None:
        return None if place.multiline or "\n" not in text else text[: text.index("\n")]

    _put("devstral_ls.suggest.stops", "cut", cut)
    _put("devstral_ls.suggest.postprocess.steps", "cut", cut)
    whole = importlib.import_module("devstral_ls.suggest.postprocess.syntax_trim").SyntaxTrim
    whole.cut = lambda self, draft, query, syntax, trace: draft


def without_postprocessing() -> None:
    """What was read is shown as it is."""
    _put("devstral_ls.suggest.postprocess.steps", "STEPS", ())


def without_gate() -> None:
    """Decline only what settings forbid."""
    gate = "devstral_ls.suggest.policy"
    _put(gate, "_declined_by_line", lambda snapshot, offset: None)
    _put(gate, "declined_in", lambda query, scope, settings: None)


OFF: Mapping[str, Callable[[], None]] = {
    "syntax-cut": without_syntax_cut,
    "postprocessing": without_postprocessing,
    "gate": without_gate,
    "window": without_window,
    "healing": without_healing,
}
"""Those that leave the prompt as it is come first, so that they find it in the engine's cache."""

LAYOUT_NAMES = ("fim-spm-in-psm", "fim-psm", "fim-spm", "chat-prefill", "chat-overlap", "left-to-right")

SOURCE_ARMS: Mapping[str, Arm] = {
    "without excerpts": Arm("without excerpts", settings={"inline": {"context": []}}),
    **{
        f"without {name}": Arm(
            f"without {name}", settings={"inline": {"context": [one for one in SOURCES if one != name]}}
        )
        for name in SOURCES
    },
}
"""Each source of context switched off: only for holes in workspaces, which have other files."""

ARMS: Mapping[str, Arm] = {
    "ours": Arm("ours"),
    "shipped": Arm("shipped", latency_ms=SHIPPED_MS),
    "without confidence": Arm("without confidence", settings={"inline": {"minConfidence": 0}}),
    **SOURCE_ARMS,
    **{f"layout {name}": Arm(f"layout {name}", layout=name) for name in LAYOUT_NAMES},
    **{f"without {name}": Arm(f"without {name}", off=(name,)) for name in OFF},
}


def switch_off(names: list[str]) -> None:
    """Switch off the parts of these names in this process.

    Raises:
        AttributeError: the code under test has moved; the variant must follow.
    """
    for name in names:
        OFF[name]()


def _put(module_name: str, attribute: str, value: object) -> None:
    module = importlib.import_module(module_name)
    getattr(module, attribute)
    setattr(module, attribute, value)
