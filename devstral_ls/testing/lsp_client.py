"""A small raw JSON-RPC client, independent of the server's types."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from devstral_ls.server.rpc.framing import Frames, framed

T = TypeVar("T")

TIMEOUT_S = 20.0
START_S = 90.0
"""Seconds for a process to start and answer: many may start at the same time."""
ROOT = Path(__file__).parents[2]
NEVER = object()
"""As the answer to a request of the server: none."""


class Refused(Exception):
    """An error reply."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.error = error
        self.code: int = error["code"]
        self.message: str = error["message"]


async def soon(work: Awaitable[T]) -> T:
    """Wait for ``work``, at most ``TIMEOUT_S``."""
    return await asyncio.wait_for(work, TIMEOUT_S)


async def until(true: Callable[[], bool]) -> None:
    """Let the loop run until ``true()`` is True."""

    async def look() -> None:
        while not true():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)

    await soon(look())


class LspClient:
    """One session. ``write`` takes bytes for the server; bytes of the server go into ``take``."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write
        self.process: asyncio.subprocess.Process | None = None
        self.reading: asyncio.Task[None] | None = None
        self.timeout_s = TIMEOUT_S
        """Time limit of ``request``, in seconds."""
        self.answers: dict[str, Any] = {"workspace/configuration": [None]}
        """Answers to requests of the server, by method: a value, a function of the parameters, NEVER, or a Refused; null by
        default."""
        self.received: list[dict[str, Any]] = []
        """All received messages, in order."""
        self.versions = itertools.count(2)
        self._frames = Frames()
        self._ids = itertools.count(1)
        self._waiting: dict[Any, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._looked_at: dict[str, int] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- out ---

    def send(self, message: Any) -> None:
        self.write(framed(json.dumps(message).encode()))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})})

    def ask(self, method: str, params: Any = None, *, id: Any = None) -> asyncio.Future[Any]:  # noqa: A002
        """Send a request; the future has its result, or raises ``Refused``. Its id is ``future.id``."""
        msg_id = next(self._ids) if id is None else id
        self.send({"jsonrpc": "2.0", "id": msg_id, "method": method, **({} if params is None else {"params": params})})
        return self.expect(msg_id)

    def expect(self, msg_id: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda f: f.cancelled() or f.exception())
        self._waiting[msg_id] = future
        self.last_id = msg_id
        return future

    @property
    def n_unanswered(self) -> int:
        """The number of our requests without an answer."""
        return len(self._waiting)

    async def request(self, method: str, params: Any = None) -> Any:
        return await asyncio.wait_for(self.ask(method, params), self.timeout_s)

    async def refusal(self, method: str, params: Any = None) -> Refused:
        """The error that answers a request; an assertion error when it has a result."""
        try:
            result = await self.request(method, params)
        except Refused as refused:
            return refused
        raise AssertionError(f"{method} was answered: {result}")

    # --- in ---

    def take(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            message = json.loads(body)
            self.received.append(message)
            if "method" in message and "id" in message:
                self._answer(message)
            elif "method" not in message and (future := self._waiting.pop(message.get("id"), None)) is not None:
                if future.done():  # the request was given up
                    continue
                if "error" in message:
                    future.set_exception(Refused(message["error"]))
                else:
                    future.set_result(message["result"])
        task = asyncio.ensure_future(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _answer(self, message: dict[str, Any]) -> None:
        answer = self.answers.get(message["method"])
        if callable(answer):
            answer = answer(message.get("params"))
        if isinstance(answer, Refused):
            self.send({"jsonrpc": "2.0", "id": message["id"], "error": answer.error})
        elif answer is not NEVER:
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": answer})

    def all(self, method: str) -> list[Any]:
        """The parameters of all received messages of that method."""
        return [message.get("params") for message in self.received if message.get("method") == method]

    async def next(self, method: str, wanted: Callable[[Any], bool] = lambda params: True) -> Any:
        """The parameters of the next message of that method after those returned before."""

        async def look() -> Any:
            async with self._news:
                while True:
                    for params in self.all(method)[self._looked_at.get(method, 0) :]:
                        self._looked_at[method] = self._looked_at.get(method, 0) + 1
                        if wanted(params):
                            return params
                    await self._news.wait()

        return await soon(look())

    async def status(self, state: str) -> Any:
        return await self.next("devstral/status", lambda params: params["state"] == state)

    # --- LSP ---

    async def initialize(
        self,
        capabilities: dict[str, Any] | None = None,
        options: Any = None,
        process_id: int | None = None,
        folder: Path | None = None,
    ) -> Any:
        params: dict[str, Any] = {"processId": process_id, "rootUri": None, "capabilities": capabilities or {}}
        if folder is not None:
            params["workspaceFolders"] = [{"uri": folder.as_uri(), "name": folder.name}]
        if options is not None:
            params["initializationOptions"] = options
        result = await asyncio.wait_for(self.ask("initialize", params), START_S)
        self.notify("initialized", {})
        return result

    def open(self, text: str, uri: str = "file:///w/a.py", language: str = "python") -> str:
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def change(self, uri: str, *changes: dict[str, Any]) -> None:
        document = {"uri": uri, "version": next(self.versions)}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})

    def ask_inline(self, uri: str, line: int, character: int, kind: int = 2, **options: Any) -> asyncio.Future[Any]:
        params = {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": kind},
        }
        return self.ask("textDocument/inlineCompletion", params, **options)

    async def inline(self, uri: str, line: int, character: int, kind: int = 2) -> list[Any]:
        items: list[Any] = (await soon(self.ask_inline(uri, line, character, kind)))["items"]
        return items

    async def script(self, **settings: Any) -> dict[str, Any]:
        state: dict[str, Any] = await self.request("test/script", settings)
        return state

    async def leave(self) -> int:
        """Send `shutdown` and `exit`; returns the exit code."""
        await self.request("shutdown")
        self.notify("exit")
        return await self.exit_code()

    async def exit_code(self) -> int:
        assert self.process is not None
        return await soon(self.process.wait())

    def close_stdin(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()


def edit(start: tuple[int, int], end: tuple[int, int], text: str) -> dict[str, Any]:
    """A content change."""
    ends = [{"line": line, "character": character} for line, character in (start, end)]
    return {"range": {"start": ends[0], "end": ends[1]}, "text": text}


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """An environment whose folders are all below ``folder``."""
    own = {
        "DEVSTRAL_LS_CONFIG": str(folder / "settings.toml"),
        "DEVSTRAL_LS_DATA_DIR": str(folder / "data"),
        "DEVSTRAL_LS_RUNTIME_DIR": str(folder / "run"),
        "DEVSTRAL_LS_OFFLINE": "1",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEVSTRAL_LS")}
    return inherited | own | variables


async def start(
    folder: Path,
    *arguments: str,
    module: str = "devstral_ls.testing.scripted_server",
    under: Sequence[str] = (),
    cwd: Path = ROOT,
    **variables: str,
) -> LspClient:
    """Start a server process on stdio; its stderr goes to the file ``stderr`` in ``folder``.

    Args:
        folder: for settings, data and runtime files.
        arguments: of the module.
        module: run with ``python -m``.
        under: a command that runs the rest of the command line.
        cwd: the working folder.
        variables: of the environment.
    """
    command: Sequence[str] = (*under, sys.executable, "-m", module, *arguments)
    with (folder / "stderr").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, env=environment(folder, **variables),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
    assert process.stdin is not None
    client = LspClient(process.stdin.write)
    client.process = process

    async def read() -> None:
        assert process.stdout is not None
        while data := await process.stdout.read(65536):
            client.take(data)

    client.reading = asyncio.create_task(read())
    return client


async def stop(client: LspClient) -> None:
    """Kill the process if it still runs, and wait for its end."""
    process = client.process
    if process is not None:
        if process.returncode is None:
            process.kill()
        await soon(process.wait())
        assert process.stdin is not None
        assert client.reading is not None
        process.stdin.close()
        await soon(client.reading)
