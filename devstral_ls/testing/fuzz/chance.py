"""Random sessions from a seeded generator: the steps of ``sessions``, some thousand times faster than by hypothesis.

The same seed gives the same session, in every process and on every machine.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from devstral_ls.testing.fuzz.sessions import (
    BODIES,
    COMMANDS,
    JUNK,
    LANGUAGES,
    METHODS,
    NOTIFICATIONS,
    PIECES,
    URIS,
    place,
    range_of,
)

Step = list[Any]

NUMBERS: tuple[Any, ...] = (
    0, 1, 2, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63, -(2**63), 10**300, 1.5, -0.0, 1e308, float("inf"), float("nan"),
)  # fmt: skip
STRINGS = ("", "x", "file:///w/a.py", "\0", "😀", "\udc00", "é" * 300, "file://[", "devstral", "\u2028", "../..", "%00")
INSTEAD: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"": None}, *NUMBERS, *STRINGS)
"""Values that replace others."""

_SYNC = ("textDocument/didOpen", "textDocument/didChange", "textDocument/didClose")
_ACTIONS = ("fix", "rewrite", "simplify", "extract", "document", "types", "tests", "review", "explain", "x")

WEIGHTS = {
    "change": 40, "inline": 14, "completion": 4, "actions": 4, "execute": 4, "cancel": 6, "ask": 3, "notify": 3,
    "mutated": 12, "configure": 2, "open": 3, "replace": 2, "close": 1, "garbage": 1, "junk": 1, "split": 4, "header": 3,
    "deep": 0.5, "again": 1, "cut": 0.5, "action": 0.5,
}  # fmt: skip
"""Relative frequency of each step."""


class Chance:
    """All random choices of one session."""

    def __init__(self, seed: object) -> None:
        self.random = random.Random(repr(seed))

    def steps(self, count: int) -> Iterator[Step]:
        """So many steps; the first ones open every document."""
        for number in range(len(URIS)):
            yield ["open", number, self.text(12)]
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        for name in self.random.choices(names, weights, k=count):
            yield getattr(self, f"_{name}")()

    def text(self, most: int = 4) -> str:
        """Some pieces; rarely many of them."""
        n_pieces = 300 if self.random.random() < 0.002 else self.random.randint(0, most)
        return "".join(self.random.choices(PIECES, k=n_pieces))

    def value(self, depth: int = 3) -> Any:
        """Any JSON."""
        kind = self.random.randrange(8 if depth else 6)
        if kind == 6:
            return [self.value(depth - 1) for _ in range(self.random.randint(0, 3))]
        if kind == 7:
            return {self.random.choice(STRINGS): self.value(depth - 1) for _ in range(self.random.randint(0, 3))}
        # A copy, since values are damaged later: else the damage would be in every later session.
        return copy.deepcopy(self.random.choice(INSTEAD))

    def _number(self) -> int:
        return self.random.randrange(len(URIS))

    def _position(self) -> tuple[int, int]:
        if self.random.random() < 0.02:
            return self.random.choice((2**31 - 1, 10**6)), self.random.choice((0, 2**31 - 1))
        return self.random.randint(0, 8), self.random.randint(0, 20)

    # --- what editors send ---

    def _open(self) -> Step:
        return ["open", self._number(), self.text(12)]

    def _change(self) -> Step:
        n_edits = 1 if self.random.random() < 0.8 else self.random.randint(0, 4)
        return ["change", self._number(), [self._edit() for _ in range(n_edits)]]

    def _edit(self) -> list[Any]:
        one = self._position()
        if self.random.random() < 0.6:  # typing
            return [one, one, self.random.choice(PIECES)]
        return [one, self._position(), self.text()]

    def _replace(self) -> Step:
        return ["replace", self._number(), self.text(12)]

    def _close(self) -> Step:
        return ["close", self._number()]

    def _inline(self) -> Step:
        return ["inline", self._number(), self._position(), self.random.choice((0, 1, 2, 2, 2))]

    def _completion(self) -> Step:
        return ["completion", self._number(), self._position()]

    def _actions(self) -> Step:
        return ["actions", self._number(), *sorted((self._position(), self._position()))]

    def _action(self) -> Step:
        """A code action, half of them with damaged arguments."""
        argument = {
            "action": self.random.choice(_ACTIONS),
            "uri": self.random.choice(URIS),
            "range": range_of(self._position(), self._position()),
            "instruction": self.random.choice(("", "shorter", "\0", None)),
        }
        if self.random.random() < 0.5:
            self.damage(argument)
        return ["execute", "devstral.runAction", [argument]]

    def _execute(self) -> Step:
        commands = [command for command in COMMANDS if command != "devstral.restartEngine"]
        command = "devstral.restartEngine" if self.random.random() < 0.01 else self.random.choice(commands)
        if command == "devstral.why" and self.random.random() < 0.7:
            return ["execute", command, [self.random.choice(URIS)]]
        return ["execute", command, [self.value() for _ in range(self.random.randint(0, 2))]]

    def _cancel(self) -> Step:
        return ["cancel", -self.random.randint(1, 12)]

    def _ask(self) -> Step:
        return ["ask", self.random.choice(METHODS), self.value()]

    def _notify(self) -> Step:
        return ["notify", self.random.choice(NOTIFICATIONS), self.value()]

    def _configure(self) -> Step:
        if self.random.random() < 0.5:
            return ["configure", {"inline": {"enable": True, "debounceMs": 0}, "completion": {"enable": True}}]
        return ["configure", {self.random.choice(("inline", "completion", "actions", "x")): self.value()}]

    # --- what no editor should send ---

    def _garbage(self) -> Step:
        if self.random.random() < 0.5:
            return ["garbage", self.random.choice(BODIES)]
        return ["garbage", self.random.randbytes(self.random.randint(0, 30)).decode("latin-1")]

    def _junk(self) -> Step:
        return ["junk", self.random.choice(JUNK)]

    def _cut(self) -> Step:
        return ["cut", '{"jsonrpc": "2.0", "method": "no/such", "params": {}']

    def _split(self) -> Step:
        return ["split", [self.random.randint(1, 60) for _ in range(self.random.randint(1, 4))]]

    def _header(self) -> Step:
        return ["header", self.random.randrange(8)]

    def _deep(self) -> Step:
        return ["deep", self.random.choice((10, 90, 200, 300, 500, 900, 950, 990, 1010, 5_000, 100_000))]

    def _again(self) -> Step:
        return ["again"]

    def _mutated(self) -> Step:
        number = self._number()
        method, params = self._valid(number)
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if not (method in _SYNC or method.startswith(("$", "workspace/did"))):
            message["id"] = 0
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self.damage(message if self.random.random() < 0.1 else message.get("params", message))
        if self.random.random() < 0.9:
            message["method"] = method
        return ["raw", message, method in _SYNC]

    def _valid(self, number: int) -> tuple[str, dict[str, Any]]:
        """A message that an editor sends."""
        uri = URIS[number]
        document, position = {"uri": uri}, place(self._position())
        edit = {"range": range_of(self._position(), self._position()), "text": self.text()}
        item = {"uri": uri, "languageId": LANGUAGES[uri], "version": 1, "text": self.text()}
        where = {"range": edit["range"], "message": "x", "severity": 1, "code": "E1", "source": "y"}
        messages: tuple[tuple[str, dict[str, Any]], ...] = (
            ("textDocument/didOpen", {"textDocument": item}),
            ("textDocument/didChange", {"textDocument": {"uri": uri, "version": 9}, "contentChanges": [edit]}),
            ("textDocument/didChange", {"textDocument": {"uri": uri, "version": 9}, "contentChanges": [{"text": "x"}]}),
            ("textDocument/didClose", {"textDocument": document}),
            ("textDocument/inlineCompletion", {"textDocument": document, "position": position, "context": {"triggerKind": 1}}),
            ("textDocument/completion", {"textDocument": document, "position": position, "context": {"triggerKind": 1}}),
            ("textDocument/codeAction", {"textDocument": document, "range": edit["range"], "context": {"diagnostics": [where]}}),
            ("codeAction/resolve", {"title": "x", "kind": "quickfix", "data": {"action": "fix", "uri": uri, "range": edit["range"]}}),
            ("workspace/executeCommand", {"command": "devstral.why", "arguments": [document]}),
            ("$/cancelRequest", {"id": 5}),
            ("workspace/didChangeConfiguration", {"settings": {"devstral": {"inline": {"maxTokens": 9}}}}),
            ("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri, "type": 2}]}),
            ("workspace/didChangeWorkspaceFolders", {"event": {"added": [{"uri": "file:///nowhere", "name": "x"}], "removed": []}}),
        )  # fmt: skip
        method, params = self.random.choice(messages)
        return method, copy.deepcopy(params)

    def damage(self, tree: Any) -> None:
        """Change, remove or add one member, anywhere in ``tree``."""
        places = list(_places(tree))
        if not places:
            return
        owner, key = self.random.choice(places)
        kind = self.random.randrange(5)
        if kind == 0:
            del owner[key]
        elif kind == 1 and isinstance(owner, dict):
            owner[self.random.choice(STRINGS)] = self.value()
        elif kind == 2 and isinstance(owner[key], int) and not isinstance(owner[key], bool):
            owner[key] = self.random.choice(NUMBERS)
        else:
            owner[key] = self.value()


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every member: its owner and its key."""
    waiting = [tree]
    while waiting:
        owner = waiting.pop()
        pairs = owner.items() if isinstance(owner, dict) else enumerate(owner) if isinstance(owner, list) else ()
        for key, value in pairs:
            yield owner, key
            waiting.append(value)
