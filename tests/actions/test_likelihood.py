"""Lines that are weighed: what the probabilities of an engine say, and what a review makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from devstral_ls.actions.likelihood import Weighed, layout_of, prompt_for, suspects
from devstral_ls.generation import Chunk, GenerationRequest, Likely
from devstral_ls.languages.slips import Slip
from devstral_ls.text import Snapshot, Span
from tests.actions.bench import Done, act
from tests.scripted_engine import QWEN, ScriptedEngine, plain

Told = Sequence[tuple[str, float, Likely]]

CODE = "def last(v):▮\n    return v[len(v)]\n"
MENDED = "    return v[len(v) - 1]\n"


def weigher(likelier: str, by: float, wish: tuple[str, str]) -> Callable[[GenerationRequest], Told]:
    """Letter by letter: every text is as likely, but for ``likelier``; where ``wish[0]`` stands, ``wish[1]`` is told."""

    def weighs(request: GenerationRequest) -> Told:
        text = request.begins_with
        at = text.find(wish[0])
        told: list[tuple[str, float, Likely]] = [(letter, -1.0, ((letter, -1.0),)) for letter in text]
        if at >= 0:
            at += len(wish[0]) - 1
            told[at] = (text[at], -by if likelier not in text else -1.0, ((wish[1], -0.1), (text[at], -by)))
        return told

    return weighs


async def reviewed(code: str, weighs: Callable[[GenerationRequest], Told] | None, says: str = "") -> Done:
    engine = ScriptedEngine(says)
    engine.weighs = weighs
    return await act("review", code, says, engine=engine)


async def test_a_line_that_is_much_likelier_mended_is_a_finding() -> None:
    done = await reviewed(CODE, weigher("- 1]", 40.0, ("(v)]", " -")))
    assert done.result is not None
    (finding,) = done.result.findings
    assert (finding.line, finding.code, finding.severity) == (1, "off-by-one", "warning")
    assert finding.fix == MENDED.rstrip()
    assert "return v[len(v) - 1]" in finding.message


async def test_a_line_that_is_hardly_likelier_mended_is_none() -> None:
    done = await reviewed(CODE, weigher("- 1]", 4.0, ("(v)]", " -")), "    return v[len(v)]\n```")
    assert done.result is not None
    assert done.result.findings == ()


async def test_code_the_model_finds_likely_is_weighed_once() -> None:
    done = await reviewed(CODE, weigher("", 1.0, ("@", "")), "    return v[len(v)]\n```")
    assert done.result is not None
    assert done.result.findings == ()
    assert len([one for one in done.engine.requests if one.begins_with]) == 1


async def test_what_is_weighed_is_in_the_hole_and_not_in_the_prompt() -> None:
    done = await reviewed(f"import os\n\n\n{CODE}", weigher("", 1.0, ("@", "")), "    return v[len(v)]\n```")
    weighing = done.engine.requests[0]
    assert weighing.begins_with == "def last(v):\n    return v[len(v)]\n"
    assert "return" not in plain(weighing)
    assert "import os" in plain(weighing)


async def test_a_repair_the_model_does_not_find_likelier_itself_is_no_finding() -> None:
    code = "def last(v):▮\n    # the last one\n    return v[len(v)]\n"
    says = "    # the last one\n    return w[len(v)]\n```"
    done = await reviewed(code, weigher("", 1.0, ("@", "")), says)
    assert done.result is not None
    assert done.result.findings == ()
    untold = await reviewed(code, None, says)
    assert untold.result is not None
    assert [one.line for one in untold.result.findings] == [2]  # where nobody tells, the repair has to do


@pytest.mark.parametrize(("mean", "n_findings"), [(-0.1, 1), (-2.0, 0)])
async def test_lines_a_repair_adds_must_be_what_the_model_would_write(mean: float, n_findings: int) -> None:
    says = "    # so\n    if not v:\n        return None\n    return v\n```"

    def weighs(request: GenerationRequest) -> Told:
        return [(letter, mean, ((letter, mean),)) for letter in request.begins_with]

    done = await reviewed("def last(v):▮\n    # so\n    return v\n", weighs, says)
    assert done.result is not None
    assert len(done.result.findings) == n_findings


async def test_a_line_with_a_secret_has_no_finding() -> None:
    secret = "AKIA" + "IOSFODNN7" + "ABCDEFG"
    done = await reviewed(
        f'def f(v):▮\n    k = "{secret}" if v < 1 else ""\n    return v < 2\n', weigher("xx", 40.0, ("v < 1", "2"))
    )
    weighed = [one.begins_with for one in done.engine.requests if one.begins_with]
    assert weighed
    assert not any(secret in one for one in weighed), "no model is shown it"
    assert not any(one.startswith("    k = ") for one in weighed), "and the line is not weighed again"


def test_a_model_that_is_not_shown_what_follows_weighs_nothing() -> None:
    from dataclasses import replace

    assert layout_of(replace(QWEN, layouts=("left-to-right",))) == ""
    assert layout_of(replace(QWEN, layouts=("chat-prefill", "left-to-right"))) == "chat-prefill"


def test_the_prompt_shows_whole_blocks_above_and_some_lines_below() -> None:
    text = "".join(f"line {number}\n" for number in range(300))
    snapshot = Snapshot("file:///w/x.py", 1, "python", text)
    said = "".join(part.text for part in prompt_for(QWEN, snapshot, snapshot.line_span(150)) if hasattr(part, "text"))
    assert "line 60\n" in said
    assert "line 59\n" not in said
    assert "line 160\n" in said
    assert "line 161\n" not in said
    assert "line 150" not in said


def test_tokens_that_came_in_one_chunk_are_told_apart() -> None:
    likely = ((("\n", -0.5), ("x", -2.0)), ((" a", -0.25), (" b", -3.0)))
    heard = Weighed().and_(Chunk("\n a", logprobs=(-0.5, -0.25), alternatives=likely))
    assert heard.tokens == ("\n", " a")
    assert heard.total == -0.75


def test_a_suspect_is_judged_by_the_first_token_that_differs() -> None:
    weighed = Weighed(
        ("a ", "<", " b"), (-0.1, -3.0, -0.1), ((("a", -0.1),), (("<=", -0.2), ("<", -3.0)), ((" b", -0.1),))
    )
    (found,) = suspects(
        "a < b", 10, weighed, [Slip(Span(12, 13), "<="), Slip(Span(12, 13), ">"), Slip(Span(14, 15), "c")]
    )
    assert found.slip.text == "<="
    assert found.gain == pytest.approx(2.8)
