"""An editor that plays the steps of a session: its messages, the answers due, and its documents."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from devstral_ls.server.rpc.framing import framed
from devstral_ls.testing.fuzz.sessions import LANGUAGES, URIS, changed, place, range_of

Position = tuple[int, int]

HEADERS = (
    b"Content-Length: %d\r\n\r\n",
    b"content-length:%d\r\n\r\n",
    b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
    b"Content-Length: %d\r\nContent-Type: x\r\n\r\n",
    b"CONTENT-LENGTH: \t %d\r\n\r\n",
)
"""Ways to write the same header."""


class Editor:
    """Turns steps into bytes. ``write`` takes the pieces of one message; ``expect`` gets each id that will be answered."""

    def __init__(
        self,
        write: Callable[..., object],
        encoding: str,
        expect: Callable[[Any], object] = lambda msg_id: None,
    ) -> None:
        self.write, self.encoding, self.expect = write, encoding, expect
        self.texts: dict[str, str] = {}
        self.ids: list[Any] = []
        self.owed: Counter[Any] = Counter()
        """Answers due, by id."""
        self.methods: dict[Any, str] = {}
        """The method of each id with an answer due."""
        self.nulls = 0
        """Errors without an id that are due."""
        self.unsure: set[Any] = set()
        """Ids that may get an error without an id: their message may be nested too deeply to be read."""
        self.n_messages = 0
        self._version = 1
        self._cuts: list[int] = []
        self._header = HEADERS[0]

    def step(self, name: str, *values: Any) -> None:
        """Play one step."""
        getattr(self, name)(*values)

    # --- messages ---

    def send(self, body: bytes) -> None:
        """Send one message, in the pieces set by ``split``."""
        self.n_messages += 1
        data = self._header % len(body) + body
        cuts, self._cuts, self._header = self._cuts, [], HEADERS[0]
        pieces = []
        for cut in cuts:
            pieces.append(data[:cut])
            data = data[cut:]
        self.write(*pieces, data)

    def say(self, message: Any) -> None:
        self.send(json.dumps(message).encode())

    def notify(self, method: str, params: Any) -> None:
        self.say({"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})})

    def ask(self, method: str, params: Any) -> Any:
        """Send a request; returns its id."""
        msg_id = self._new_id(method)
        self.say({"jsonrpc": "2.0", "id": msg_id, "method": method, **({} if params is None else {"params": params})})
        return msg_id

    def _new_id(self, method: str) -> Any:
        number = len(self.ids) + 1
        msg_id = f"s{number}" if number % 7 == 0 else 10_000 + number
        self._owe(msg_id, method)
        self.ids.append(msg_id)
        return msg_id

    def _owe(self, msg_id: Any, method: str) -> None:
        self.owed[msg_id] += 1
        self.methods[msg_id] = method
        self.expect(msg_id)

    # --- documents ---

    def open(self, number: int, text: str) -> None:
        uri = URIS[number]
        if uri in self.texts:
            self.close(number)
        self.texts[uri] = text
        document = {"uri": uri, "languageId": LANGUAGES[uri], "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def close(self, number: int) -> None:
        if self.texts.pop(URIS[number], None) is not None:
            self.notify("textDocument/didClose", {"textDocument": {"uri": URIS[number]}})

    def change(self, number: int, edits: list[Any]) -> None:
        uri = URIS[number]
        if uri not in self.texts:
            return
        sent = []
        for one, other, text in edits:
            start, end = sorted((tuple(one), tuple(other)))
            self.texts[uri] = changed(self.texts[uri], start, end, text, self.encoding)
            sent.append({"range": range_of(start, end), "text": text})
        self._changed(uri, sent)

    def replace(self, number: int, text: str) -> None:
        if URIS[number] in self.texts:
            self.texts[URIS[number]] = text
            self._changed(URIS[number], [{"text": text}])

    def _changed(self, uri: str, changes: list[Any]) -> None:
        self._version += 1
        document = {"uri": uri, "version": self._version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    # --- requests ---

    def inline(self, number: int, position: Position, kind: int = 2) -> Any:
        context = {"triggerKind": kind}
        return self.ask("textDocument/inlineCompletion", {**_at(number, position), "context": context})

    def completion(self, number: int, position: Position) -> None:
        self.ask("textDocument/completion", _at(number, position))

    def actions(self, number: int, start: Position, end: Position) -> None:
        params = {"textDocument": {"uri": URIS[number]}, "range": range_of(start, end), "context": {"diagnostics": []}}
        self.ask("textDocument/codeAction", params)

    def execute(self, command: str, arguments: list[Any]) -> None:
        self.ask("workspace/executeCommand", {"command": command, "arguments": arguments})

    def cancel(self, number: int) -> None:
        self.notify("$/cancelRequest", {"id": self.ids[number % len(self.ids)] if self.ids else number})

    def configure(self, tree: Any) -> None:
        self.notify("workspace/didChangeConfiguration", {"settings": {"devstral": tree}})

    # --- what no editor should send ---

    def garbage(self, body: str) -> None:
        """A body, as Latin-1, that is no message."""
        data = body.encode("latin-1")
        if _is_object(data):
            return
        self.nulls += 1
        self.send(data)

    def cut(self, body: str) -> None:
        """A message whose header counts too few bytes."""
        self.nulls += 1
        self.n_messages += 1
        self.write(framed(body.encode() + b"}")[:-1].replace(b"%d" % (len(body) + 1), b"%d" % (len(body) - 1), 1))

    def junk(self, text: str) -> None:
        """Bytes between two messages."""
        self.n_messages += 1
        self.write(text.encode("latin-1"))

    def split(self, cuts: list[int]) -> None:
        """The next message comes in pieces of these lengths, and the rest."""
        self._cuts = list(cuts)

    def header(self, number: int) -> None:
        """The next message has that header."""
        self._header = HEADERS[number % len(HEADERS)]

    def deep(self, depth: int) -> None:
        """A request nested so deeply that the server may refuse to parse it."""
        msg_id = self._new_id("deep")
        self.unsure.add(msg_id)
        nested = f'{{"jsonrpc":"2.0","id":{json.dumps(msg_id)},"method":"textDocument/completion","params":'
        self.send(f"{nested}{'[' * depth}{']' * depth}}}".encode())

    def again(self) -> None:
        """Repeat the last request with the same id, which is answered or in use."""
        if self.ids and self.ids[-1] not in self.unsure:
            msg_id = self.ids[-1]
            self._owe(msg_id, "again")
            self.say({"jsonrpc": "2.0", "id": msg_id, "method": "textDocument/completion", "params": _at(0, (0, 0))})

    def raw(self, message: dict[str, Any], resync: bool) -> None:
        """A mutated message; when it may have changed a document, all are opened again."""
        if "id" in message:
            message = {**message, "id": self._new_id(str(message.get("method")))}
        self.say(message)
        for uri in URIS if resync else ():
            self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        for uri in list(self.texts) if resync else ():
            self.open(URIS.index(uri), self.texts.pop(uri))


def _at(number: int, position: Position) -> dict[str, Any]:
    return {"textDocument": {"uri": URIS[number]}, "position": place(position)}


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False
