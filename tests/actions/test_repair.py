"""Fixes whose likeliest answer is no use: others are drawn, checked, and the one that comes twice is taken."""

from __future__ import annotations

import pytest

from devstral_ls.actions.outputs.sampling import AGREEING, MAX_SAMPLES
from devstral_ls.generation import GenerationRequest, ModelInfo
from devstral_ls.testing.scripted_engine import ScriptedEngine, plain
from tests.actions.bench import Done, act

CODE = "def last(v):▮\n    n = len(v)\n    return v[n]\n"
LATER = "def last(v):▮\n    n = len(v)\n    x = v[n]\n    log(x)\n    return x\n"
SAME = "    n = len(v)\n    return v[n]\n```"


async def fixed(*says: str, code: str = CODE, line: int = 3, **options: object) -> Done:
    return await act("fix", code, list(says), problems=[(line, "index out of range")], **options)


def drawn(done: Done) -> list[GenerationRequest]:
    return [request for request in done.engine.requests if request.temperature > 0.5]


async def test_an_answer_that_is_no_use_is_followed_by_others_begun_up_to_the_problem() -> None:
    done = await fixed(SAME, "    return v[n]\n```", "    return v[n - 1]\n```")
    assert done.text == CODE.replace("▮", "").replace("v[n]", "v[n - 1]")
    first, *others = drawn(done)
    assert plain(first).endswith("```python\ndef last(v):\n    n = len(v)\n")
    assert len(others) == AGREEING  # one as it was, and two that agree
    assert done.result is not None
    assert done.result.notes == ("the model is not sure of it: 2 of 3 answers say so",)


async def test_what_most_of_them_say_is_taken() -> None:
    done = await fixed(SAME, "    return v[0]\n```", "    return v[n - 1]\n```")
    assert "v[n - 1]" in done.text


async def test_of_answers_that_come_once_each_the_first_is_taken() -> None:
    done = await fixed(SAME, "    return v[0]\n```", "    return v[1]\n```", "    return v[n]\n```")
    assert "return v[0]" in done.text
    assert done.result is not None
    assert done.result.notes == (f"the model is not sure of it: 1 of {MAX_SAMPLES} answers say so",)


async def test_behind_the_problem_the_code_goes_on_as_it_was() -> None:
    says = "    x = v[n - 1]\n    log(x)\n    something_else()\n    return 7\n```"
    done = await fixed("    n = len(v)\n    x = v[n]\n    log(x)\n    return x\n```", says, code=LATER)
    assert done.text == LATER.replace("▮", "").replace("v[n]", "v[n - 1]")
    assert done.engine.n_cancelled == AGREEING  # nothing is waited for behind the line that follows


async def test_lines_before_the_problem_may_come_in() -> None:
    says = "    if not v:\n        return None\n    x = v[n]\n    log(x)\n"
    done = await fixed("    n = len(v)\n    x = v[n]\n    log(x)\n    return x\n```", says, code=LATER)
    assert "    if not v:\n        return None\n    x = v[n]\n    log(x)\n    return x\n" in done.text


@pytest.mark.parametrize(
    "says",
    [
        "    return v[n]\n```",  # the code as it was
        "    # beware\n    return v[n]\n```",  # with a comment
        "    return v[n\n```",  # does not parse
        "    x = 1\n" * 500,  # goes round in circles
        "",
    ],
)
async def test_drawn_answers_are_checked_as_all_are(says: str) -> None:
    done = await fixed(SAME, says)
    assert done.refused == "the model found nothing to change"
    assert len(drawn(done)) == MAX_SAMPLES


async def test_an_answer_that_cannot_be_used_at_all_is_followed_by_others_too() -> None:
    broken = "    return (v\n```"
    done = await fixed(broken, broken, "    return v[n - 1]\n```")
    assert "return v[n - 1]\n" in done.text


async def test_a_repair_that_did_not_help_is_not_offered_again() -> None:
    tried = "def last(v):\n    n = len(v)\n    return v[n - 1]"
    done = await fixed(SAME, "    return v[n - 1]\n```", tried=tried)
    assert done.refused == "the model found nothing to change"


async def test_a_problem_in_the_header_is_one_of_all_of_it() -> None:
    says = "def last(v=()):\n    n = len(v)\n    return v[n - 1]\n```"
    same = "def last(v):\n    n = len(v)\n    return v[n]\n```"
    done = await fixed(same, says, line=1)
    assert "def last(v=()):\n    n = len(v)\n    return v[n - 1]\n" in done.text
    assert all(plain(request).endswith("```python\n") for request in drawn(done))


async def test_only_fixes_of_a_problem_are_drawn() -> None:
    assert not drawn(await act("simplify", CODE, SAME))
    assert not drawn(await act("fix", CODE, SAME))


async def test_a_model_that_does_not_go_on_from_a_beginning_is_asked_once() -> None:
    model = ModelInfo("other", "qwen-fim", ("fim-psm", "chat-overlap"), 4096, 1024, None)
    engine = ScriptedEngine("```python\n" + CODE.replace("▮", "") + "```", model=model)
    done = await fixed("", engine=engine)
    assert done.refused == "the model found nothing to change"
    assert len(done.engine.requests) == 1


async def test_a_secret_is_not_written_anew_by_drawing() -> None:
    code = 'def last(v):▮\n    key = "AKIAQ2J7XK4WZP6TN5RB"\n    return v[len(v)]\n'
    done = await fixed("    return v\n```", code=code)
    assert done.refused
    assert not done.engine.requests
