"""A VS Code window: code-server, a headless browser that shows it, and what a test does there with keys."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from devstral_ls.testing.lsp_client import ROOT

EXTENSION = ROOT / "editors" / "vscode"
TIMEOUT_S = 30.0
START_S = 120.0
"""For code-server, its page and the extension to start, on a busy machine."""

_SETTINGS: dict[str, Any] = {
    "security.workspace.trust.enabled": False,
    "workbench.startupEditor": "none",
    "workbench.enableExperiments": False,
    "workbench.tips.enabled": False,
    "workbench.reduceMotion": "on",
    "workbench.layoutControl.enabled": False,
    "telemetry.telemetryLevel": "off",
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "update.mode": "none",
    "chat.disableAIFeatures": True,
    "chat.commandCenter.enabled": False,
    "window.commandCenter": False,
    "window.menuBarVisibility": "compact",
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.wordBasedSuggestions": "off",
    "editor.parameterHints.enabled": False,
    "editor.accessibilitySupport": "off",
    "editor.minimap.enabled": False,
    "editor.fontSize": 15,
    "files.autoSave": "off",
    "git.enabled": False,
    "explorer.autoReveal": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
}


_QUICK_INPUT = "document.querySelector('.quick-input-widget input')?.checkVisibility()"


def build_package(folder: Path) -> Path:
    """The packed extension, made from the sources as they are."""
    package = folder / "devstral-ls.vsix"
    if not (EXTENSION / "node_modules").exists():
        _run("npm", "ci", "--no-audit", "--no-fund", cwd=EXTENSION)
    _run("npm", "run", "package", "--", "-o", str(package), cwd=EXTENSION)
    return package


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def wait_for(true: Callable[[], Any], what: str | Callable[[], str], timeout_s: float = TIMEOUT_S) -> Any:
    """What ``true`` gives as soon as it gives something. Files and processes have no event to wait for."""
    end = time.monotonic() + timeout_s
    while not (found := true()):
        if time.monotonic() > end:
            raise AssertionError(f"in {timeout_s} s not: {what if isinstance(what, str) else what()}")
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    """Does that process run? A zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class CodeServer:
    """One code-server with folders of its own below ``folder``, and the extension installed."""

    def __init__(self, program: Path, folder: Path, package: Path) -> None:
        self.program, self.folder = program, folder
        self.workspace = folder / "work"
        self.workspace.mkdir(parents=True)
        self._data = folder / "data"
        self._log = (folder / "code-server.log").open("wb")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.own_folders = {
            "DEVSTRAL_LS_DATA_DIR": str(folder / "models"),
            "DEVSTRAL_LS_RUNTIME_DIR": str(folder / "run"),
            "DEVSTRAL_LS_CONFIG": str(folder / "settings.toml"),
            "DEVSTRAL_LS_OFFLINE": "1",
        }
        unwanted = ("VSCODE_", "ELECTRON_", "PORT", "npm_", "DEVSTRAL_LS_")
        self._environ = (
            {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
            | {
                "HOME": str(folder),
                **{f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "CACHE")},
                "EXTENSIONS_GALLERY": json.dumps({"serviceUrl": "http://127.0.0.1:9"}),
                "PYTHONPATH": os.pathsep.join((str(ROOT), sysconfig.get_path("purelib"))),
                # What the server needs is found by PYTHONPATH: an installation fetches nothing in tests.
                "PIP_NO_INDEX": "1",
                "PIP_NO_DEPS": "1",
            }
            | self.own_folders
        )
        self.settings({})
        self.command("--install-extension", str(package))
        self._process = subprocess.Popen(
            [program, *self._folders, "--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}",
             "--disable-workspace-trust", "--disable-getting-started-override", self.workspace],
            env=self._environ, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        wait_for(self._is_up, "code-server answers", START_S)

    @property
    def _folders(self) -> list[str]:
        own = ["--user-data-dir", str(self._data), "--extensions-dir", str(self.folder / "extensions")]
        return [*own, "--disable-telemetry", "--disable-update-check"]

    def _is_up(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def command(self, *arguments: str) -> None:
        """Run the command line, such as for installing an extension."""
        subprocess.run(
            [self.program, *self._folders, *arguments],
            env=self._environ, stdout=self._log, stderr=self._log, timeout=START_S, check=True,
        )  # fmt: skip

    def settings(self, settings: dict[str, Any]) -> None:
        """Write the user's settings."""
        for scope in ("User", "Machine"):  # a remote VS Code looks for machine settings in a file of their own
            path = self._data / scope / "settings.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(_SETTINGS | settings), encoding="utf-8")

    def processes(self) -> list[int]:
        """All processes that code-server has started, and their children."""
        group = self._process.pid
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == group:  # the session, field 6 of proc(5)
                found.append(int(stat.parent.name))
        return found

    def close(self) -> None:
        """End it and everything it has started."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self._log.close()


class Window:
    """A browser that shows a workspace."""

    def __init__(self, rig: Path, server: CodeServer) -> None:
        self._server = server
        self._driver = subprocess.Popen(
            [rig / "node", Path(__file__).with_name("driver.mjs"), rig / "pw", (rig / "chromium").resolve()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def call(self, call: str, *args: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """Call a method of Playwright's page, or one of the driver's own."""
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps({"call": call, "args": args}) + "\n")
        self._driver.stdin.flush()
        # The browser's own time limits, of which this is the last resort, tell more.
        ready, _, _ = select.select([self._driver.stdout], [], [], timeout_s + 10)
        assert ready, f"the browser does not answer: {call}"
        answer = json.loads(self._driver.stdout.readline())
        assert "error" not in answer, f"{call}{args}: {answer['error']}"
        return answer["value"]

    def load(self) -> None:
        """Show the workspace, from scratch."""
        address = f"http://127.0.0.1:{self._server.port}/?folder={quote(str(self._server.workspace))}"
        self.call("goto", address, {"waitUntil": "commit", "timeout": 0}, timeout_s=START_S)
        self.wait("document.querySelector('.statusbar-item')", START_S)

    def wait(self, javascript: str, timeout_s: float = 30) -> None:
        """Until that expression is true in the page."""
        self.call("waitForFunction", javascript, timeout_s * 1000, timeout_s=timeout_s + 10)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.call("keyboard.press", key)

    def type(self, text: str, delay_ms: float = 30) -> None:
        self.call("keyboard.type", text, {"delay": delay_ms})

    def screenshot(self, path: Path) -> None:
        self.call("screenshot", {"path": str(path), "animations": "disabled"})

    # --- the workbench ---

    def open(self, name: str, text: str, line: int = 1, column: int = 1) -> Path:
        """Write a file and open it with the cursor there, both from 1, in UTF-16 units."""
        path = self._server.workspace / name
        path.write_bytes(text.encode())
        row = f'.explorer-folders-view .monaco-list-row[aria-label^="{name}"]'
        self.call("dblclick", row)  # quick open needs a search program that code-server does not bring
        self.wait(
            f"document.querySelector('.tab.active')?.textContent.includes({json.dumps(name)})"
            " && document.activeElement?.closest('.monaco-editor')"
        )
        self.press("Control+g")
        self.wait(_QUICK_INPUT)
        self.type(f"{line}:{column}", 1)
        self.press("Enter")
        here = f"Ln {line}, Col"
        self.wait(f"[...document.querySelectorAll('.statusbar-item')].some(e => e.textContent.includes('{here}'))")
        self.wait("document.activeElement?.closest('.monaco-editor')")
        return path

    def open_notebook(self, name: str, content: str) -> None:
        """Write a notebook, open it and edit its first cell."""
        (self._server.workspace / name).write_text(content, encoding="utf-8")
        self.call("dblclick", f'.explorer-folders-view .monaco-list-row[aria-label^="{name}"]')
        self.call("click", ".notebook-editor .cell-editor-container .view-lines")

    def run(self, command: str) -> None:
        """Run a command by its title."""
        self.press("F1")
        self.wait(_QUICK_INPUT)
        self.type(command, 1)
        first = "document.querySelector('.quick-input-list .monaco-list-row')"
        self.wait(f"{first}?.ariaLabel?.includes({json.dumps(command)})")
        self.press("Enter")

    def ghost(self) -> str:
        """The ghost text as it is drawn; the empty string where there is none."""
        drawn = (
            "[...document.querySelectorAll('.ghost-text-decoration, .ghost-text')]"
            ".filter(e => !e.parentElement.closest('.ghost-text')).map(e => e.textContent).join('')"
        )
        return str(self.call("evaluate", drawn)).replace("\u00a0", " ")

    def wait_for_ghost(self, text: str) -> None:
        wait_for(lambda: self.ghost() == text, lambda: f"ghost text {text!r}, but {self.ghost()!r}")

    def wait_for_no_ghost(self) -> None:
        self.wait("!document.querySelector('.ghost-text-decoration, .ghost-text')")

    def status(self) -> str:
        """The status bar item's text."""
        found = self.call(
            "evaluate",
            "[...document.querySelectorAll('.statusbar-item')].map(e => e.textContent)"
            ".find(t => t.includes('Devstral')) ?? ''",
        )
        return str(found).replace("\u00a0", " ").strip()

    def wait_for_status(self, text: str, timeout_s: float = TIMEOUT_S) -> None:
        said = lambda: f"status {text!r}; it says {self.status()!r}"  # noqa: E731
        wait_for(lambda: text in self.status(), said, timeout_s)

    def saved(self, path: Path) -> str:
        """The document of the active editor as it is saved to ``path``."""
        for again_s in (2, 5, TIMEOUT_S):  # where something was written while it was saved
            self.press("Control+s")
            with contextlib.suppress(AssertionError):
                self.wait("!document.querySelector('.tab.active.dirty')", again_s)
                return path.read_bytes().decode()
        raise AssertionError(f"{path.name} cannot be saved")

    def confirm(self, button: str, picture: Path | None = None) -> str:
        """Press a button of the dialog that is open; what it said."""
        dialog = "document.querySelector('.monaco-dialog-box')"
        self.wait(dialog)
        said = str(self.call("evaluate", f"{dialog}.textContent"))
        if picture is not None:
            self.screenshot(picture)
        self.call("click", f".monaco-dialog-box .monaco-button:has-text('{button}')")
        self.wait(f"!{dialog}")
        return said

    def notifications(self) -> list[str]:
        """The messages that have popped up."""
        return list(
            json.loads(
                self.call(
                    "evaluate",
                    "JSON.stringify([...document.querySelectorAll('.notification-toast')].map(e => e.textContent))",
                )
            )
        )

    def close(self) -> None:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.close()
        try:
            self._driver.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._driver.pid, signal.SIGKILL)
            self._driver.wait()
        self._driver.stdout.close()


class Scripted:
    """The test's line to ``tests.editors.scripted``, whichever process serves at the moment."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "control"

    def command(self, python: str) -> list[str]:
        return [python, "-m", "tests.editors.scripted", str(self.path)]

    def ask(self, **wanted: Any) -> dict[str, Any]:
        """Set what is given; how things are. Raises ``OSError`` where no server runs."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(str(self.path))
            line.sendall(json.dumps(wanted).encode() + b"\n")
            with line.makefile("rb") as answers:
                found: dict[str, Any] = json.loads(answers.readline() or b"{}")
                return found

    def pid(self) -> int | None:
        """The server's process; ``None`` while none answers."""
        try:
            return int(self.ask()["pid"])
        except (OSError, KeyError):
            return None
