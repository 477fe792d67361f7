"""A real Emacs with our mode, driven as a user would: in a terminal, keys in, the screen out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MODE = ROOT / "editors/emacs/devstral-ls.el"
TIMEOUT_S = 20.0
COLUMNS, ROWS = 80, 24

PLAIN = (sys.executable, "-m", "devstral_ls.testing.scripted_server")
SCRIPTED = (*PLAIN, "--real-pipeline")

INIT = """;; -*- lexical-binding: t -*-
(setq make-backup-files nil create-lockfiles nil auto-save-default nil inhibit-startup-screen t
      vc-handled-backends nil server-name {name} server-socket-dir {folder} tab-always-indent t
      devstral-ls-command '{command} devstral-ls-settings '(:inline (:debounceMs 0 :prefetch :json-false)))
(setq-default indent-tabs-mode nil)
(setenv "PYTHONPATH" {root})
{before}
(require 'server)
(server-start)
(load {mode} nil t)
(defun test-ghost ()
  "What is drawn after point, or nil."
  (when-let* ((ghost devstral-ls--shown) (overlay (devstral-ls--ghost-overlay ghost)))
    (substring-no-properties (or (overlay-get overlay 'after-string) (overlay-get overlay 'display) ""))))
(global-devstral-ls-mode)
"""


def until(true: Callable[[], Any], what: str, seconds: float = TIMEOUT_S) -> Any:
    """Ask until ``true`` says something true; a screen has no event for looking right."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.02)
    pytest.fail(f"never happened: {what}; last: {true()!r}")


def lisp(value: Any) -> str:
    """``value`` as a Lisp literal, for strings, numbers and lists of them."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "(" + " ".join(map(lisp, value)) + ")" if isinstance(value, tuple | list) else str(value)


class Emacs:
    """One running Emacs in a terminal of tmux.

    Args:
        program: the rig's ``run``.
        folder: its home, and where its files lie.
        command: the server.
        before: Lisp for the init file, before the mode is loaded.
    """

    def __init__(
        self, program: Path, folder: Path, *, command: tuple[str, ...] = SCRIPTED, before: str = "", **environ: str
    ) -> None:
        self.folder = folder
        folder.chmod(0o700)  # else Emacs would not listen there
        self._bin = program.parent / "root/usr/bin"
        init = folder / "init.el"
        init.write_text(
            INIT.format(
                name=lisp("emacs"), folder=lisp(str(folder)), command=lisp(command), before=before,
                root=lisp(str(ROOT)), mode=lisp(str(MODE)),
            ),
            encoding="utf-8",
        )  # fmt: skip
        own = {
            "HOME": str(folder), "TERM": "screen-256color", "LANG": "C.UTF-8",
            "DEVSTRAL_LS_DATA_DIR": str(folder / "data"), "DEVSTRAL_LS_RUNTIME_DIR": str(folder / "rt"),
            "DEVSTRAL_LS_CONFIG": str(folder / "settings.toml"), "DEVSTRAL_LS_MODEL": "", **environ,
        }  # fmt: skip
        self._environ = {**os.environ, **own}
        self._tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), f"{program} -Q -nw -l {init}")
        until(lambda: self._client("t") == "t", "Emacs is up")
        self.pid = int(self.eval("(emacs-pid)"))

    def _tmux(self, *arguments: str) -> str:
        command = [str(self._bin / "tmux"), "-S", str(self.folder / "tmux"), "-f", "/dev/null", *arguments]
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout

    def _client(self, expression: str) -> str:
        command = [str(self._bin / "emacsclient.emacs"), "-s", str(self.folder / "emacs"), "--eval", expression]
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(command, env=self._environ, capture_output=True, text=True, timeout=30, check=False)
            return (done.stdout + done.stderr).strip()
        return "no answer"

    def eval(self, expression: str) -> Any:
        """The value of ``expression`` in the buffer that the user sees: a string, a number, or None for nil."""
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        inside = f"(json-encode (with-current-buffer (window-buffer (selected-window)) {expression}))"
        # Through a file: emacsclient cuts long answers up.
        said = self._client(
            f"(let ((json-null nil)) (require 'json)"
            f" (let* ((said {inside}) (coding-system-for-write 'utf-8))"
            f" (write-region said nil {lisp(str(answer))} nil 'quiet)))"
        )
        assert answer.exists(), f"{expression}: {said}"
        return json.loads(answer.read_text(encoding="utf-8"))

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux's names (``Tab``, ``C-g``, ``M-f``)."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type ``text``."""
        self._tmux("send-keys", "-l", "--", text)

    def open(self, text: str, name: str = "a.py") -> None:
        """Visit a file that holds ``text``, with the cursor at ``▮``."""
        path = self.folder / name
        before, _, _ = text.partition("▮")
        path.write_bytes(text.replace("▮", "").encode())
        place = len(before.replace("\r\n", "\n")) + 1
        self.eval(f"(progn (find-file {lisp(str(path))}) (goto-char {place}) nil)")
        self.connected()

    def connected(self) -> None:
        """Wait for a server that has answered ``initialize``."""
        until(lambda: self.eval("(and (devstral-ls--server) t)"), "the server answers")

    def script(self, **does: Any) -> Any:
        """Tell the scripted server's engine what to do; what it has seen."""
        pairs = " ".join(f":{name} {':json-false' if value is False else 't' if value is True else lisp(value)}"
                         for name, value in does.items())  # fmt: skip
        return self.eval(f"(jsonrpc-request (devstral-ls--server) :test/script (list {pairs}))")

    def ghost(self) -> str | None:
        """The ghost text on the screen."""
        return self.eval("(test-ghost)")

    def shows(self, text: str | None) -> None:
        """Wait until just this ghost text is there."""
        until(lambda: self.ghost() == text, f"ghost text {text!r}, not {self.ghost()!r}; screen:\n{self.screen()}")

    def text(self) -> str:
        """The buffer."""
        return self.eval("(buffer-substring-no-properties (point-min) (point-max))")

    def screen(self) -> str:
        """What the terminal shows."""
        return self._tmux("capture-pane", "-p")

    def resize(self, n_columns: int, n_rows: int) -> None:
        """Make the terminal that large."""
        self._tmux("resize-window", "-x", str(n_columns), "-y", str(n_rows))

    def server_pid(self) -> int | None:
        """The process of the server, where there is one."""
        return self.eval("(and devstral-ls--own (process-id (jsonrpc--process devstral-ls--own)))")

    def close(self) -> None:
        """Leave, without asking about unsaved files."""
        with contextlib.suppress(Exception):
            self._client("(let ((kill-emacs-query-functions nil)) (set-buffer-modified-p nil) (kill-emacs))")
        until(lambda: not alive(self.pid), "Emacs ends") if alive(self.pid) else None
        self._tmux("kill-server")


def alive(pid: int | None) -> bool:
    """Is there a process with this number that is not a zombie?"""
    if pid is None:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def kill(pid: int) -> None:
    """End a process without a word."""
    os.kill(pid, signal.SIGKILL)
