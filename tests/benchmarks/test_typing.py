"""Typing through a fake editor: keys counted, suggestions taken, figures and prompts' reuse from known rows."""

from __future__ import annotations

import pytest

from benchmarks import replay, reuse
from benchmarks.editors import Offer, RivalEditor
from benchmarks.items import Replay
from benchmarks.keystrokes import Stretch, n_keys
from devstral_ls.testing.scripted_engine import ScriptedEngine

FILE = Replay("python-sums", "python", "sums.py", "")
TYPED = "def total(values):\n    return sum(values)\n"
PART = Stretch("import math\n\n\n", TYPED.rstrip("\n"), "\n\n\nprint(total([1]))\n")


class FakeEditor:
    """Offers what ``says`` gives for the text before the cursor; keeps the document."""

    def __init__(self, says: object) -> None:
        self.says = says
        self.before = self.after = ""
        self.seen: list[str] = []
        self.n_taken = 0

    async def open(self, before: str, after: str) -> None:
        self.before, self.after = before, after

    async def put(self, text: str, n_back: int = 0, n_forward: int = 0) -> None:
        self.before = self.before[: len(self.before) - n_back] + text
        self.after = self.after[n_forward:]

    async def offer(self, within_ms: float | None) -> Offer:
        self.seen.append(self.before)
        text = self.says(self.before)
        return Offer(text, 0, 1.0, asked_model=bool(text), reason="shown" if text else "empty")

    async def took_all(self) -> None:
        self.n_taken += 1

    async def close(self) -> None:
        self.seen.append("closed")


async def typed(says: object, takes: bool = True) -> tuple[FakeEditor, dict]:
    editor = FakeEditor(says)
    return editor, await replay.type_file(editor, FILE, PART, replay.Manner(takes=takes))


async def test_without_suggestions_every_key_is_pressed_and_the_file_comes_out() -> None:
    editor, run = await typed(lambda before: "")
    assert editor.before + editor.after == PART.above + PART.typed + PART.below
    assert editor.seen[-1] == "closed"
    assert run["keys"] >= run["keys_alone"] == n_keys(PART.typed)
    assert run["accepted"] == run["accept_keys"] == 0
    assert replay.figures([run])["saved"] == 0


async def test_who_takes_nothing_presses_every_key() -> None:
    editor, run = await typed(lambda before: TYPED[len(before) - len(PART.above) :], takes=False)
    assert editor.before + editor.after == PART.above + PART.typed + PART.below
    assert run["keys"] >= n_keys(PART.typed)
    assert (run["accepted"], editor.n_taken) == (0, 0)
    assert len(run["rows"]) == run["keys"]


async def test_a_right_suggestion_is_taken_with_one_key() -> None:
    rest = "return sum(values)"
    editor, run = await typed(lambda before: rest if before.endswith(":\n    ") else "")
    assert editor.before + editor.after == PART.above + PART.typed + PART.below
    assert (run["accepted"], run["accept_keys"], editor.n_taken) == (len(rest), 1, 1)
    found = replay.figures([run])
    assert found["saved"] == pytest.approx((len(rest) - 1) / len(PART.typed))
    assert found["valid"]["hits"] == found["valid"]["n"] == 1
    assert found["unasked"]["n"] - found["unasked"]["hits"] == 1


async def test_a_wrong_suggestion_that_repeats_what_follows_is_counted_and_not_taken() -> None:
    says = "x(\n\n\nprint(total([1]))"
    editor, run = await typed(lambda before: says if before.endswith(":\n    ") else "")
    assert editor.before + editor.after == PART.above + PART.typed + PART.below
    found = replay.figures([run])
    assert run["accepted"] == 0
    assert (found["repeats"]["hits"], found["valid"]["hits"], found["shown"]["hits"]) == (1, 0, 1)


async def test_llama_vim_finds_its_answer_again_while_it_is_typed() -> None:
    engine = ScriptedEngine("sum(values)\nmore")
    editor = RivalEditor(engine, "file:///a.py")
    await editor.open("return ", "\n")
    assert (await editor.offer(None)).text == "sum(values)"
    await editor.put("su")
    again = await editor.offer(None)
    assert (again.text, again.asked_model, len(engine.requests)) == ("m(values)", False, 1)
    await editor.put("x")
    assert (await editor.offer(None)).asked_model
    assert len(engine.requests) == 2


def test_reuse_is_the_common_beginning_of_each_prompt_and_the_one_before() -> None:
    assert reuse.reused(["abcd", "abcde", "abxxx"]) == (4 + 2, 10, 1)
    assert reuse.reused(["abcd"]) == (0, 0, 0)


def test_a_sliding_window_reads_everything_again_and_the_trace_follows_the_keys() -> None:
    part = Stretch("x" * 5000 + "\n", "ab\n    c", "\nrest\n")
    places = list(reuse.cursors(part))
    assert [before[len(part.above) :] for before, _ in places] == ["a", "ab", "ab\n    ", "ab\n    c"]
    assert all(after == part.below for _, after in places)
    numbered = Stretch("".join(f"{n}\n" for n in range(2000)), "abcdefgh", "\n")
    kept, total, _ = reuse.reused([reuse.sliding(cursor) for cursor in reuse.cursors(numbered)])
    assert kept < total / 10
