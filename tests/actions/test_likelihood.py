"""Repairs of a review that are weighed: what the probabilities of an engine make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from devstral_ls.actions.outputs.likelihood import layout_of, prompt_for
from devstral_ls.generation import Text
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine, plain
from devstral_ls.text import Snapshot
from tests.actions.bench import Done, act

CODE = "import os\n\n\ndef last(v):▮\n    # the last one\n    return v[len(v)]\n"
AS_IT_WAS = "    # the last one\n    return v[len(v)]\n```"
REPAIRED = "    # the last one\n    return v[len(v) - 1]\n```"


async def reviewed(says: str, weighs: Callable[[str], float] | None, code: str = CODE) -> Done:
    engine = ScriptedEngine(says)
    engine.weighs = weighs
    return await act("review", code, says, engine=engine)


def findings(done: Done) -> list[int]:
    assert done.result is not None, done.refused
    return [finding.line for finding in done.result.findings]


@pytest.mark.parametrize(
    ("weighs", "lines"),
    [
        (lambda text: 0.99 if "- 1" in text else 0.1, [5]),  # the repair is much likelier
        (lambda text: 0.1 if "- 1" in text else 0.99, []),  # what is there is
        (lambda text: 0.9, []),  # nothing speaks for it
        (None, [5]),  # nobody tells: the repair has to do
    ],
)
async def test_a_repair_must_be_likelier_than_what_it_repairs(
    weighs: Callable[[str], float] | None, lines: list[int]
) -> None:
    assert findings(await reviewed(REPAIRED, weighs)) == lines


@pytest.mark.parametrize(("likely", "lines"), [(0.9, [1]), (0.2, [])])
async def test_lines_that_are_only_added_must_be_likely_themselves(likely: float, lines: list[int]) -> None:
    says = "    # so\n    if not v:\n        return None\n    return v\n```"
    done = await reviewed(says, lambda text: likely, "def last(v):▮\n    # so\n    return v\n")
    assert [line - 1 for line in findings(done)] == lines


@pytest.mark.parametrize(("likely", "lines"), [(0.9, []), (0.05, [2])])
async def test_lines_that_are_only_taken_away_must_be_unlikely(likely: float, lines: list[int]) -> None:
    done = await reviewed(
        "    # so\n    return v\n```", lambda text: likely, "def f(v):▮\n    # so\n    v = 1\n    return v\n"
    )
    assert findings(done) == lines


async def test_definitions_that_are_written_once_more_are_no_repair() -> None:
    says = f"{REPAIRED.removesuffix('```')}\n\ndef last(v):\n    return v\n```"
    assert findings(await reviewed(says, lambda text: 0.9)) == []


async def test_what_is_weighed_is_in_the_hole_and_not_in_the_prompt() -> None:
    done = await reviewed(REPAIRED, lambda text: 0.9)
    weighed = [request for request in done.engine.requests if request.logprobs]
    assert [request.begins_with for request in weighed] == ["    return v[len(v)]\n", "    return v[len(v) - 1]\n"]
    assert all("return" not in plain(request) and "import os" in plain(request) for request in weighed)


async def test_code_that_stays_as_it_is_is_not_weighed() -> None:
    done = await reviewed(AS_IT_WAS, lambda text: 0.1)
    assert findings(done) == []
    assert not any(request.logprobs for request in done.engine.requests)


async def test_an_engine_that_tells_nothing_is_left_at_once() -> None:
    done = await reviewed(REPAIRED, None)
    assert done.engine.n_cancelled >= 1


def test_a_model_that_is_not_shown_what_follows_weighs_nothing() -> None:
    assert layout_of(replace(QWEN, layouts=("left-to-right",))) == ""
    assert layout_of(replace(QWEN, layouts=("chat-prefill", "left-to-right"))) == "chat-prefill"


def test_the_prompt_shows_whole_blocks_above_and_some_lines_below() -> None:
    text = "".join(f"line {number}\n" for number in range(300))
    snapshot = Snapshot("file:///w/x.py", 1, "python", text)
    parts = prompt_for(QWEN, snapshot, snapshot.line_span(150))
    said = "".join(part.text for part in parts if isinstance(part, Text))
    assert "line 60\n" in said
    assert "line 59\n" not in said
    assert "line 160\n" in said
    assert "line 161\n" not in said
    assert "line 150" not in said
