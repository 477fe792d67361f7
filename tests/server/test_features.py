"""What an editor gets: suggestions, settings, commands, status and progress."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.testing.lsp_client import NEVER, LspClient, Refused, edit, soon, until
from devstral_ls.testing.scripted_server import READY
from tests.server.conftest import Here, Start

Make = Callable[..., Here]

LOADING = {"state": "loading", "model": "m", "message": "loading m", "progress": 0.5}
ABSENT = {
    "state": "absent",
    "message": "no model is installed",
    "hint": "Install one: `devstral-ls model pull starter`.",
}


# --- initialize ---


async def test_what_is_announced(here: Make) -> None:
    result = await here().initialize({"notebookDocument": {"synchronization": {}}})
    capabilities = result["capabilities"]
    assert result["serverInfo"]["name"] == "devstral-ls"
    assert capabilities["textDocumentSync"]["change"] == 2
    assert capabilities["textDocumentSync"]["openClose"] is True
    assert capabilities["inlineCompletionProvider"] == {}
    assert "completionProvider" not in capabilities
    assert capabilities["notebookDocumentSync"] == {"notebookSelector": [{"notebook": "*"}]}
    assert set(capabilities["executeCommandProvider"]["commands"]) >= {
        "devstral.accepted", "devstral.rejected", "devstral.restartEngine", "devstral.toggleInline", "devstral.why",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "utf-16"),
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32", "utf-8"], "utf-32"),
        (["utf-16"], "utf-16"),
        (["utf-7"], "utf-16"),
        (["utf-7", "utf-32"], "utf-32"),
    ],
)
async def test_the_clients_first_known_encoding_is_taken(here: Make, offered: Any, chosen: str) -> None:
    result = await here().initialize({} if offered is None else {"general": {"positionEncodings": offered}})
    assert result["capabilities"]["positionEncoding"] == chosen


# --- inline completion ---


@pytest.mark.parametrize(("encoding", "quoted"), [("utf-8", 15), ("utf-16", 8), ("utf-32", 6)])
async def test_positions_behind_emoji_and_cjk(here: Make, encoding: str, quoted: int) -> None:
    client = here()
    await client.initialize({"general": {"positionEncodings": [encoding]}})
    uri = client.open('x\n"👩中😀é" + y\n')
    client.change(uri, edit((1, quoted + 1), (1, quoted + 3), "*"))
    (item,) = await client.inline(uri, 1, quoted + 2)
    assert (await client.script())["asked"] == ['x\n"👩中😀é" *']
    assert client.server.documents.snapshot(uri).text == 'x\n"👩中😀é" *y\n'  # type: ignore[union-attr]
    place = {"line": 1, "character": quoted + 2}
    assert item["range"] == {"start": place, "end": place}


async def test_an_item_is_complete(here: Make) -> None:
    client = here()
    await client.initialize()
    await client.script(says="return 1\n")
    (item,) = await client.inline(client.open("def f():\n    "), 1, 4, kind=1)
    place = {"line": 1, "character": 4}
    assert item == {
        "insertText": "return 1\n",
        "filterText": "return 1\n",
        "range": {"start": place, "end": place},
        "command": {"title": "Accepted", "command": "devstral.accepted", "arguments": ["s1"]},
    }


async def test_a_document_that_was_never_opened(here: Make) -> None:
    client = here()
    await client.initialize()
    assert await client.inline("file:///w/unknown.py", 0, 0) == []
    assert await client.inline("file:///w/unknown.py", 0, 0, kind=1) == []
    client.change("file:///w/unknown.py", edit((0, 0), (0, 0), "x"))
    client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///w/unknown.py"}})
    await client.script()


async def test_a_document_that_moved_on_gets_nothing(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    await client.script(hold=True)
    answer = client.ask_inline(uri, 0, 1)
    await client.request("test/asked")
    client.change(uri, edit((0, 1), (0, 1), "b"))
    await client.script(hold=False)
    assert (await soon(answer))["items"] == []
    assert (await command(client, "devstral.why", uri))["reason"] == "document-moved"


async def test_a_closed_document_is_forgotten(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    await client.inline(uri, 0, 1)
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    assert await client.inline(uri, 0, 1) == []
    assert (await command(client, "devstral.why", uri))["reason"] == "unknown-document"
    client.open("a")
    assert await command(client, "devstral.why", uri) is None


async def test_without_a_model_everything_is_answered_and_it_starts_as_soon_as_there_is_one(here: Make) -> None:
    client = here(status=ABSENT)
    await client.initialize()
    status = await client.status("absent")
    assert status["hint"] == ABSENT["hint"]
    uri = client.open("a")
    assert await client.inline(uri, 0, 1) == []
    assert client.all("window/showMessage") == []
    assert await client.inline(uri, 0, 1, kind=1) == []
    shown = await client.next("window/showMessage")
    assert "no model is installed" in shown["message"]
    assert "model pull" in shown["message"]
    await client.script(status=READY)
    await client.status("ready")
    assert await client.inline(uri, 0, 1) != []


async def test_a_failing_engine_costs_an_automatic_request_nothing_but_its_answer(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    await client.script(error="the engine is gone")
    assert await client.inline(uri, 0, 1) == []
    assert client.all("window/showMessage") == []
    assert await client.inline(uri, 0, 1, kind=1) == []
    assert (await client.next("window/showMessage"))["message"] == "Devstral: the engine is gone. Try again."
    await client.script(error=None)
    assert await client.inline(uri, 0, 1) != []


async def test_a_bug_costs_an_automatic_request_nothing_but_its_answer(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    await client.script(bug="")
    assert await client.inline(uri, 0, 1) == []
    with pytest.raises(Refused) as refused:
        await client.inline(uri, 0, 1, kind=1)
    assert refused.value.code == -32603
    assert client.all("window/showMessage") == []


async def test_trigger_kinds_of_vs_code_are_told_apart(here: Make) -> None:
    client = here(status=ABSENT)
    await client.initialize()
    uri = client.open("a")
    await client.inline(uri, 0, 1, kind=0)
    assert len(client.all("window/showMessage")) == 1  # invoked: the user is told why nothing comes
    await client.inline(uri, 0, 1, kind=1)
    assert len(client.all("window/showMessage")) == 1  # automatic, from a client that says 0 for invoked
    await client.inline(uri, 0, 1, kind=2)
    await client.inline(uri, 0, 1, kind=1)
    assert len(client.all("window/showMessage")) == 2


async def test_an_older_request_is_answered_when_a_newer_one_takes_over(here: Make) -> None:
    client = here(real_pipeline=True)
    await client.initialize()
    uri = client.open("def f(a):\n    return ")
    await client.script(hold=True, says="a + 1")
    older = client.ask_inline(uri, 1, 11, kind=1)
    await client.request("test/asked")
    client.change(uri, edit((1, 11), (1, 11), "a"))
    newer = client.ask_inline(uri, 1, 12, kind=1)
    assert (await soon(older))["items"] == []
    await client.script(hold=False, says=" + 1")
    assert (await soon(newer))["items"] != []


async def test_changes_as_sloppy_clients_send_them(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a\nb")
    client.change(uri, {"range": None, "text": "whole\n"}, edit((0, 1), (0, 2**32 - 1), "-"))
    await client.inline(uri, 0, 2)
    assert (await client.script())["asked"] == ["w-"]


async def test_a_change_that_cannot_be_read_costs_the_document_and_nothing_else(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    client.change(uri, {"range": {"start": 5}, "text": "x"})
    assert await client.inline(uri, 0, 1) == []
    client.open("b")
    assert await client.inline(uri, 0, 1) != []


@pytest.mark.parametrize("text", [None, 5, ["x"]])
@pytest.mark.parametrize(
    "span", [{}, {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}}]
)
async def test_a_text_that_is_no_text_is_never_taken_for_a_word(here: Make, text: Any, span: Any) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    client.change(uri, {**span, "text": text})
    assert await client.inline(uri, 0, 1) == []
    assert client.open(text) == uri
    assert await client.inline(uri, 0, 1) == []
    client.open("b")
    assert await client.inline(uri, 0, 1) != []
    assert (await client.script())["asked"] == ["b"]


# --- notebooks ---


async def test_cells_are_documents(here: Make) -> None:
    client = here()
    await client.initialize()
    cell = {"kind": 2, "document": "nb:1#a"}
    notebook = {"uri": "nb:1", "notebookType": "jupyter", "version": 1, "cells": [cell]}
    text = {"uri": "nb:1#a", "languageId": "python", "version": 1, "text": "a"}
    client.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": [text]})
    assert await client.inline("nb:1#a", 0, 1) != []
    opened = text | {"uri": "nb:1#b", "text": "b"}
    array = {"start": 0, "deleteCount": 1, "cells": [cell | {"document": "nb:1#b"}]}
    structure = {"array": array, "didOpen": [opened], "didClose": [{"uri": "nb:1#a"}]}
    content = {"document": {"uri": "nb:1#b", "version": 2}, "changes": [edit((0, 1), (0, 1), "cd")]}
    change = {"cells": {"structure": structure, "textContent": [content]}}
    client.notify("notebookDocument/didChange", {"notebookDocument": {"uri": "nb:1", "version": 2}, "change": change})
    assert await client.inline("nb:1#a", 0, 1) == []
    assert await client.inline("nb:1#b", 0, 3) != []
    assert (await client.script())["asked"] == ["a", "bcd"]
    closed = {"notebookDocument": {"uri": "nb:1"}, "cellTextDocuments": [{"uri": "nb:1#b"}]}
    client.notify("notebookDocument/didClose", closed)
    assert await client.inline("nb:1#b", 0, 3) == []


# --- settings ---


def config(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.toml").write_text(text, encoding="utf-8")


async def test_initialization_options_are_the_tree_itself_and_win_over_the_user_file(
    here: Make, tmp_path: Path
) -> None:
    config(tmp_path, '[inline]\nmaxTokens = 7\ndebounceMs = 9\n[model]\nname = "file"\n')
    client = here()
    await client.initialize(options={"inline": {"debounceMs": 11}})
    assert client.server.settings.inline.max_tokens == 7
    assert client.server.settings.inline.debounce_ms == 11
    assert (await client.script())["models"] == ["file"]
    assert client.all("window/showMessage") == []


async def test_the_environment_wins(here: Make) -> None:
    client = here(DEVSTRAL_LS_MODEL="environment")
    await client.initialize(options={"model": {"name": "options"}})
    assert (await client.script())["models"] == ["environment"]


@pytest.mark.parametrize("options", [{"inline": {"debounceMs": -1}}, {"inlin": {}}, [1], "x", {"inline": 5}])
async def test_a_bad_setting_costs_one_message(here: Make, options: Any) -> None:
    client = here()
    await client.initialize(options=options)
    await client.script()
    (shown,) = client.all("window/showMessage")
    assert shown["type"] == 2
    assert shown["message"].startswith("Devstral: ")


async def test_many_problems_are_one_message(here: Make) -> None:
    client = here()
    await client.initialize(options={"inline": {f"wrong{i}": 1 for i in range(9)}})
    await client.script()
    (shown,) = client.all("window/showMessage")
    assert "inline.wrong0: no such setting" in shown["message"]
    assert "and 4 more" in shown["message"]


async def test_a_user_file_that_is_no_toml_costs_one_message(here: Make, tmp_path: Path) -> None:
    config(tmp_path, "[inline\n")
    client = here()
    await client.initialize()
    client.notify("workspace/didChangeConfiguration", {"settings": {}})
    await client.script()
    (shown,) = client.all("window/showMessage")
    assert "settings.toml" in shown["message"]


async def test_the_workspaces_configuration_is_asked_for_and_has_no_say_in_model_and_engine(here: Make) -> None:
    client = here()
    tree = {"inline": {"maxTokens": 5}, "model": {"name": "evil"}, "engine": {"threads": 99}, "log": {"contents": True}}
    client.answers["workspace/configuration"] = [tree]
    await client.initialize({"workspace": {"configuration": True}})
    assert await client.next("workspace/configuration") == {"items": [{"section": "devstral"}]}
    await until(lambda: client.server.settings.inline.max_tokens == 5)
    assert client.server.settings.log.contents is False
    assert (await client.script())["models"] == ["auto"]
    assert client.all("window/showMessage") == []


@pytest.mark.parametrize("answer", [NEVER, Refused({"code": -32603, "message": "no"}), None, [], [None], "x", [5]])
async def test_any_answer_to_configuration_does(here: Make, answer: Any) -> None:
    client = here()
    client.answers["workspace/configuration"] = answer
    await client.initialize({"workspace": {"configuration": True}})
    await client.next("workspace/configuration")
    await client.script()
    assert await client.inline(client.open("a"), 0, 1) != []


async def test_a_change_is_taken_as_it_is_pushed(here: Make) -> None:
    client = here()
    await client.initialize()
    client.notify("workspace/didChangeConfiguration", {"settings": {"devstral": {"inline": {"enable": False}}}})
    assert await client.inline(client.open("a"), 0, 1) == []


async def test_a_change_is_pulled_where_nothing_is_pushed(here: Make) -> None:
    client = here()
    await client.initialize({"workspace": {"configuration": True}})
    await client.next("workspace/configuration")
    client.answers["workspace/configuration"] = [{"inline": {"enable": False}}]
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    await client.next("workspace/configuration")
    await until(lambda: not client.server.settings.inline.enable)


async def test_the_engine_hears_only_of_what_concerns_it(here: Make, tmp_path: Path) -> None:
    client = here()
    await client.initialize()
    await client.script()
    config(tmp_path, "[inline]\nmaxTokens = 7\n")
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    await client.script()
    assert (await client.script())["models"] == ["auto"]
    config(tmp_path, '[model]\nname = "other"\n')
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    await client.script()
    assert (await client.script())["models"] == ["auto", "other"]
    config(tmp_path, '[model]\nname = "other"\n[inline]\nmodel = "small"\n')
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    await client.script()
    assert (await client.script())["models"] == ["auto", "other", "small"]


async def test_registered_where_the_client_asks_for_it(here: Make) -> None:
    client = here()
    dynamic = {"dynamicRegistration": True}
    result = await client.initialize(
        {"textDocument": {"inlineCompletion": dynamic}, "workspace": {"didChangeConfiguration": dynamic}}
    )
    assert "inlineCompletionProvider" not in result["capabilities"]
    registered = {r["method"]: r for r in (await client.next("client/registerCapability"))["registrations"]}
    assert registered["textDocument/inlineCompletion"]["registerOptions"] == {"documentSelector": None}
    assert "workspace/didChangeConfiguration" in registered


# --- completion ---


async def completions(client: Here, uri: str, line: int, character: int) -> Any:
    params = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
    return await client.request("textDocument/completion", params)


async def test_completion_is_off_by_default(here: Make) -> None:
    client = here()
    await client.initialize()
    assert await completions(client, client.open("a"), 0, 1) == {"isIncomplete": True, "items": []}
    assert (await client.script())["asked"] == []


async def test_completion_offers_the_same_suggestion(here: Make) -> None:
    client = here()
    result = await client.initialize(options={"completion": {"enable": True, "timeoutMs": 9000}})
    assert "completionProvider" in result["capabilities"]
    await client.script(says="nt(x)\n  y")
    answer = await completions(client, client.open("  pri"), 0, 5)
    (item,) = answer["items"]
    assert answer["isIncomplete"] is True
    assert item["label"] == "print(x)"
    assert item["textEdit"]["newText"] == "print(x)\n  y"
    assert item["textEdit"]["range"] == {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 5}}
    assert item["filterText"].startswith("pri")
    assert item["command"]["command"] == "devstral.accepted"


async def test_completion_does_not_wait_and_the_pipeline_goes_on(here: Make) -> None:
    client = here()
    await client.initialize(options={"completion": {"enable": True, "timeoutMs": 0}})
    await client.script(hold=True)
    assert (await completions(client, client.open("a"), 0, 1))["items"] == []
    await client.request("test/asked")
    assert (await client.script())["cancelled"] == 0


async def test_completion_is_registered_when_it_is_switched_on_later(here: Make) -> None:
    client = here()
    await client.initialize({"textDocument": {"completion": {"dynamicRegistration": True}}})
    client.notify("workspace/didChangeConfiguration", {"settings": {"devstral": {"completion": {"enable": True}}}})
    (registered,) = (await client.next("client/registerCapability"))["registrations"]
    assert registered["method"] == "textDocument/completion"


# --- commands ---


async def command(client: LspClient, name: str, *arguments: Any) -> Any:
    return await client.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})


async def test_accepted_and_rejected_reach_the_pipeline(here: Make) -> None:
    client = here()
    await client.initialize()
    (item,) = await client.inline(client.open("a"), 0, 1)
    assert await client.request("workspace/executeCommand", item["command"]) is None
    assert await command(client, "devstral.rejected", "s9") is None
    assert (await client.script())["heard"] == [["accepted", "s1"], ["rejected", "s9"]]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("devstral.accepted", []),
        ("devstral.accepted", None),
        ("devstral.accepted", [5]),
        ("devstral.accepted", ["a", "b"]),
        ("devstral.rejected", [{}]),
        ("devstral.why", []),
        ("devstral.why", [{"uri": 5}]),
        ("devstral.toggleInline", [1]),
        ("devstral.setInline", []),
        ("devstral.setInline", [True]),
        ("devstral.setInline", [{"enable": "no"}]),
        ("devstral.restartEngine", ["now"]),
        ("devstral.unknown", []),
    ],
)
async def test_wrong_arguments_are_refused(here: Make, name: str, arguments: Any) -> None:
    client = here()
    await client.initialize()
    params = {"command": name} if arguments is None else {"command": name, "arguments": arguments}
    assert (await client.refusal("workspace/executeCommand", params)).code == -32602


async def test_toggle_inline(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    assert await command(client, "devstral.toggleInline") is False
    assert await client.inline(uri, 0, 1) == []
    client.notify("workspace/didChangeConfiguration", {"settings": {"devstral": {"inline": {"enable": True}}}})
    assert await client.inline(uri, 0, 1) == []
    assert await command(client, "devstral.toggleInline") is True
    assert await client.inline(uri, 0, 1) != []


async def test_suggestions_are_switched_to_what_is_wanted_however_they_were(spawn: Start) -> None:
    client = await spawn()
    await client.initialize()
    uri = client.open("a")
    for _ in range(2):
        assert await command(client, "devstral.setInline", {"enable": False}) is False
    assert await client.inline(uri, 0, 1) == []
    for _ in range(2):
        assert await command(client, "devstral.setInline", {"enable": True}) is True
    assert await client.inline(uri, 0, 1) != []


async def test_restart_engine_reads_the_settings_again(here: Make, tmp_path: Path) -> None:
    client = here()
    await client.initialize()
    await client.script()
    config(tmp_path, '[model]\nname = "other"\n')
    assert await command(client, "devstral.restartEngine") is None
    after = await client.script()
    assert after["restarts"] == 1
    assert after["models"] == ["auto", "other"]


@pytest.mark.parametrize("argument", ["file:///w/a.py", {"uri": "file:///w/a.py"}])
async def test_why_tells_reasons_and_times_and_no_text(here: Make, argument: Any) -> None:
    client = here(real_pipeline=True)
    await client.initialize()
    unknown = await command(client, "devstral.why", argument)
    assert unknown["reason"] == "unknown-document"
    assert (unknown["sentence"], unknown["hint"]) == ("The document is not open in this server.", None)
    uri = client.open("SECRET = ")
    await client.script(says="42")
    (item,) = await client.inline(uri, 0, 9, kind=1)
    why = await command(client, "devstral.why", argument)
    assert item["insertText"] == "42"
    assert why["reason"] == "shown"
    assert why["model"] == "scripted"
    assert why["stages"]["engine"] >= 0
    assert (why["confidence"], why["minConfidence"], why["decisions"]) == (1, 0, [])  # who asks by key is shown all
    assert "SECRET" not in json.dumps(why)
    assert "42" not in why["stages"]


async def test_why_says_what_the_user_can_do(spawn: Start) -> None:
    client = await spawn()
    await client.initialize()
    uri = client.open("a")
    await command(client, "devstral.toggleInline")
    assert await client.inline(uri, 0, 1) == []
    why = await command(client, "devstral.why", uri)
    assert why["sentence"] == "Automatic suggestions are switched off."
    assert why["hint"] == "Switch them on in your editor, or set inline.enable to true."
    assert "message" not in why


async def test_where_something_was_changed_the_prompt_is_read_before_anybody_asks(here: Make) -> None:
    client = here(real_pipeline=True)
    await client.initialize()
    uri = client.open("a = 1\nb = ")
    await client.script(says="2")
    client.change(uri, edit((1, 4), (1, 4), "a + "))
    await client.request("test/asked")
    (read,) = (await client.script())["asked"]
    states = {status["state"] for status in client.all("devstral/status")}
    assert "generating" not in states  # nobody waits for it
    await client.inline(uri, 1, 8)
    asked = (await client.script())["asked"]
    assert asked[1] == read == "a = 1\nb = a +"


async def test_who_asked_while_the_model_was_loading_finds_the_prompt_read(here: Make) -> None:
    client = here(real_pipeline=True, status=LOADING)
    await client.initialize()
    uri = client.open("a = 1\nb = ")
    assert await client.inline(uri, 1, 4) == []
    await client.script(status=READY)
    await client.request("test/asked")
    assert (await client.script())["asked"] == ["a = 1\nb ="]


async def test_what_still_runs_ends_with_the_session(here: Make) -> None:
    client = here(real_pipeline=True)
    await client.initialize()
    uri = client.open("a = 1\nb = ")
    await client.script(hold=True)
    client.ask_inline(uri, 1, 4)
    await client.request("test/asked")
    await client.end()
    await soon(client.rig.engine.left.wait())
    assert client.rig.engine.n_cancelled == 1


# --- status and progress ---


async def test_status_has_exactly_what_the_contract_says(here: Make) -> None:
    client = here(status=LOADING)
    await client.initialize()
    assert await client.status("loading") == {
        "state": "loading", "model": "m", "engine": None, "message": "loading m", "hint": None, "progress": 0.5,
    }  # fmt: skip
    await client.script(status=READY)
    assert set(await client.status("ready")) == {"state", "model", "engine", "message", "hint"}
    await client.inline(client.open("a"), 0, 1)
    told = await client.next("devstral/status", lambda status: "latencyMs" in status)
    assert set(told["latencyMs"]) == {"p50", "p90"}


async def test_a_running_generation_shows(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    await client.script(hold=True)
    answer = client.ask_inline(uri, 0, 1)
    await client.status("generating")
    await client.script(hold=False)
    await soon(answer)
    await client.status("ready")


AT_HALF = {"message": "loading m", "percentage": 50}


async def loading(client: Here) -> dict[str, Any]:
    """Until the progress has said it: in its begin, which comes back, or in a report where "starting" came first."""
    begin: dict[str, Any] = await client.next("$/progress")
    if begin["value"]["message"] != AT_HALF["message"]:
        assert (await client.next("$/progress"))["value"] == {"kind": "report", **AT_HALF}
    return begin


async def test_progress_while_the_model_loads(here: Make) -> None:
    client = here(status=LOADING)
    await client.initialize({"window": {"workDoneProgress": True}})
    created = await client.next("window/workDoneProgress/create")
    begin = await loading(client)
    assert begin["token"] == created["token"]
    assert {**begin["value"], **AT_HALF} == {"kind": "begin", "title": "Devstral", "cancellable": True, **AT_HALF}
    await client.script(status=LOADING | {"progress": 0.75})
    assert (await client.next("$/progress"))["value"] == {"kind": "report", "message": "loading m", "percentage": 75}
    await client.script(status=READY)
    assert (await client.next("$/progress"))["value"] == {"kind": "end", "message": "ready"}
    await client.script(status=LOADING)
    assert (await client.next("window/workDoneProgress/create"))["token"] != created["token"]


@pytest.mark.parametrize("state", ["failed", "absent", "lost"])
async def test_progress_ends_where_loading_does(here: Make, state: str) -> None:
    client = here(status=LOADING)
    await client.initialize({"window": {"workDoneProgress": True}})
    await loading(client)
    await client.script(status={"state": state, "message": "no"})
    assert (await client.next("$/progress"))["value"]["kind"] == "end"


async def test_loading_can_be_cancelled(here: Make) -> None:
    client = here(status=LOADING)
    await client.initialize({"window": {"workDoneProgress": True}})
    token = (await loading(client))["token"]
    client.notify("window/workDoneProgress/cancel", {"token": "of somebody else"})
    client.notify("window/workDoneProgress/cancel", {"token": token})
    assert (await client.next("$/progress"))["value"]["kind"] == "end"
    assert (await client.status("failed"))["message"] == "loading was cancelled"


async def test_progress_ends_at_shutdown(here: Make) -> None:
    client = here(status=LOADING)
    await client.initialize({"window": {"workDoneProgress": True}})
    await loading(client)
    await client.request("shutdown")
    assert (await client.next("$/progress"))["value"]["kind"] == "end"


@pytest.mark.parametrize("answer", [NEVER, Refused({"code": -32601, "message": "no"})])
async def test_a_client_that_does_not_create_the_progress_blocks_nothing(here: Make, answer: Any) -> None:
    client = here(status=LOADING)
    client.answers["window/workDoneProgress/create"] = answer
    await client.initialize({"window": {"workDoneProgress": True}})
    await client.next("window/workDoneProgress/create")
    await client.script(status=READY)
    await client.status("ready")
    assert await client.inline(client.open("a"), 0, 1) != []
    assert client.all("$/progress") == []
    await client.request("shutdown")


async def test_no_progress_for_a_client_that_does_not_show_it(here: Make) -> None:
    client = here(status=LOADING)
    await client.initialize()
    await client.script(status=READY)
    await client.status("ready")
    assert client.all("window/workDoneProgress/create") == []
