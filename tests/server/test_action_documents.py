"""Code actions on documents that are special: hidden from models, unsaved, cells, changed while an action is at work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.errors import GenerationFailed
from devstral_ls.testing.lsp_client import NEVER, Refused, soon
from tests.server.test_actions import (
    CODE,
    FULL,
    OLD,
    RESOLVES,
    SIMPLER,
    SIMPLIFIED,
    Editor,
    Make,
    offered,
    range_,
    run,
    start,
    ticking,
)

KEY = "sk-ant-" + "q7Rk2Lw9Zx4Vb8Nm3Tc6"
STEPS = "    c = a\n    d = c\n    return d\n```"
STEPPED = CODE.replace("    b = a\n    return b", "    c = a\n    d = c\n    return d")


async def on(client: Any, uri: str, line: int = 4, **context: Any) -> dict[str, Any]:
    params = {"textDocument": {"uri": uri}, "range": range_(line), "context": {"diagnostics": [], **context}}
    found = await client.request("textDocument/codeAction", params)
    return {one["title"].removeprefix("Devstral: "): one for one in found or []}


async def indexed(client: Any) -> None:
    """The index has read the workspace."""
    await client.script()
    async with asyncio.timeout(20):
        while not (await client.server.workspace.index.state()).get("done"):  # noqa: ASYNC110 - it says nothing by itself
            await asyncio.sleep(0)


# --- hidden from models ---


async def test_what_is_excluded_is_offered_nothing_but_the_reason(here: Make) -> None:
    client = here()
    await client.initialize(FULL)
    uri = "file:///w/my_credentials.py"
    Editor(client, CODE, uri)
    found = await on(client, uri)
    assert len(found) >= 7
    assert {one["disabled"]["reason"] for one in found.values()} == {"this file is excluded by privacy.exclude"}
    assert all("command" not in one and "data" not in one for one in found.values())
    arguments = [{"action": "explain", "uri": uri, "range": range_(4)}]
    answer = await client.request("workspace/executeCommand", {"command": "devstral.runAction", "arguments": arguments})
    assert answer["message"] == "this file is excluded by privacy.exclude"
    assert (await client.script())["asked"] == []


async def test_what_an_ignore_file_names_is_offered_nothing_but_the_reason(here: Make, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".gitignore").write_text("made.py\n")
    client = here(index=True)
    await client.initialize(FULL, folder=project)
    uris = [(project / name).as_uri() for name in ("made.py", "own.py")]
    for uri in uris:
        Editor(client, CODE, uri)
    await indexed(client)
    ignored, own = [await on(client, uri) for uri in uris]
    assert {one["disabled"]["reason"] for one in ignored.values()} == {
        "an ignore file names this file (privacy.respectIgnoreFiles)"
    }
    assert "disabled" not in own["Simplify `first`"]


async def test_signatures_of_the_workspace_reach_the_model(here: Make, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "money.py").write_text("def rounded(amount: float) -> float:\n    return amount\n")
    client = here(index=True)
    await client.initialize(FULL, folder=project)
    uri = (project / "a.py").as_uri()
    Editor(client, "from money import rounded\n\n\ndef first(a):\n    return rounded(a)\n", uri)
    await indexed(client)
    await client.script(says="It rounds.")
    arguments = [{"action": "explain", "uri": uri, "range": range_(4)}]
    await soon(client.ask("workspace/executeCommand", {"command": "devstral.runAction", "arguments": arguments}))
    assert "def rounded(amount: float) -> float: ..." in (await client.script())["asked"][-1]


async def test_a_secret_is_neither_shown_nor_written_over(here: Make) -> None:
    secret = CODE.replace("import os", f'KEY = "{KEY}"')
    client, editor = await start(here, code=secret, clock=ticking())
    await client.script(says=STEPS)
    assert (await soon(run(client, "simplify")))["applied"] is True
    assert editor.text == STEPPED.replace("import os", f'KEY = "{KEY}"')
    assert KEY not in "".join((await client.script())["asked"])
    holding = CODE.replace("b = a", f'b = "{KEY}"')
    client, editor = await start(here, code=holding)
    assert "looks like a secret on line 5" in (await soon(run(client, "simplify")))["message"]
    assert editor.text == holding
    assert editor.edits == []


# --- untitled documents, cells, files that are open ---


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "vscode-notebook-cell:/w/a.ipynb#W0sZmlsZQ%3D%3D"])
async def test_a_document_that_is_no_file_is_edited_and_gets_no_tests(here: Make, uri: str) -> None:
    client = here()
    await client.initialize(FULL, {"actions": {"apply": "live"}})
    editor = Editor(client, CODE, uri)
    await client.script(says=SIMPLER)
    found = await on(client, uri)
    await client.script()
    assert "no file" in found["Write tests for `first`"]["disabled"]["reason"]
    command = found["Simplify `first`"]["command"]
    assert (await client.request("workspace/executeCommand", command))["applied"] is True
    assert editor.text == SIMPLIFIED
    n_asked = len((await client.script())["asked"])
    arguments = [{"action": "tests", "uri": uri, "range": range_(4)}]
    answer = await client.request("workspace/executeCommand", {"command": "devstral.runAction", "arguments": arguments})
    assert "no file" in answer["message"]
    assert len((await client.script())["asked"]) == n_asked  # it is said before the model is asked


@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_tests_are_added_to_what_an_open_file_reads(here: Make, tmp_path: Path, end: str) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text("saved = 1\n")
    client = here()
    await client.initialize(FULL)
    code, tests = (tmp_path / "a.py").as_uri(), (tmp_path / "tests/test_a.py").as_uri()
    client.open(CODE, code)
    editor = Editor(client, f"saved = 1{end}unsaved = '😀'{end}", tests)
    await client.script(says="first():\n    assert first(1) == 1\n```")
    arguments = [{"action": "tests", "uri": code, "range": range_(4)}]
    answer = await client.request("workspace/executeCommand", {"command": "devstral.runAction", "arguments": arguments})
    assert answer["applied"] is True
    added = "saved = 1\nunsaved = '😀'\n\n\ndef test_first():\n    assert first(1) == 1\n"
    assert editor.text == added.replace("\n", end)


@pytest.mark.parametrize("capabilities", [FULL, OLD])
async def test_tests_are_not_put_into_a_file_that_was_changed_meanwhile(
    here: Make, tmp_path: Path, capabilities: Any
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text("saved = 1\n")
    client = here()
    await client.initialize(capabilities)
    code, tests = (tmp_path / "a.py").as_uri(), (tmp_path / "tests/test_a.py").as_uri()
    client.open(CODE, code)
    editor = Editor(client, "saved = 1\n", tests)
    await client.script(says="first():\n    assert first(1) == 1\n```", hold=True)
    arguments = [{"action": "tests", "uri": code, "range": range_(4)}]
    answer = client.ask("workspace/executeCommand", {"command": "devstral.runAction", "arguments": arguments})
    await client.request("test/asked")
    editor.type(0, "mine = 1\n")
    await client.script(hold=False)
    assert (await soon(answer))["message"] == "tests/test_a.py was changed meanwhile"
    assert editor.text == "mine = 1\nsaved = 1\n"


# --- the cursor ---


async def test_a_move_of_the_cursor_is_told_and_costs_no_offer(here: Make) -> None:
    client, _ = await start(here)
    await client.script()
    assert await offered(client, 5, triggerKind=2) == {}
    assert client.rig.pipeline.rested == ("file:///w/a.py", CODE.index("    return b"))
    await offered(client, 0, 2, triggerKind=2)  # a selection is no cursor
    assert client.rig.pipeline.rested == ("file:///w/a.py", CODE.index("    return b"))


# --- what goes wrong while an edit is written ---


async def test_typing_elsewhere_at_the_moment_of_an_edit_makes_it_try_again(here: Make) -> None:
    client, editor = await start(here, clock=ticking())
    typed = iter([lambda: None, lambda: editor.type(0, "# mine\n"), lambda: None, lambda: editor.type(0, "# more\n")])
    editor.before_applying = lambda: next(typed, lambda: None)()
    await client.script(says=STEPS)
    assert (await soon(run(client, "simplify")))["applied"] is True
    assert editor.text == "# more\n# mine\n" + STEPPED


@pytest.mark.parametrize("dies", [GenerationFailed("the engine has gone"), ZeroDivisionError("a bug")])
async def test_an_engine_that_dies_midway_leaves_the_document_as_it_was(here: Make, dies: Exception) -> None:
    client, editor = await start(here, clock=ticking())
    await client.script(says=STEPS.removesuffix("```"))
    client.rig.engine.dies = dies
    answer = run(client, "simplify")
    await asyncio.wait([answer], timeout=5)
    assert answer.done()
    assert editor.text == CODE
    assert len(editor.edits) > 1  # it was seen being written


async def test_a_review_does_not_let_a_second_action_write(here: Make) -> None:
    client, _ = await start(here)
    await client.script(says=SIMPLER, hold=True)
    writing = run(client, "simplify")
    await client.request("test/asked")
    review = run(client, "review")
    await client.request("test/asked")
    client.notify("$/cancelRequest", {"id": client.last_id - 1})
    await asyncio.wait([review], timeout=5)
    assert "another action is at work" in (await soon(run(client, "document")))["message"]
    await client.script(hold=False)
    assert (await soon(writing))["applied"] is True


async def test_an_action_that_may_have_to_wait_says_for_what(here: Make) -> None:
    client, _ = await start(here)
    await client.script(says=SIMPLER, hold=True)
    writing = run(client, "simplify")
    await client.request("test/asked")
    review = run(client, "review")

    def begins(params: Any) -> bool:
        return params["value"]["kind"] == "begin" and "action" in params["token"]

    first = await client.next("$/progress", begins)
    second = await client.next("$/progress", begins)
    assert (first["value"]["title"], first["value"]["message"]) == ("Devstral: Simplify code", "reading the code")
    assert second["value"]["message"] == "waiting for: Simplify code"
    await client.script(hold=False)
    await soon(writing)
    await asyncio.wait([review], timeout=5)


async def test_an_offer_of_another_version_is_answered_and_not_an_error(here: Make) -> None:
    client, editor = await start(here)
    editor.type(0, "# mine\n")
    answer = await soon(run(client, "simplify", version=1))
    assert answer["code"] == "edit-conflict"
    assert answer["message"] == "the document has changed since the action was offered"


async def test_without_a_way_for_edits_the_model_is_not_asked(here: Make) -> None:
    client, _ = await start(here, RESOLVES)
    answer = await soon(run(client, "simplify"))
    assert answer["message"] == "this editor does not take edits from a server"
    assert (await client.script())["asked"] == []


async def test_carriage_returns_tabs_and_emoji_stay_while_an_edit_is_written(here: Make) -> None:
    code = 'import os  # 😀😀\n\n\nclass Some:\n\tdef first(self, a):\n\t\tb = a  # 🎉\n\t\treturn b  # 😀\n\n\nlast = "😀"\n'
    crlf = code.replace("\n", "\r\n")
    client, editor = await start(here, code=crlf, clock=ticking())
    await client.script(says='\tc = a\n\td = "🎉🎉"\n\treturn c, d\n```')
    assert (await soon(run(client, "simplify", 5)))["applied"] is True
    body = '\t\tc = a\n\t\td = "🎉🎉"\n\t\treturn c, d\n'
    assert editor.text == code.replace("\t\tb = a  # 🎉\n\t\treturn b  # 😀\n", body).replace("\n", "\r\n")
    assert len(editor.edits) > 2
    assert editor.undo[-1] == crlf


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("", "the model wrote nothing"),
        (
            "```python\nThis function is fine as it is, and I would not change it.\n```",
            "the model wrote code that does",
        ),
        ("    x = 1\n" * 10_000, "the model repeated the same lines over and over"),
        ("    return (a\n```", "the model wrote code that does not parse"),
    ],
)
async def test_a_model_that_misbehaves_while_it_is_seen_leaves_nothing_behind(
    here: Make, says: str, message: str
) -> None:
    client, editor = await start(here, clock=ticking())
    await client.script(says=says)
    answer = await soon(run(client, "simplify"))
    assert answer["applied"] is False
    assert answer["message"].startswith(message)
    assert editor.text == CODE
    (shown,) = client.all("window/showMessage")
    assert "\n" not in shown["message"]


async def test_an_editor_that_never_answers_an_edit_does_not_hold_up_a_cancelled_request(here: Make) -> None:
    client, editor = await start(here, clock=ticking())
    client.answers["workspace/applyEdit"] = NEVER
    await client.script(says=STEPS)
    answer = run(client, "simplify")
    asked = client.last_id
    await client.next("workspace/applyEdit", lambda params: True)
    began = asyncio.get_running_loop().time()
    client.notify("$/cancelRequest", {"id": asked})
    with pytest.raises(Refused, match="cancelled"):
        await soon(answer)
    assert asyncio.get_running_loop().time() - began < 0.3
    assert editor.text == CODE
