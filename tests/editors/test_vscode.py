"""VS Code, as code-server in a headless browser, with the packed extension: real keys, real ghost text.

The text must be known, so the server is the real one over a scripted engine (``scripted.py``), but for the last tests.
Slow to start (20 s), so that all tests share one window; each opens a file of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.models import store
from devstral_ls.platform.paths import directories
from tests.editors.conftest import Rig
from tests.editors.vscode.window import (
    START_S,
    CodeServer,
    Scripted,
    Window,
    build_package,
    is_alive,
    wait_for,
)

SCRIPTED = {"state": "ready", "model": "scripted", "engine": "scripted", "message": "ready"}

READY = re.compile(r"Devstral · (slow: by key only · )?(?!scripted|starting|loading|calibrating)[\w.-]+( · \d+ ms)?$")
"""The status bar once a real model answers."""

_files = itertools.count(1)


@pytest.fixture(scope="module")
def package(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rig("code_server")
    return build_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def code_server(rig: Rig, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    server = CodeServer(rig("code_server"), tmp_path_factory.mktemp("vscode") / "s", package)
    yield server
    server.close()
    assert wait_for(lambda: not server.processes(), "all processes are gone", 10)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Scripted:
    return Scripted(tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="module")
def starter() -> Path:
    found = store.installed_as(directories().models, "starter")
    path = found.path if found else Path(os.environ.get("DEVSTRAL_LS_TEST_MODEL", ""))
    if not path.is_file():
        pytest.skip("no model: `devstral-ls model pull starter`, or DEVSTRAL_LS_TEST_MODEL")
    return path


@pytest.fixture(scope="module")
def shared_window(rig: Rig, code_server: CodeServer, line: Scripted) -> Iterator[Window]:
    code_server.settings(scripted_settings(line))
    window = Window(rig("code_server").parent, code_server)
    try:
        window.load()
        wait_for(line.pid, "the server runs", START_S)
        window.wait_for_status("scripted")
        yield window
    finally:
        window.close()


@pytest.fixture
def window(shared_window: Window, line: Scripted, request: pytest.FixtureRequest, dumps: Path) -> Iterator[Window]:
    """The window, with an engine at rest; what it looks like at the end of a test is kept."""
    line.ask(delay=0, says="", status=SCRIPTED)
    yield shared_window
    shared_window.screenshot(dumps / f"vscode_{request.node.name.partition('[')[0]}.png")
    assert shared_window.notifications() == []
    shared_window.press("Escape", "Control+s")


def scripted_settings(line: Scripted) -> dict[str, Any]:
    # What is written ahead would be counted with what is asked.
    own = {"devstral.inline.debounceMs": 0, "devstral.inline.prefetch": False}
    return {"devstral.client.command": line.command(sys.executable), **own}


def name() -> str:
    """A new file's; the newest is the first in the explorer, which draws only what there is room for."""
    return f"f{999 - next(_files)}_.py"


def said(line: Scripted, method: str, direction: str) -> list[dict[str, Any]]:
    return [m for m in line.ask()["said"] if (m["method"], m["direction"]) == (method, direction)]


def offered(line: Scripted) -> dict[str, Any]:
    """The server's last suggestion."""
    items = [m["result"]["items"] for m in said(line, "textDocument/inlineCompletion", "sent") if "result" in m]
    found: dict[str, Any] = next(item for item in reversed(items) if item)[0]
    return found


def accepted_ids(line: Scripted) -> list[str]:
    commands = [m["params"] for m in said(line, "workspace/executeCommand", "received")]
    return [c["arguments"][0] for c in commands if c["command"] == "devstral.accepted"]


def edited(text: str, item: dict[str, Any]) -> str:
    """``text`` after LSP's edit of an inline completion, in UTF-16."""
    lines = text.splitlines(keepends=True)
    start, end = (
        sum(len(line.encode("utf-16-le")) for line in lines[: place["line"]]) + 2 * place["character"]
        for place in (item["range"]["start"], item["range"]["end"])
    )
    raw = text.encode("utf-16-le")
    return (raw[:start] + item["insertText"].encode("utf-16-le") + raw[end:]).decode("utf-16-le")


ADD = "def add(a, b):\n    \n"


def test_ghost_text_is_shown_and_taken_whole(window: Window, line: Scripted) -> None:
    line.ask(says="a + b")
    path = window.open(name(), ADD, 2, 5)
    window.type("return ")
    window.wait_for_ghost("a + b")
    before = len(accepted_ids(line))
    line.ask(says="")  # nothing to go on with
    window.press("Tab")
    window.wait_for_no_ghost()
    assert window.saved(path) == "def add(a, b):\n    return a + b\n"
    assert len(wait_for(lambda: accepted_ids(line)[before:], "the server hears of it")) == 1


def test_it_is_taken_word_by_word(window: Window, line: Scripted) -> None:
    line.ask(says="first + second")
    path = window.open(name(), "def add(first, second):\n    \n", 2, 5)
    window.type("return ")
    window.wait_for_ghost("first + second")
    window.press("Control+ArrowRight")
    window.wait_for_ghost(" + second")
    assert window.saved(path) == "def add(first, second):\n    return first\n"


def test_it_is_taken_line_by_line(window: Window, line: Scripted) -> None:
    line.ask(says="total = a + b\n    return total")
    path = window.open(name(), ADD, 2, 5)
    window.press("Alt+Backslash")
    wait_for(lambda: "return total" in window.ghost(), "ghost text")
    window.press("Alt+End")
    wait_for(lambda: "total = a + b" not in window.ghost(), "the first line is taken")
    assert window.saved(path) == "def add(a, b):\n    total = a + b\n\n"
    line.ask(says="")
    window.press("Alt+End")
    window.wait_for_no_ghost()
    assert window.saved(path) == "def add(a, b):\n    total = a + b\n    return total\n"


def test_typing_through_it_keeps_the_rest_and_does_not_ask_the_model(window: Window, line: Scripted) -> None:
    line.ask(says="a + b")
    path = window.open(name(), ADD, 2, 5)
    window.type("return ")
    window.wait_for_ghost("a + b")
    asked = len(line.ask()["asked"])
    window.type("a +")
    window.wait_for_ghost(" b")
    assert len(line.ask()["asked"]) == asked
    line.ask(says="")  # nothing to go on with
    window.press("Tab")
    window.wait_for_no_ghost()
    assert window.saved(path) == "def add(a, b):\n    return a + b\n"


def test_escape_dismisses_it(window: Window, line: Scripted) -> None:
    line.ask(says="a + b")
    path = window.open(name(), ADD, 2, 5)
    window.type("return ")
    window.wait_for_ghost("a + b")
    window.press("Escape")
    window.wait_for_no_ghost()
    assert window.saved(path) == "def add(a, b):\n    return \n"


@pytest.mark.parametrize(
    ("before", "row", "keys", "says"),
    [
        pytest.param("", 1, "print(", '"hello", end=""', id="auto-closed brackets"),
        pytest.param('d = {"a": 1}\n\n', 2, 'd["', "key", id="auto-closed quotes"),
        pytest.param("def f(a):\n\t\n", 2, "", "b = a + 1\n\treturn b", id="tabs"),
        pytest.param("def f(a):\r\n    \r\n", 2, "", "b = a + 1\n    return b", id="CRLF"),
        pytest.param('s = "👩‍🚀🎉"; \n', 1, "t = ", "s.upper()", id="emoji before the cursor"),
        pytest.param('s = "👩‍🚀🎉"; \n', 1, "print(s, ", "end=s", id="emoji and brackets"),
    ],
)  # fmt: skip
def test_what_is_taken_is_the_servers_edit_exactly(
    window: Window, line: Scripted, before: str, row: int, keys: str, says: str
) -> None:
    line.ask(says=says)
    path = window.open(name(), before, row)
    window.press("End")
    window.type(keys) if keys else window.press("Alt+Backslash")
    wait_for(window.ghost, "ghost text")
    typed = window.saved(path)
    item = wait_for(lambda: current(window, line), "the suggestion for what was typed last")
    window.press("Tab")
    taken = wait_for(lambda: (now := window.saved(path)) != typed and now, "the suggestion is taken")
    assert taken == edited(typed, item)
    assert taken.count("\r\n") == (taken.count("\n") if "\r\n" in before else 0)


def current(window: Window, line: Scripted) -> dict[str, Any] | None:
    """The suggestion that is shown, once the last request is answered."""
    asked = said(line, "textDocument/inlineCompletion", "received")[-1]
    item = offered(line)
    words = item["insertText"].split()
    is_for_it = item["range"]["start"] == asked["params"]["position"] and not offered_nothing(line)
    return item if is_for_it and all(word in window.ghost() for word in words) else None


def test_typing_is_never_held_up_by_a_server_that_takes_two_seconds(
    window: Window, line: Scripted, dumps: Path
) -> None:
    line.ask(says="late", delay=2)
    path = window.open(name(), "\n", 1, 1)
    text = "".join(f"word{i:02d} " for i in range(29))[:200]
    assert len(text) == 200
    window.call("armTyping", text)
    window.call("typeEvery", text, 15)
    typing_ms, late_ms = window.call("typed")
    note(dumps, f"200 keys in {typing_ms:.0f} ms; the whole line stands {late_ms:.0f} ms after the last")
    assert late_ms < 250
    assert window.saved(path) == text + "\n"
    assert any("result" in m for m in said(line, "textDocument/inlineCompletion", "sent"))


def test_ghost_text_stands_soon_after_the_servers_answer(window: Window, line: Scripted, dumps: Path) -> None:
    line.ask(says="a + b", delay=0.5)
    delays = []
    window.open(name(), "\n" * 30, 1, 1)
    for i in range(8):
        window.call("armGhost")
        window.type(f"x{i} = ", 1)
        shown_at = window.call("ghostAt")
        answers = [
            m["at"] for m in said(line, "textDocument/inlineCompletion", "sent") if m.get("result", {}).get("items")
        ]
        delays.append(1000 * (shown_at - max(at for at in answers if at <= shown_at + 0.002)))
        window.press("Escape", "Control+End" if i % 2 else "ArrowDown", "End")
        window.wait_for_no_ghost()
    note(dumps, f"ms from the server's answer to ghost text: {' '.join(f'{delay:.0f}' for delay in delays)}")
    assert min(delays) < 20  # the others say how busy the machine is


def test_the_status_bar_says_what_the_server_says(window: Window, line: Scripted) -> None:
    for status, shown in [
        ({"state": "absent", "message": "no model"}, "no model"),
        ({"state": "loading", "model": "m", "message": "loading", "progress": 0.42}, "loading · m · 42 %"),
        ({"state": "slow", "model": "m"}, "slow"),
        ({"state": "failed", "message": "it broke"}, "failed"),
        (SCRIPTED, "scripted"),
    ]:
        line.ask(status=status)
        window.wait_for_status(shown)


def test_the_menu_pauses_and_resumes(window: Window, line: Scripted, dumps: Path) -> None:
    line.ask(says="a + b")
    window.open(name(), ADD, 2, 5)
    choose(window, "Pause", dumps / "vscode_menu.png")
    window.wait_for_status("paused")
    asked = len(line.ask()["asked"])
    window.type("return ")
    wait_for(lambda: offered_nothing(line), "an empty answer")
    assert window.ghost() == ""
    assert len(line.ask()["asked"]) == asked
    choose(window, "Resume")
    wait_for(lambda: "paused" not in window.status(), "resumed")
    window.press("End")
    window.type("1 + ")
    window.wait_for_ghost("a + b")


def test_the_menu_says_why_nothing_is_shown(window: Window, line: Scripted, dumps: Path) -> None:
    line.ask(says="")
    window.open(name(), ADD, 2, 5)
    window.type("return ")
    wait_for(lambda: offered_nothing(line), "an empty answer")
    choose(window, "Why")
    window.wait(
        "[...document.querySelectorAll('.quick-input-list .monaco-list-row')].some(e => e.ariaLabel.includes('empty'))"
    )
    window.screenshot(dumps / "vscode_why.png")
    window.press("Escape")


def test_a_setting_reaches_the_running_server(window: Window, line: Scripted, code_server: CodeServer) -> None:
    pid = line.pid()
    line.ask(says="a + b")
    off, on = ({"devstral.inline.disabledLanguages": languages} for languages in (["python"], []))
    window.open(name(), ADD, 2, 5)
    settings_taken(line, lambda: code_server.settings(scripted_settings(line) | off))
    window.type("return ")
    wait_for(lambda: offered_nothing(line), "an empty answer")
    settings_taken(line, lambda: code_server.settings(scripted_settings(line) | on))
    window.type("a + ")
    wait_for(window.ghost, "suggestions again")
    assert line.pid() == pid


def settings_taken(line: Scripted, change: Callable[[], None]) -> None:
    """Change settings, and wait until the server has asked for them and got them."""
    before = len(said(line, "workspace/configuration", "received"))
    change()
    wait_for(lambda: len(said(line, "workspace/configuration", "received")) > before, "the server has the settings")


def opened(line: Scripted, part: str) -> bool:
    """True when the server has a document whose URI has ``part`` in it."""
    methods = ("textDocument/didOpen", "notebookDocument/didOpen")
    return any(part in json.dumps(m["params"]) for method in methods for m in said(line, method, "received"))


def test_only_what_the_user_has_set_is_sent(window: Window, line: Scripted) -> None:
    (started,) = said(line, "initialize", "received")
    options = started["params"]["initializationOptions"]
    assert set(options) == {"inline"}
    assert set(options["inline"]) <= {"debounceMs", "prefetch", "disabledLanguages"}
    assert started["params"]["capabilities"]["experimental"]["devstral"] == {"asksInstruction": True}


def test_a_cell_of_a_notebook_gets_ghost_text(window: Window, line: Scripted) -> None:
    line.ask(says="a + b")
    cell = {
        "cell_type": "code",
        "metadata": {},
        "source": ["a, b = 1, 2\n", "c = "],
        "outputs": [],
        "execution_count": None,
    }
    book = {"cells": [cell], "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    window.open_notebook("a.ipynb", json.dumps(book))
    wait_for(lambda: opened(line, "vscode-notebook-cell:"), "the server has the cell")
    window.wait("document.activeElement?.closest('.cell-editor-container')")
    window.press("Control+End")
    window.type("a * ")
    wait_for(window.ghost, "ghost text")
    asked = said(line, "textDocument/inlineCompletion", "received")[-1]
    assert asked["params"]["textDocument"]["uri"].startswith("vscode-notebook-cell:")


def test_a_server_that_was_killed_is_back(window: Window, line: Scripted) -> None:
    pid = line.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: line.pid() not in (None, pid), "another server")
    wait_for(lambda: said(line, "initialize", "sent"), "it is initialized")
    window.wait_for_status("scripted")
    line.ask(says="a + b")
    path = window.open(name(), ADD, 2, 5)
    wait_for(lambda: opened(line, path.name), "it has the document")
    window.type("return ")
    window.wait_for_ghost("a + b")


def test_a_server_that_keeps_dying_is_given_up_and_comes_back_when_asked_for(window: Window, line: Scripted) -> None:
    while "crashed" not in window.status():
        if (pid := line.pid()) is not None:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: not is_alive(pid), "it is gone")  # type: ignore[misc]
        time.sleep(0.1)
    assert window.notifications() == []
    window.run("Devstral: Restart the server")
    window.wait_for_status("scripted")


def test_a_program_that_is_not_there_or_not_ours_is_said_in_the_status_bar_only(
    window: Window, line: Scripted, code_server: CodeServer
) -> None:
    pid = line.pid()
    assert pid is not None
    code_server.settings({"devstral.client.command": ["/nowhere/devstral-ls"]})
    window.wait_for_status("not installed")
    wait_for(lambda: not is_alive(pid), "the old server is gone")
    code_server.settings({"devstral.client.command": ["/bin/false"]})
    window.wait_for_status("crashed")
    assert window.notifications() == []
    code_server.settings(scripted_settings(line))
    window.wait_for_status("scripted")


def test_without_a_model_the_status_says_so(
    window: Window, line: Scripted, code_server: CodeServer, dumps: Path
) -> None:
    code_server.settings({"devstral.client.command": [sys.executable, "-m", "devstral_ls"]})
    window.wait_for_status("no model")
    window.screenshot(dumps / "vscode_no_model.png")
    code_server.settings(scripted_settings(line))
    window.wait_for_status("scripted")


FIRST = "import os\n\n\ndef first(a):\n    b = a\n    return b\n"


def test_an_action_asks_what_it_needs_and_is_one_step_to_undo(window: Window, line: Scripted, dumps: Path) -> None:
    line.ask(says="def first(a):\n    return a\n```")
    path = window.open(name(), FIRST, 5, 5)
    window.type("a + ")  # what was typed before is another step
    n_done = len(said(line, "workspace/executeCommand", "sent"))
    pick(window, "Control+Shift+r", "Rewrite")
    window.wait("document.activeElement?.closest('.quick-input-widget')")
    window.screenshot(dumps / "vscode_instruction.png")
    window.type("shorter")
    window.press("Enter")
    wait_for(lambda: len(said(line, "workspace/executeCommand", "sent")) > n_done, "the action is over")
    window.wait("!document.querySelector('.view-lines').textContent.includes('b')")  # SHORTER
    window.screenshot(dumps / "vscode_rewritten.png")
    assert "shorter" in line.ask()["asked"][-1]
    window.press("Control+z")
    undone = FIRST.replace("b = ", "a + b = ")
    window.wait("document.querySelector('.view-lines').textContent.includes('b')")
    wait_for(lambda: window.saved(path) == undone, lambda: f"undone, not {window.saved(path)!r}")


def test_a_review_is_shown_and_cleared(window: Window, line: Scripted, dumps: Path) -> None:
    line.ask(says="def first(a):\n    b = a\n    return b + 1\n```")
    window.open(name(), FIRST, 4, 5)
    window.run("Source Action...")  # the light bulb has those only that change code where it stands
    pick(window, "", "Review")
    squiggle = "document.querySelector('.squiggly-warning')"
    window.wait(squiggle)
    window.screenshot(dumps / "vscode_review.png")
    wait_for(lambda: any("1 finding" in said for said in window.notifications()), "it is said")
    window.run("Devstral: Clear the review's findings")
    window.wait(f"!{squiggle}")
    window.run("Notifications: Clear All Notifications")


def test_an_action_of_the_palette_is_done_and_is_one_step_to_undo(window: Window, line: Scripted) -> None:
    line.ask(says="def first(a):\n    return a\n```")
    path = window.open(name(), FIRST, 5, 5)
    window.run("Devstral: Simplify")
    window.wait("!document.querySelector('.view-lines').textContent.includes('b')")  # it is simpler
    window.press("Control+z")
    window.wait("document.querySelector('.view-lines').textContent.includes('b')")
    wait_for(lambda: window.saved(path) == FIRST, lambda: f"undone, not {window.saved(path)!r}")


def test_the_context_menu_of_the_editor_has_the_actions(window: Window, dumps: Path) -> None:
    window.open(name(), FIRST, 5, 5)
    window.call("click", ".view-line:has-text('return')", {"button": "right"})
    window.call("hover", ".monaco-menu .action-item:has-text('Devstral')")
    window.call("waitForSelector", ".monaco-menu .action-item:has-text('Write tests')")
    window.screenshot(dumps / "vscode_context_menu.png")
    window.press("Escape", "Escape")


def test_the_status_says_that_a_preview_waits_for_the_user(window: Window, line: Scripted, dumps: Path) -> None:
    line.ask(says="first(self):\n        self.assertEqual(first(1), 1)\n```")
    window.open(name(), FIRST, 5, 5)
    window.run("Devstral: Write tests")
    status = "[...document.querySelectorAll('.statusbar-item')].some(e => e.textContent.includes('{}'))"
    window.wait(status.format("waiting for you"))
    window.screenshot(dumps / "vscode_preview.png")
    window.call("click", ".monaco-button:has-text('Discard')")
    window.wait("!" + status.format("waiting for you"))
    window.run("Notifications: Clear All Notifications")


def test_tab_at_the_start_of_a_line_indents_before_it_takes(window: Window, line: Scripted) -> None:
    line.ask(says="    return a + b")
    path = window.open(name(), "def add(a, b):\n\n", 2, 1)
    window.press("Alt+Backslash")
    window.wait_for_ghost("    return a + b")
    window.press("Tab")
    window.wait_for_ghost("return a + b")
    assert window.saved(path) == "def add(a, b):\n    \n"
    line.ask(says="")
    window.press("Tab")
    window.wait_for_no_ghost()
    assert window.saved(path) == "def add(a, b):\n    return a + b\n"


def test_a_language_is_switched_off_and_on_in_the_menu(window: Window, line: Scripted, dumps: Path) -> None:
    line.ask(says="a + b")
    window.open(name(), ADD, 2, 5)
    settings_taken(line, lambda: choose(window, "No suggestions in python", dumps / "vscode_menu_language.png"))
    window.type("return ")
    wait_for(lambda: offered_nothing(line), "an empty answer")
    settings_taken(line, lambda: choose(window, "Suggest in python again"))
    window.press("End")
    window.type("a + ")
    wait_for(window.ghost, "suggestions again")


def test_suggestions_are_snoozed_and_can_be_resumed_before(window: Window, line: Scripted, dumps: Path) -> None:
    line.ask(says="a + b")
    window.open(name(), ADD, 2, 5)
    choose(window, "Snooze")
    minutes = "document.querySelector('.quick-input-list .monaco-list-row')?.ariaLabel?.includes('5 minutes')"
    window.wait(minutes)
    window.screenshot(dumps / "vscode_snooze.png")
    window.press("Enter")
    window.wait_for_status("paused")
    window.type("return ")
    wait_for(lambda: offered_nothing(line), "an empty answer")
    choose(window, "Resume")
    wait_for(lambda: "paused" not in window.status(), "resumed")
    window.press("End")
    window.type("1 + ")
    window.wait_for_ghost("a + b")


MODELS = """
import json, os, sys
if sys.argv[1:] == ["model", "list", "--json"]:
    print(json.dumps({"installed": [{"name": "mine", "size": 5e9, "source": "a file"}], "catalog": [
        "plain",
        {"name": "big", "size": 14.3e9, "fits": False},
        {"name": "small", "size": 5e8, "fits": True, "recommended": True, "description": "for any machine"},
        {"name": "tiny", "hidden": True},
    ]}))
else:
    os.execv(sys.executable, [sys.executable, "-m", "tests.editors.scripted", CONTROL])
"""
"""A server whose list of models is known."""


def test_the_model_picker_shows_sizes_and_what_fits_the_recommended_first(
    window: Window, line: Scripted, code_server: CodeServer, tmp_path: Path, dumps: Path
) -> None:
    program = tmp_path / "server.py"
    program.write_text(MODELS.replace("CONTROL", repr(str(line.path))))
    pid = line.pid()
    settings = scripted_settings(line)
    code_server.settings(settings | {"devstral.client.command": [sys.executable, str(program)]})
    wait_for(lambda: line.pid() not in (None, pid), "another server")
    window.wait_for_status("scripted")
    window.run("Devstral: Choose a model")
    rows = "JSON.stringify([...document.querySelectorAll('.quick-input-list .monaco-list-row')].map(e => e.ariaLabel))"
    wait_for(lambda: "small" in str(window.call("evaluate", rows)), "the models")
    found = json.loads(window.call("evaluate", rows))
    window.screenshot(dumps / "vscode_models.png")
    names = [next((n for n in ("mine", "small", "plain", "big", "tiny") if n in row), None) for row in found]
    assert [n for n in names if n] == ["mine", "small", "plain", "big"]
    said = "\n".join(found)
    assert "recommended · 0.50 GB · fits here" in said
    assert "14.3 GB · does not fit here" in said
    window.press("Escape")
    pid = line.pid()
    code_server.settings(settings)
    wait_for(lambda: line.pid() not in (None, pid), "the usual server again")
    window.wait_for_status("scripted")


def pick(window: Window, key: str, entry: str) -> None:
    """Choose an action from the menu that ``key`` opens, or that is open already."""
    row = ".action-widget .monaco-list-row"
    if key:
        window.press(key)
    window.wait(f"[...document.querySelectorAll('{row}')].some(e => e.textContent.includes('Devstral: {entry}'))")
    window.call("click", f"{row}:has-text('Devstral: {entry}')")


def test_the_real_server_and_a_real_model(
    window: Window, line: Scripted, code_server: CodeServer, starter: Path, dumps: Path
) -> None:
    environment = [f"DEVSTRAL_LS_MODEL={starter}", "DEVSTRAL_LS_DATA_DIR=" + str(code_server.folder / "models")]
    server = ["/usr/bin/env", *environment, sys.executable, "-m", "devstral_ls"]
    code_server.settings({"devstral.client.command": server, "devstral.model.calibrate": "never"})
    wait_for(lambda: READY.search(window.status()), lambda: f"a model; {window.status()}", 240)
    window.open(name(), "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    \n", 6, 5)
    window.press("End")
    window.type("return ")

    try:
        wait_for(window.ghost, "ghost text of the model")
    except AssertionError:
        window.press("Alt+Backslash")  # a model that is slow here answers who asks by key
        wait_for(window.ghost, "ghost text of the model, asked for by key", 120)
    assert "b" in window.ghost()
    window.screenshot(dumps / "vscode_real.png")
    engine = [sys.executable, "-m", "devstral_ls", "engine", "stop"]
    subprocess.run(engine, env=os.environ | code_server.own_folders, check=True, timeout=60, capture_output=True)
    code_server.settings(scripted_settings(line))
    window.wait_for_status("scripted")


def test_nothing_is_left_of_a_server_that_is_stopped_or_whose_window_is_closed(
    window: Window, line: Scripted, code_server: CodeServer
) -> None:
    pid = line.pid()
    assert pid is not None
    window.run("Devstral: Stop the server")
    wait_for(lambda: not is_alive(pid), "the server is gone", 10)
    window.run("Devstral: Restart the server")
    again = wait_for(line.pid, "a new server")
    assert servers_of(line) == [again]
    window.call("goto", "about:blank")
    wait_for(lambda: servers_of(line) == [], "the server of the closed window is gone")


def test_the_packed_server_is_installed_and_its_step_is_done_only_then(
    rig: Rig, package: Path, tmp_path: Path, dumps: Path
) -> None:
    """On a machine without the server: a failed installation, then one that works, into the extension's own folder."""
    server = CodeServer(rig("code_server"), tmp_path / "s", package)
    window = Window(rig("code_server").parent, server)
    is_done = "document.querySelector('.getting-started-step.expanded .codicon-getting-started-step-checked') !== null"
    try:
        server.settings({"devstral.client.package": "/nowhere/devstral_ls.whl"})
        window.load()
        window.wait_for_status("not installed", START_S)
        install = ".getting-started-step .monaco-button:has-text('Install it')"
        window.call("click", install)
        asked = window.confirm("Install", dumps / "vscode_install.png")
        assert "fetched by pip, from PyPI" in asked
        failed = "the server was not installed: devstral_ls.whl is not a valid wheel filename"
        wait_for(lambda: any(failed in message for message in window.notifications()), "the reason is said", START_S)
        assert window.call("evaluate", is_done) is False
        window.screenshot(dumps / "vscode_install_failed.png")
        window.run("Notifications: Clear All Notifications")
        server.settings({})
        window.call("click", install)
        window.confirm("Install")
        window.wait_for_status("no model", START_S)
        (program,) = server.folder.glob("data/User/globalStorage/*/venv/bin/devstral-ls")
        assert list(program.parents[1].glob("lib/*/site-packages/devstral_ls/__main__.py"))
        window.wait(is_done)
        window.screenshot(dumps / "vscode_installed.png")
    finally:
        window.close()
        server.close()


def servers_of(line: Scripted) -> list[int]:
    """The processes that run for this test."""
    commands = Path("/proc").glob("[0-9]*/cmdline")
    found = [int(path.parent.name) for path in commands if str(line.path).encode() in read(path).split(b"\0")]
    return [pid for pid in found if is_alive(pid)]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def note(dumps: Path, text: str) -> None:
    with (dumps / "vscode_times.txt").open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def offered_nothing(line: Scripted) -> bool:
    """Was the last request answered, with nothing to show?"""
    asked = said(line, "textDocument/inlineCompletion", "received")
    answers = [m for m in said(line, "textDocument/inlineCompletion", "sent") if "result" in m]
    return bool(answers) and not answers[-1]["result"]["items"] and answers[-1]["at"] > asked[-1]["at"]


def choose(window: Window, entry: str, picture: Path | None = None) -> None:
    """Click the status bar item and choose from its menu."""
    window.call("click", ".statusbar-item:has-text('Devstral')")
    window.wait("document.querySelector('.quick-input-list .monaco-list-row')?.checkVisibility()")
    if picture is not None:
        window.screenshot(picture)
    window.type(entry, 1)
    window.wait(
        f"document.querySelector('.quick-input-list .monaco-list-row')?.ariaLabel?.includes({json.dumps(entry)})"
    )
    window.press("Enter")
