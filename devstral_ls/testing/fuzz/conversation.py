"""One session with a real server process over its pipes, with all checks, from the first byte to the exit code.

Synchronous and in one thread: a million messages are sent in the time that an event loop would need for a tenth.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstral_ls.server.rpc.framing import Frames
from devstral_ls.testing import process_usage
from devstral_ls.testing.fuzz.editor import Editor
from devstral_ls.testing.lsp_client import ROOT, environment

MOST_SECONDS = 2.0
"""Time limit of any answer."""

MOST_START_SECONDS = 60.0
"""Time limit of the start: Python and the imports, on a busy machine."""

MOST_MEMORY_KIB = 250 * 1024

MOST_GROWTH_KIB = 30 * 1024
"""Growth of the memory after the first quarter of a session; Python returns little."""

MOST_TASKS, MOST_FUTURES = 24, 24
"""When everything is answered: those of the server itself, and of its requests that we never answer."""

BATCH = 50
"""Steps between two checks of everything."""

CAPABILITIES = {
    "workspace": {"configuration": True, "applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "window": {"workDoneProgress": True, "showMessage": {}, "showDocument": {"support": True}},
    "textDocument": {"codeAction": {"resolveSupport": {"properties": ["edit"]}, "dataSupport": True}},
}

_ERROR = {"code": -32603, "message": "no"}
ANSWERS: dict[str, list[dict[str, Any]]] = {
    "workspace/applyEdit": [
        {"result": {"applied": False}}, {"result": None}, {"error": _ERROR}, {"result": {"applied": "no"}}, {"result": 5},
        {"result": {"applied": False, "failureReason": 7}}, {"error": 1}, {},
    ],
    "workspace/configuration": [
        {"result": [None]}, {"result": None}, {"result": []}, {"result": [{}]}, {"result": "x"}, {"result": [1, 2]},
        {"result": [{"inline": {"enable": True, "debounceMs": 0}}]}, {"result": [{"inline": 7}]}, {"error": _ERROR},
        {"error": None, "result": [[]]},
    ],
}  # fmt: skip
"""Answers to the server's own requests, by method, used in turn."""
_OTHERWISE: list[dict[str, Any]] = [{"result": None}, {"error": _ERROR}, {"result": {}}, {"result": [[]]}]

ENDS = ("leave", "exit", "close", "cut")
"""The ends of a session: by the protocol; without `shutdown`; end of the stream; end within a message."""
_EXIT_CODES = {"leave": 0, "exit": 1, "close": 0, "cut": 0}


class Broken(Exception):
    """The server broke a promise, named by the first word."""


@dataclass(frozen=True)
class Session:
    """The steps to play."""

    encoding: str
    steps: list[list[Any]]
    end: str = "leave"
    real_pipeline: bool = False


@dataclass
class Played:
    """The figures of a session."""

    messages: int = 0
    requests: int = 0
    checks: int = 0
    """Comparisons of all documents with the reference."""
    slowest_ms: float = 0.0
    slowest: str = ""
    memory_kib: int = 0
    """Peak."""
    growth_kib: int = 0
    """Of the memory, after the first quarter."""
    methods: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Of the last request of each document, at each check: how far into the pipeline requests come."""


class Conversation:
    """A server process, and the answers it owes."""

    def __init__(self, session: Session, folder: Path) -> None:
        arguments = ["--real-pipeline"] if session.real_pipeline else []
        # Warnings of bad messages are most of the log; one session of four has them.
        level = "error" if len(session.steps) % 4 else "warning"
        (folder / "settings.toml").write_text(f'[log]\nlevel = "{level}"\n[inline]\ndebounceMs = 0\n', encoding="utf-8")
        self._stderr = folder / "stderr"
        with self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "devstral_ls.testing.fuzz.server", *arguments],
                cwd=ROOT, env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0,
            )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.editor = Editor(self._write, session.encoding, self._expect)
        self.played = Played()
        self._sent: dict[Any, list[tuple[float, float]]] = {}
        self._results: dict[Any, Any] = {}
        self._frames = Frames()
        self._n_nulls = self._n_unsure = 0
        self._asked: Counter[str] = Counter()

    def end(self) -> None:
        """Kill the process if it still runs."""
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.kill()
        self.process.wait()

    # --- out ---

    def _write(self, *pieces: bytes) -> None:
        for piece in pieces:
            left = memoryview(piece)
            while left:
                try:
                    left = left[os.write(self._in, left) :]
                except BrokenPipeError:
                    raise Broken(f"crash: exit code {self.process.wait(5)}{self._traceback()}") from None

    def _expect(self, msg_id: Any) -> None:
        self.played.requests += 1
        self._sent.setdefault(msg_id, []).append((time.monotonic(), _waited(self.process.pid)))

    # --- in ---

    def read(self, seconds: float = 0.0) -> None:
        """Read what has arrived, or arrives in that time."""
        while select.select([self._out], [], [], seconds)[0]:
            data = os.read(self._out, 1 << 16)
            if not data:
                raise Broken(f"crash: exit code {self.process.wait(5)}{self._traceback()}")
            for body in self._frames.feed(data):
                self._take(json.loads(body))
            seconds = 0.0

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message:
            if "id" in message:
                self._answer(message)
        elif message["id"] is None:
            self._n_nulls += 1
        elif not self.editor.owed[message["id"]]:
            raise Broken(f"answered too often: {message['id']!r} ({self.editor.methods.get(message['id'])})")
        else:
            self._answered(message)

    def _answered(self, message: dict[str, Any]) -> None:
        msg_id = message["id"]
        self.editor.owed[msg_id] -= 1
        if msg_id in self.editor.unsure:
            self._n_unsure += 1
        began, waited = self._sent[msg_id].pop(0)
        # Time in which the machine did not run the server does not count.
        took = 1000 * (time.monotonic() - began - (_waited(self.process.pid) - waited))
        method = self.editor.methods[msg_id]
        if took > self.played.slowest_ms:
            self.played.slowest_ms, self.played.slowest = took, method
        self.played.methods[method] += 1
        if took > 1000 * MOST_SECONDS:
            raise Broken(f"slow: {method} took {took:.0f} ms")
        error = message.get("error")
        if error is not None and error["code"] == -32603:
            raise Broken(f"bug: {method}: {error['message']}{self._traceback()}")
        self._results[msg_id] = message.get("result")

    def _answer(self, message: dict[str, Any]) -> None:
        method = message["method"]
        choices = ANSWERS.get(method, _OTHERWISE)
        said = choices[self._asked[method] % len(choices)]
        self._asked[method] += 1
        self.editor.say({"jsonrpc": "2.0", "id": message["id"], **said})

    def begin(self, encoding: str) -> None:
        """Shake hands."""
        capabilities = {**CAPABILITIES, "general": {"positionEncodings": [encoding]}}
        msg_id = self.editor.ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        if not select.select([self._out], [], [], MOST_START_SECONDS)[0]:
            raise Broken("hang: no answer to initialize")
        self._sent[msg_id] = [(time.monotonic(), _waited(self.process.pid))]  # imports are no answer's time
        self.wait()
        if self._results[msg_id]["capabilities"]["positionEncoding"] != encoding:
            raise Broken("encoding: another than the client's")
        self.editor.notify("initialized", {})

    def wait(self) -> None:
        """Wait until every request is answered."""
        until = time.monotonic() + MOST_SECONDS
        waited = _waited(self.process.pid)
        while not self._is_settled():
            left = until + (_waited(self.process.pid) - waited) - time.monotonic()
            if left <= 0:
                owed = [(key, self.editor.methods[key]) for key, count in self.editor.owed.items() if count]
                raise Broken(f"unanswered: {owed[:5]}, {self._n_nulls} errors without an id of {self.editor.nulls}")
            self.read(left)
        for msg_id in self.editor.unsure:
            self.editor.owed.pop(msg_id, None)
        self.editor.nulls += len(self.editor.unsure) - self._n_unsure
        self.editor.unsure.clear()
        self._n_unsure = 0
        self.editor.owed = +self.editor.owed
        self._sent = {msg_id: sent for msg_id, sent in self._sent.items() if sent and self.editor.owed[msg_id]}

    def _is_settled(self) -> bool:
        owed = any(count for msg_id, count in self.editor.owed.items() if msg_id not in self.editor.unsure)
        unknown = len(self.editor.unsure) - self._n_unsure
        if self._n_nulls > self.editor.nulls + unknown:
            raise Broken("answered too often: errors without an id")
        return not owed and self._n_nulls == self.editor.nulls + unknown

    # --- checks ---

    def check(self) -> None:
        """Check that everything is answered, every document is right, and no task or future is left."""
        state = self._state()
        until = time.monotonic() + MOST_SECONDS
        while _too_much(state) and time.monotonic() < until:
            # Cancelled work may run for a moment; a leak stays.
            self.read(0.1)
            state = self._state()
        self.played.checks += 1
        self.played.reasons.update(state["reasons"])
        held = {uri: text for uri, text in state["texts"].items() if uri in self.editor.texts}
        if held != self.editor.texts:
            wrong = [uri for uri, text in self.editor.texts.items() if held.get(uri) != text]
            raise Broken(f"document: {wrong}: {[(held.get(uri), self.editor.texts[uri]) for uri in wrong]!a:.600}")
        if state["wrongLines"]:
            raise Broken(f"lines: of {state['wrongLines']}")
        if _too_much(state):
            raise Broken(f"left over: {state['tasks']} tasks, {state['futures']} futures")

    def _state(self) -> dict[str, Any]:
        msg_id = self.editor.ask("test/state", {"hold": False})
        self.wait()
        state: dict[str, Any] = self._results[msg_id]
        self._results.clear()
        return state

    def look_at_memory(self) -> int:
        """Resident KiB now."""
        most = process_usage.peak(self.process.pid) // 1024
        self.played.memory_kib = max(self.played.memory_kib, most)
        if most > MOST_MEMORY_KIB:
            raise Broken(f"memory: {most} KiB")
        return process_usage.rss(self.process.pid) // 1024

    def look_at_errors(self) -> None:
        """Check that the log has no bug."""
        if traceback := self._traceback():
            raise Broken(f"bug: {traceback}")

    def _traceback(self) -> str:
        said = self._stderr.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in said.splitlines() if "Traceback" in line or " failed: " in line or "Error" in line]
        return f" {lines[0]}\n{said[said.index(lines[0]) :][:1500]}" if lines else ""

    def leave(self, how: str) -> None:
        """End the session; check the exit code."""
        assert self.process.stdin is not None
        if how == "leave":
            self.editor.ask("shutdown", None)
            self.wait()
        if how in ("leave", "exit"):
            self.editor.notify("exit", None)
        elif how == "cut":
            self._write(b'Content-Length: 100\r\n\r\n{"jsonrpc"')
        self.process.stdin.close()
        code = self._exit_code(how)
        if code != _EXIT_CODES[how]:
            raise Broken(f"exit: {code} after {how!r}{self._traceback()}")
        self.look_at_errors()

    def _exit_code(self, how: str) -> int:
        began, waited = time.monotonic(), _waited(self.process.pid)
        while (code := self.process.poll()) is None:
            starved = max(0.0, _waited(self.process.pid) - waited)
            # A timer of its own ends it after 2 s, in a thread whose wait for a CPU is not counted here.
            if time.monotonic() - began - starved > 10 * MOST_SECONDS:
                raise Broken(f"hang: the process does not end after {how!r}")
            time.sleep(0.02)
        return code


def play(session: Session, folder: Path) -> Played:
    """Play a session to its end.

    Raises:
        Broken: the server did not keep a promise.
    """
    conversation = Conversation(session, folder)
    try:
        return converse(session, conversation)
    finally:
        conversation.end()


def converse(session: Session, conversation: Conversation) -> Played:
    """``play`` with a conversation that is not begun; it has the figures also when a promise is broken."""
    editor, played = conversation.editor, conversation.played
    conversation.begin(session.encoding)
    early = 0
    for begin in range(0, len(session.steps), BATCH):
        # Every third batch, the engine holds its answers until the end: requests pile up, and are cancelled.
        if begin // BATCH % 3 == 2:
            editor.ask("test/state", {"hold": True})
        for number, step in enumerate(session.steps[begin : begin + BATCH]):
            editor.step(*step)
            if number % 10 == 9:
                conversation.read()
        conversation.check()
        memory = conversation.look_at_memory()
        if begin <= len(session.steps) // 4:
            early = memory
        played.growth_kib = max(0, memory - early)
        if played.growth_kib > MOST_GROWTH_KIB:
            raise Broken(f"growth: {played.growth_kib} KiB")
    conversation.look_at_errors()
    conversation.leave(session.end)
    played.messages = editor.n_messages
    return played


def _waited(pid: int) -> float:
    """Seconds that the main thread of a process was ready to run and the machine ran others."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _too_much(state: dict[str, Any]) -> bool:
    return bool(state["tasks"] > MOST_TASKS or state["futures"] > MOST_FUTURES)
