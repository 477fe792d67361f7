"""What of a document reaches a model, and that secrets are neither shown nor written over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from devstral_ls.retrieval.visibility import Visibility
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.testing.scripted_engine import plain
from devstral_ls.text import Snapshot
from tests.actions.bench import act

KEY = "sk-ant-" + "q7Rk2Lw9Zx4Vb8Nm3Tc6"
ABOVE = f'API = "{KEY}"\n\n\n'
OPEN = "def call(a):\n    b = a▮\n    return b\n"
HOLDING = f'def call(a):\n    token = "{KEY}"▮\n    return a + token\n'
SIMPLER = "    return a\n```"


def prompts(done: Any) -> str:
    return "".join(plain(request) for request in done.engine.requests)


async def test_a_secret_beside_the_target_is_not_shown_and_stays() -> None:
    done = await act("simplify", ABOVE + OPEN.replace("a▮", "a + API▮"), SIMPLER)
    assert done.text == ABOVE + "def call(a):\n    return a\n"
    assert KEY not in prompts(done)


@pytest.mark.parametrize("action", ["fix", "simplify", "rewrite"])
async def test_code_with_a_secret_is_not_written_anew(action: str) -> None:
    done = await act(action, ABOVE + HOLDING, SIMPLER, instruction="shorter", problems=[(5, "wrong")])
    assert done.refused == "`call` has what looks like a secret on line 5, and no model is shown that"
    assert done.engine.requests == []
    assert done.drafts == []


async def test_a_secret_in_the_header_keeps_types_away() -> None:
    done = await act("types", f'def call(a, token="{KEY}"):\n    return a▮\n', "call(a: int):\n")
    assert "looks like a secret on line 1" in done.refused


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("document", 'Call it.\n    """'),
        ("types", "(a: str):\n"),
        ("explain", "It calls."),
    ],
)
async def test_what_leaves_the_secret_alone_is_done_without_seeing_it(action: str, says: str) -> None:
    done = await act(action, HOLDING, says)
    assert done.result is not None, done.refused
    assert KEY not in prompts(done)
    assert "xxxxxxxx" in prompts(done)
    if done.result.edit is not None:
        assert KEY in done.text


async def test_a_line_with_a_secret_is_no_finding() -> None:
    code = HOLDING.replace("    return", "    b = a\n    return")
    says = '    token = "something else"\n    b = a\n    return a - token\n```'
    done = await act("review", code, [says, "wrong-operator: it adds"])
    assert done.result is not None
    assert [finding.line for finding in done.result.findings] == [3]
    assert KEY not in prompts(done)


async def test_messages_and_instructions_are_shown_without_secrets() -> None:
    done = await act("fix", OPEN, SIMPLER, problems=[(2, f"{KEY} is a secret")], tried=f"    return '{KEY}'")
    assert done.result is not None, done.refused
    assert KEY not in prompts(done)


async def test_tests_that_are_there_are_shown_without_secrets() -> None:
    files = {"pyproject.toml": "[tool.pytest]", "tests/test_prices.py": f'KEY = "{KEY}"\n'}
    says = "call():\n    assert call(1) == 1\n```"
    done = await act("tests", OPEN, says, files=files)
    assert done.result is not None, done.refused
    assert done.result.files[0].before == files["tests/test_prices.py"]
    assert KEY not in prompts(done)


async def test_a_users_wish_to_show_everything_is_followed() -> None:
    done = await act("simplify", HOLDING, SIMPLER, privacy=PrivacySettings(redact_secrets=False))
    assert done.text == "def call(a):\n    return a\n"
    assert KEY in prompts(done)


REFUSED = {
    Visibility.EXCLUDED: "this file is excluded by privacy.exclude",
    Visibility.IGNORED: "an ignore file names this file (privacy.respectIgnoreFiles)",
    Visibility.UNKNOWN: (
        "it cannot be told whether this file may be shown to a model: its disk or an ignore file cannot be read"
    ),
}


@pytest.mark.parametrize("visibility", REFUSED)
async def test_a_file_that_may_not_be_shown_is_not(visibility: Visibility) -> None:
    async def may_show(_uri: str) -> Visibility:
        return visibility

    done = await act("explain", OPEN, "text", may_show=may_show)
    assert done.refused == REFUSED[visibility]
    assert done.engine.requests == []


class Elsewhere:
    """Other files, as a dictionary."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known
        self.asked: list[Any] = []

    async def signatures(self, names: Sequence[str], snapshot: Snapshot, imports: Sequence[str]) -> Mapping[str, str]:
        self.asked.append((list(names), list(imports)))
        return {name: self.known[name] for name in names if name in self.known}


async def test_signatures_of_other_files_are_shown_for_what_the_target_uses() -> None:
    elsewhere = Elsewhere({"rounded": "def rounded(a: float) -> float: ...", "money.cents": "def cents(): ..."})
    code = (
        "import money\nfrom money import rounded\n\n\ndef own(a):\n    return a\n\n\n"
        "def call(self, a):\n    b = rounded(own(a)) + money.cents() + self.rest▮\n    return b\n"
    )
    done = await act("simplify", code, SIMPLER, signatures=elsewhere)
    assert done.result is not None, done.refused
    ((names, imports),) = elsewhere.asked
    assert {"rounded", "money.cents"} <= set(names)
    assert not {"own", "self", "self.rest", "call"} & set(names)
    assert imports == ["import money", "from money import rounded"]
    assert "def own(a):\ndef rounded(a: float) -> float: ...\ndef cents(): ...\n```" in prompts(done)
