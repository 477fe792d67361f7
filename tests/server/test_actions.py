"""Code actions as editors get them: what is offered to whom, how edits arrive, and what stays when somebody types."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.platform.paths import directories
from devstral_ls.server.actions import explanation
from devstral_ls.server.documents.positions import n_code_points
from devstral_ls.testing.lsp_client import Refused, environment, soon, until
from tests.server.conftest import Here, Start

Make = Callable[..., Here]

LITERALS = {"codeActionKind": {"valueSet": []}}
BARE: dict[str, Any] = {}
RESOLVES = {
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": LITERALS, "dataSupport": True, "disabledSupport": True,
            "resolveSupport": {"properties": ["edit"]}, "isPreferredSupport": True,
        },
        "publishDiagnostics": {"relatedInformation": True},
    },
}  # fmt: skip
FULL = RESOLVES | {
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {
            "documentChanges": True, "resourceOperations": ["create"],
            "changeAnnotationSupport": {"groupsOnLabel": False},
        },
    },
    "window": {"workDoneProgress": True, "showDocument": {"support": True}},
}  # fmt: skip
OLD = {
    "textDocument": {"codeAction": {"codeActionLiteralSupport": LITERALS}},
    "workspace": {"applyEdit": True},
}

CODE = "import os\n\n\ndef first(a):\n    b = a\n    return b\n\n\ndef last():\n    return os\n"
SIMPLER = "    return a\n```"
SIMPLIFIED = CODE.replace("    b = a\n    return b\n", "    return a\n")


class Editor:
    """Applies what the server sends, as an editor does: an undo step for each edit, didChange, then the answer."""

    def __init__(self, client: Any, text: str, uri: str = "file:///w/a.py") -> None:
        self.client, self.text, self.uri = client, text, uri
        self.version = 1
        self.undo: list[str] = []
        self.edits: list[Any] = []
        self.before_applying: Callable[[], None] = lambda: None
        client.answers["workspace/applyEdit"] = self._applied
        client.open(text, uri)

    def _applied(self, params: Any) -> Any:
        self.before_applying()
        self.edits.append(params["edit"])
        changes = params["edit"].get("documentChanges")
        if changes is None:
            ((uri, edits),) = params["edit"]["changes"].items()
            assert uri == self.uri
        else:
            (change,) = changes
            if change["textDocument"]["version"] != self.version:
                return {"applied": False, "failureReason": "the document has changed"}
            edits = change["edits"]
        for one in edits:
            self.apply(one)
        return {"applied": True}

    def apply(self, text_edit: Any) -> None:
        self.undo.append(self.text)
        start, end = (self._offset(text_edit["range"][end]) for end in ("start", "end"))
        self._change(self.text[:start] + text_edit["newText"] + self.text[end:], text_edit)

    def type(self, line: int, text: str) -> None:
        """The user writes at the beginning of a line."""
        place = {"line": line, "character": 0}
        self.apply({"range": {"start": place, "end": place}, "newText": text})

    def _change(self, text: str, text_edit: Any) -> None:
        self.text = text
        self.version += 1
        document = {"uri": self.uri, "version": self.version}
        change = {"range": text_edit["range"], "text": text_edit["newText"]}
        self.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def _offset(self, position: Any) -> int:
        lines = self.text.split("\n")
        line = lines[position["line"]]
        return sum(len(one) + 1 for one in lines[: position["line"]]) + n_code_points(
            line, position["character"], "utf-16"
        )


def range_(line: int, end: int | None = None) -> Any:
    return {"start": {"line": line, "character": 0}, "end": {"line": line if end is None else end, "character": 0}}


async def offered(client: Any, line: int = 4, end: int | None = None, **context: Any) -> dict[str, Any]:
    """What is offered, by title without our name."""
    params = {
        "textDocument": {"uri": "file:///w/a.py"},
        "range": range_(line, end),
        "context": {"diagnostics": [], **context},
    }
    found = await client.request("textDocument/codeAction", params)
    return {one["title"].removeprefix("Devstral: "): one for one in found or []}


def running(action: str, line: int = 4, **more: Any) -> dict[str, Any]:
    return {"action": action, "uri": "file:///w/a.py", "range": range_(line), **more}


def run(client: Any, action: str, line: int = 4, **more: Any) -> asyncio.Future[Any]:
    arguments = [running(action, line, **more)]
    return client.ask("workspace/executeCommand", {"command": "devstral.runAction", "arguments": arguments})


def ticking(seconds: float = 1.0) -> Callable[[], float]:
    """A clock that goes on by ``seconds`` each time it is read: by the default, every line is drawn."""
    ticks = itertools.count()
    return lambda: next(ticks) * seconds


async def start(
    here: Make, capabilities: Any = FULL, *, at_end: bool = False, code: str = CODE, **options: Any
) -> tuple[Here, Editor]:
    client = here(**options)
    await client.initialize(capabilities, {"actions": {"apply": "atEnd" if at_end else "live"}})
    return client, Editor(client, code)


# --- offers ---


async def test_every_action_is_offered_without_asking_the_model(here: Make) -> None:
    client, _ = await start(here)
    found = await offered(client)
    kinds = {title: one["kind"] for title, one in found.items() if "disabled" not in one}
    assert kinds == {
        "Simplify `first`": "refactor.rewrite.devstral",
        "Document `first`": "refactor.rewrite.devstral.document",
        "Add types to `first`": "refactor.rewrite.devstral.types",
        "Write tests for `first`": "source.devstral.tests",
        "Review `first` for bugs (experimental)": "source.devstral.review",
        "Explain `first`": "source.devstral.explain",
    }
    assert found["Extract into a function"]["disabled"] == {"reason": "select the lines to extract"}
    assert "devstral: use a loop" in found["Rewrite `first` as instructed"]["disabled"]["reason"]
    assert (await client.script())["asked"] == []


PROBLEM = {"range": range_(5), "message": "b is not needed", "code": "F1", "severity": 2}


async def test_a_diagnostic_brings_the_fix_and_it_is_preferred(here: Make) -> None:
    client, _ = await start(here)
    fix = (await offered(client, diagnostics=[PROBLEM]))["Fix: b is not needed"]
    assert fix["kind"] == "quickfix.devstral.fix"
    assert fix["isPreferred"] is True
    assert fix["diagnostics"] == [PROBLEM]


@pytest.mark.parametrize(
    ("context", "titles"),
    [
        ({"triggerKind": 2}, set()),
        ({"triggerKind": 2, "diagnostics": [PROBLEM]}, {"Fix: b is not needed"}),
        ({"only": ["quickfix"], "diagnostics": [PROBLEM]}, {"Fix: b is not needed"}),
        (
            {"only": ["source.devstral"]},
            {"Write tests for `first`", "Review `first` for bugs (experimental)", "Explain `first`"},
        ),
        ({"only": ["source.organizeImports"]}, set()),
        ({"only": ["refactor.rewrite.devstral.document"]}, {"Document `first`"}),
    ],
)
async def test_only_what_is_asked_for_is_offered(here: Make, context: Any, titles: set[str]) -> None:
    client, _ = await start(here)
    assert set(await offered(client, **context)) == titles


@pytest.mark.parametrize(("tags", "said"), [({"valueSet": [1]}, [1]), ({"valueSet": [1, 2]}, [1]), (None, None)])
async def test_a_client_that_knows_tags_is_told_that_a_model_writes(spawn: Start, tags: Any, said: Any) -> None:
    client = await spawn()
    document = RESOLVES["textDocument"]
    action = document["codeAction"] | ({} if tags is None else {"tagSupport": tags})
    await client.initialize(FULL | {"textDocument": document | {"codeAction": action}})
    Editor(client, CODE)
    assert (await offered(client))["Simplify `first`"].get("tags") == said


async def test_a_client_that_asks_its_user_is_offered_the_rewrite(here: Make) -> None:
    client, _ = await start(here, FULL | {"experimental": {"devstral": {"asksInstruction": True}}})
    found = await offered(client)
    assert found["Rewrite `first`…"]["command"]["command"] == "devstral.runAction"


async def test_switched_off_or_excluded_nothing_is_offered(here: Make) -> None:
    client = here()
    await client.initialize(FULL, {"actions": {"enable": False}})
    client.open(CODE)
    assert await offered(client) == {}


async def test_reviews_that_are_switched_off_are_neither_offered_nor_done(here: Make) -> None:
    client = here()
    await client.initialize(FULL, {"actions": {"review": "off"}})
    client.open(CODE)
    assert set(await offered(client, only=["source.devstral"])) == {"Write tests for `first`", "Explain `first`"}
    await soon(run(client, "review"))
    (message,) = client.all("window/showMessage")
    assert 'reviews are switched off by actions.review = "off". Set actions.review = "on"' in message["message"]
    assert (await client.script())["asked"] == []


@pytest.mark.parametrize(
    ("capabilities", "at_end", "form"),
    [
        (FULL, False, "command"),
        (FULL, True, "data"),
        (RESOLVES, False, "data"),
        (OLD, False, "command"),
        (OLD, True, "command"),
    ],
)
async def test_each_client_gets_the_form_it_can_use(here: Make, capabilities: Any, at_end: bool, form: str) -> None:
    client, _ = await start(here, capabilities, at_end=at_end)
    simplify = (await offered(client))["Simplify `first`"]
    assert {key for key in ("command", "data", "edit") if simplify.get(key) is not None} == {form}


async def test_a_client_that_knows_commands_only_gets_commands(here: Make) -> None:
    client, _ = await start(here, {"workspace": {"applyEdit": True}})
    found = await offered(client)
    assert found["Simplify `first`"]["command"] == "devstral.runAction"
    assert "Extract into a function" not in found


async def test_without_any_way_for_edits_only_what_needs_none_is_offered(here: Make) -> None:
    client, _ = await start(here, {"textDocument": {"codeAction": {"codeActionLiteralSupport": LITERALS}}})
    assert set(await offered(client)) == {"Review `first` for bugs (experimental)", "Explain `first`"}


# --- edits ---


async def test_resolve_computes_the_edit_once_at_its_end(here: Make) -> None:
    client, editor = await start(here, at_end=True)
    await client.script(says=SIMPLER)
    action = (await offered(client))["Simplify `first`"]
    resolved = await client.request("codeAction/resolve", action)
    (change,) = resolved["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": editor.uri, "version": 1}
    editor.apply(change["edits"][0])
    assert editor.text == SIMPLIFIED
    assert client.all("workspace/applyEdit") == []


async def test_resolve_for_a_client_without_document_changes(here: Make) -> None:
    client, editor = await start(here, RESOLVES)
    await client.script(says=SIMPLER)
    resolved = await client.request("codeAction/resolve", (await offered(client))["Simplify `first`"])
    ((text_edit,),) = resolved["edit"]["changes"].values()
    editor.apply(text_edit)
    assert editor.text == SIMPLIFIED


async def test_a_resolve_that_fails_says_so_in_one_line(here: Make) -> None:
    client, _ = await start(here, at_end=True)
    await client.script(says="")
    refused = await client.refusal("codeAction/resolve", (await offered(client))["Simplify `first`"])
    assert refused.message == "the model wrote nothing. Nothing was changed; ask again, or with less code."


async def test_a_document_that_moved_on_is_not_resolved(here: Make) -> None:
    client, editor = await start(here, at_end=True)
    action = (await offered(client))["Simplify `first`"]
    editor.type(4, "    # new\n")
    refused = await client.refusal("codeAction/resolve", action)
    assert refused.message.startswith("the document has changed since the action was offered")


@pytest.mark.parametrize("capabilities", [FULL, OLD])
async def test_at_the_end_is_one_edit_and_one_undo(here: Make, capabilities: Any) -> None:
    client, editor = await start(here, capabilities, at_end=True)
    await client.script(says=SIMPLER)
    answer = await soon(run(client, "simplify", version=1))
    assert answer["applied"] is True
    assert editor.text == SIMPLIFIED
    assert editor.undo == [CODE]
    assert ("documentChanges" in editor.edits[0]) is (capabilities is FULL)


async def test_live_is_undone_in_one_step(here: Make) -> None:
    client, editor = await start(here, clock=ticking())
    await client.script(says="    c = a\n    d = c\n    return d\n```")
    answer = await soon(run(client, "simplify"))
    assert answer["applied"] is True
    assert editor.text == CODE.replace("    b = a\n    return b", "    c = a\n    d = c\n    return d")
    assert len(editor.edits) > 2  # it was seen being written
    assert editor.undo[-1] == CODE
    assert all(text.endswith("\n\n\ndef last():\n    return os\n") for text in editor.undo)


@pytest.mark.parametrize("at_end", [True, False])
async def test_new_imports_come_with_the_edit_and_go_with_one_undo(spawn: Start, at_end: bool) -> None:
    client = await spawn()
    await client.initialize(FULL, {"actions": {"apply": "atEnd" if at_end else "live"}})
    code = CODE.replace("\n\n\ndef first", '\nKEY = "ghp_' + "0aB1" * 9 + '"\n\n\ndef first')
    editor = Editor(client, code)
    await client.script(says="```python\nimport math\nimport os\n\n\ndef first(a):\n    return math.pi\n```")
    answer = await soon(run(client, "rewrite", 6, instruction="use math"))
    assert answer["applied"] is True, answer
    changed = code.replace("    b = a\n    return b\n", "    return math.pi\n")
    assert editor.text == changed.replace("import os\n", "import os\nimport math\n")
    assert editor.undo[-1] == code


async def test_an_instruction_in_a_comment_goes_with_the_live_edit(here: Make) -> None:
    code = CODE.replace("def first", "# devstral: shorter\ndef first")
    client, editor = await start(here, code=code, clock=ticking())
    await client.script(says="def first(a):\n    return a\n```")
    assert "Rewrite: shorter" in await offered(client, 5)
    assert (await soon(run(client, "rewrite", 5)))["applied"] is True
    assert editor.text == SIMPLIFIED
    assert editor.undo[-1] == code


async def test_what_others_type_elsewhere_stays_and_the_edit_finds_its_place(here: Make) -> None:
    client, editor = await start(here)
    await client.script(says=SIMPLER, hold=True)
    answer = run(client, "simplify")
    await client.request("test/asked")
    editor.type(0, "# mine\n")
    await client.script(hold=False)
    assert (await soon(answer))["applied"] is True
    assert editor.text == "# mine\n" + SIMPLIFIED


@pytest.mark.parametrize("at_end", [True, False])
async def test_typing_into_the_target_stops_the_edit_and_keeps_every_key(here: Make, at_end: bool) -> None:
    client, editor = await start(here, at_end=at_end)
    await client.script(says=SIMPLER, hold=True)
    answer = run(client, "simplify")
    await client.request("test/asked")
    editor.type(5, "    # mine\n")
    await client.script(hold=False)
    assert (await soon(answer))["code"] == "edit-conflict"
    assert editor.text == CODE.replace("    return b\n", "    # mine\n    return b\n")
    (message,) = client.all("window/showMessage")
    assert "the code was changed while it was being rewritten" in message["message"]


async def test_typing_between_two_live_edits_loses_nothing(here: Make) -> None:
    client, editor = await start(here, clock=ticking())
    typed = iter([lambda: None, lambda: editor.type(4, "    # mine\n")])
    editor.before_applying = lambda: next(typed, lambda: None)()
    await client.script(says="    c = a\n    d = c\n    return d\n```")
    answer = await soon(run(client, "simplify"))
    assert answer["code"] == "edit-conflict"
    assert "    # mine\n" in editor.text


async def test_a_bad_answer_takes_back_what_was_shown(here: Make) -> None:
    client, editor = await start(here, clock=ticking())
    await client.script(says="    c = a\n    return (c\n```")
    answer = await soon(run(client, "simplify"))
    assert answer["applied"] is False
    assert editor.text == CODE
    assert len(editor.edits) > 1


@pytest.mark.parametrize("applied", ["no", "true", 1, None, [True]])
async def test_an_editor_that_says_neither_yes_nor_no_has_not_applied_the_edit(here: Make, applied: object) -> None:
    client, _ = await start(here)
    client.answers["workspace/applyEdit"] = {"applied": applied}
    await client.script(says=SIMPLER)
    answer = await soon(run(client, "simplify"))
    assert answer["message"] == "the editor refused the edit: result.applied: not a valid value"


async def test_two_actions_do_not_write_into_one_document(here: Make) -> None:
    client, _ = await start(here)
    await client.script(says=SIMPLER, hold=True)
    first = run(client, "simplify")
    await client.request("test/asked")
    assert "another action is at work" in (await soon(run(client, "document")))["message"]
    await client.script(hold=False)
    assert (await soon(first))["applied"] is True


# --- progress and cancel ---


async def progress_token(client: Here) -> Any:
    await client.next("$/progress", lambda params: params["value"]["kind"] == "begin" and "action" in params["token"])
    return next(p["token"] for p in client.all("$/progress") if "action" in p["token"])


async def test_cancel_by_progress_leaves_the_document_as_it_was(here: Make) -> None:
    client, editor = await start(here, at_end=True)
    await client.script(says=SIMPLER, hold=True)
    answer = run(client, "simplify")
    token = await progress_token(client)
    await client.request("test/asked")
    began = asyncio.get_running_loop().time()
    client.notify("window/workDoneProgress/cancel", {"token": token})
    assert (await soon(answer))["message"] == "cancelled"
    assert asyncio.get_running_loop().time() - began < 0.3
    assert editor.text == CODE
    end = await client.next("$/progress", lambda params: params["value"]["kind"] == "end" and params["token"] == token)
    assert end["value"]["message"] == "cancelled"
    assert (await client.script())["cancelled"] == 1


async def test_a_cancelled_request_is_answered_at_once(here: Make) -> None:
    client, editor = await start(here)
    await client.script(says=SIMPLER, hold=True)
    answer = run(client, "simplify")
    asked = client.last_id
    await client.request("test/asked")
    client.notify("$/cancelRequest", {"id": asked})
    with pytest.raises(Refused, match="cancelled"):
        await soon(answer)
    await until(lambda: client.rig.engine.n_cancelled == 1)
    assert editor.text == CODE


async def test_cancel_of_a_live_edit_says_what_was_kept(here: Make) -> None:
    client, editor = await start(here, clock=ticking())
    token: list[Any] = []

    def cancel_at_the_second() -> None:
        if len(editor.edits) == 1:
            client.notify("window/workDoneProgress/cancel", {"token": token[0]})

    await client.script(
        says="def first(a):\n    c = a\n    d = c\n    e = d\n    f = e\n    return f\n```" + "\n" * 300, hold=True
    )
    answer = run(client, "rewrite", instruction="more steps")
    token.append(await progress_token(client))
    editor.before_applying = cancel_at_the_second
    await client.script(hold=False)
    done = await soon(answer)
    assert done["message"].startswith("cancelled; ")
    assert done["message"].endswith(" new lines were kept, undo takes them back")
    assert "    c = a\n" in editor.text
    assert editor.undo[-1] == CODE


async def test_progress_says_how_fast_it_is(here: Make) -> None:
    client, _ = await start(here, at_end=True, clock=ticking(0.1))
    await client.script(says="    # a comment\n    return a\n```", hold=True)
    answer = run(client, "simplify")
    await progress_token(client)
    await client.script(hold=False)
    await soon(answer)
    said = [p["value"].get("message", "") for p in client.all("$/progress") if p["value"]["kind"] == "report"]
    assert any(" tokens, " in one and one.endswith(" a second") for one in said)


# --- results that are no edits ---


async def test_findings_are_diagnostics_with_a_fix_and_go_when_dismissed(here: Make) -> None:
    client, editor = await start(here)
    await client.script(says="    b = a\n    return b + 1\n```")
    answer = await soon(run(client, "review"))
    assert answer["findings"] == 1
    (diagnostic,) = (await client.next("textDocument/publishDiagnostics"))["diagnostics"]
    assert diagnostic["source"] == "Devstral"
    assert diagnostic["range"]["start"] == {"line": 5, "character": 4}
    assert diagnostic["relatedInformation"][0]["location"]["range"]["start"]["line"] == 3
    found = await offered(client, 5, triggerKind=2)
    fix = found["Change to `return b + 1`"]
    (change,) = fix["edit"]["documentChanges"]
    dismiss = found["Dismiss this finding"]["command"]
    await client.request("workspace/executeCommand", dismiss)
    assert (await client.next("textDocument/publishDiagnostics"))["diagnostics"] == []
    editor.apply(change["edits"][0])
    assert editor.text == CODE.replace("return b", "return b + 1")


async def test_findings_move_with_the_code_and_go_when_it_changes(here: Make) -> None:
    client, editor = await start(here)
    await client.script(says="    b = a\n    return b + 1\n```")
    await soon(run(client, "review"))
    await client.next("textDocument/publishDiagnostics")
    editor.type(0, "# one more line\n")
    moved = await client.next("textDocument/publishDiagnostics")
    assert moved["diagnostics"][0]["range"]["start"]["line"] == 6
    editor.type(6, "    # changed\n")
    assert (await client.next("textDocument/publishDiagnostics"))["diagnostics"] == []


async def test_findings_find_their_place_in_a_document_that_moved_on(here: Make) -> None:
    client, editor = await start(here)
    await client.script(says="    b = a\n    return b + 1\n```", hold=True)
    answer = run(client, "review")
    await client.request("test/asked")
    editor.type(0, "# one more line\n")
    await client.script(hold=False)
    await soon(answer)
    (diagnostic,) = (await client.next("textDocument/publishDiagnostics"))["diagnostics"]
    assert diagnostic["range"]["start"]["line"] == 6


async def test_clear_review_clears_everything(here: Make) -> None:
    client, _ = await start(here)
    await client.script(says="    b = a\n    return b + 1\n```")
    await soon(run(client, "review"))
    assert await client.request("workspace/executeCommand", {"command": "devstral.clearReview"}) == 1
    assert await offered(client, 5, triggerKind=2) == {}


@pytest.mark.parametrize("capabilities", [FULL, OLD])
async def test_an_explanation_is_shown_as_the_client_can(here: Make, capabilities: Any) -> None:
    client, _ = await start(here, capabilities)
    client.answers["window/showDocument"] = {"success": True}
    await client.script(says="It gives back what it gets.")
    answer = await soon(run(client, "explain"))
    assert answer["markdown"] == "It gives back what it gets.\n"
    if capabilities is FULL:
        (shown,) = client.all("window/showDocument")
        text, mode = look_at(shown["uri"])
        assert text == "# Explain `first`\n\nIt gives back what it gets.\n"
        assert mode == 0o700
        left = Path(shown["uri"].removeprefix("file://"))
        await client.server.close()
        assert not left.exists(), "it quotes code"  # noqa: ASYNC240
    else:
        assert client.all("window/showMessage")[0]["message"] == "It gives back what it gets."


async def test_what_a_killed_server_explained_is_removed_by_a_later_one(here: Make, tmp_path: Path) -> None:
    client, _ = await start(here)
    folder = directories(environment(tmp_path)).runtime / "explanations"
    folder.mkdir(parents=True)
    for name, age_s in {"old.md": explanation.OLD_S + 60, "young.md": 0.0}.items():
        (folder / name).write_text("")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    client.answers["window/showDocument"] = {"success": True}
    await client.script(says="It gives back what it gets.")
    await soon(run(client, "explain"))
    left = {path.name for path in folder.iterdir() if not path.is_dir()}
    assert left == {"young.md"}


async def explained(client: Here) -> Path:
    """The document of an explanation."""
    client.answers["window/showDocument"] = {"success": True}
    await client.script(says="It gives back what it gets.")
    await soon(run(client, "explain"))
    return Path(client.all("window/showDocument")[-1]["uri"].removeprefix("file://"))


async def test_each_window_has_its_own_explanation_and_removes_no_other(here: Make) -> None:
    first, _ = await start(here)
    second, _ = await start(here)
    one, other = await explained(first), await explained(second)
    assert one != other
    assert one.name == other.name, "the title of the tab"
    await first.server.close()
    assert (one.exists(), other.exists()) == (False, True)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("planted", ["the folder", "an old entry in it"])
async def test_a_planted_link_makes_us_write_and_remove_nothing_elsewhere(
    planted: str, here: Make, tmp_path: Path
) -> None:
    client, _ = await start(here)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "notes.md").write_text("mine")
    os.utime(elsewhere / "notes.md", (0, 0))
    runtime = directories(environment(tmp_path)).runtime
    link = runtime / ("explanations" if planted == "the folder" else "explanations/old")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    os.utime(link, (0, 0), follow_symlinks=False)
    client.answers["window/showDocument"] = {"success": True}
    await client.script(says="It gives back what it gets.")
    await soon(run(client, "explain"))
    await client.server.close()
    assert [path.name for path in elsewhere.iterdir()] == ["notes.md"]
    if planted == "the folder":
        assert client.all("window/showMessage")[0]["message"] == "It gives back what it gets."


def look_at(uri: str) -> tuple[str, int]:
    """The text of a file and the mode of its folder."""
    path = Path(uri.removeprefix("file://"))
    return path.read_text(encoding="utf-8"), path.parent.stat().st_mode & 0o777


async def test_tests_come_as_a_new_file_to_be_confirmed(here: Make) -> None:
    client, _ = await start(here)
    client.answers["workspace/applyEdit"] = {"applied": True}
    await client.script(says="first(self):\n        self.assertEqual(first(1), 1)\n```")
    answer = await soon(run(client, "tests"))
    assert (answer["applied"], answer["message"]) == (True, "wrote tests for `first` in test_a.py")
    assert (await client.next("window/showMessage"))["message"] == "Devstral: wrote tests for `first` in test_a.py."
    (applied,) = client.all("workspace/applyEdit")
    create, change = applied["edit"]["documentChanges"]
    assert (create["kind"], create["uri"]) == ("create", "file:///w/test_a.py")
    assert change["edits"][0]["newText"].startswith("import unittest\n\nfrom a import first\n")
    assert applied["edit"]["changeAnnotations"]["devstral"]["needsConfirmation"] is True
    assert change["edits"][0]["annotationId"] == "devstral"


@pytest.mark.parametrize(
    "edits",
    [
        {},
        {"resourceOperations": ["create"]},
        {"documentChanges": True},
        {"documentChanges": True, "resourceOperations": []},
    ],
)
async def test_a_client_that_cannot_create_files_is_told_before_the_model_is_asked(spawn: Start, edits: Any) -> None:
    client = await spawn()
    await client.initialize(FULL | {"workspace": {"applyEdit": True, "workspaceEdit": edits}})
    Editor(client, CODE)
    answer = await soon(run(client, "tests"))
    assert answer["message"] == "this editor does not let a server create files, and test_a.py is not there yet"
    told = await client.next("window/showMessage")
    assert told["message"].endswith("Create it, empty, and ask again, or run `devstral-ls act tests`.")
    assert (await client.script())["asked"] == []


async def test_a_fix_that_is_still_reported_is_tried_differently(here: Make) -> None:
    client, editor = await start(here, at_end=True)
    await client.script(says="    return a\n```")
    await soon(run(client, "fix", diagnostics=[PROBLEM]))
    assert editor.text == SIMPLIFIED
    found = await offered(client, 4, diagnostics=[PROBLEM | {"range": range_(4)}])
    again = found["Fix: b is not needed (still reported; another try)"]
    assert "isPreferred" not in again or again["isPreferred"] is None
    await client.script(says="    return +a\n```")
    await client.request("codeAction/resolve", again)
    assert "This was tried, and the problem stayed:" in (await client.script())["asked"][-1]


# --- what may go wrong ---


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        (None, "expected an object"),
        ({"action": "fly", "uri": "file:///w/a.py", "range": range_(0)}, "action: there are fix,"),
        ({"action": "fix", "uri": "file:///w/b.py", "range": range_(0)}, "uri: that document is not open"),
        ({"action": "fix", "uri": "file:///w/a.py", "range": {}}, "range: expected start and end"),
        ({"action": "fix", "uri": "file:///w/a.py", "range": range_(0), "instruction": 3}, "instruction: expected"),
        ({"action": "fix", "uri": "file:///w/a.py", "range": range_(0), "diagnostics": [3]}, "diagnostics: expected"),
    ],
)
async def test_arguments_that_cannot_be_read_are_named(here: Make, argument: Any, says: str) -> None:
    client, _ = await start(here)
    call = {"command": "devstral.runAction", "arguments": [argument]}
    refused = await client.refusal("workspace/executeCommand", call)
    assert says in refused.message


async def test_without_a_model_the_user_is_told_why(here: Make) -> None:
    client = here(status={"state": "loading", "model": "m", "message": "loading m"})
    await client.initialize(FULL)
    Editor(client, CODE)
    assert "Simplify `first`" in await offered(client)
    assert (await soon(run(client, "simplify")))["message"] == "loading m"


async def test_the_whole_way_over_stdio(spawn: Start) -> None:
    client = await spawn()
    await client.initialize(FULL, {"actions": {"apply": "live"}})
    editor = Editor(client, CODE)
    await client.script(says=SIMPLER)
    command = (await offered(client))["Simplify `first`"]["command"]
    assert (await client.request("workspace/executeCommand", command))["applied"] is True
    assert editor.text == SIMPLIFIED
    assert editor.undo[-1] == CODE
    assert json.dumps(client.all("$/progress")).count('"kind": "end"') >= 1
    assert await client.leave() == 0
