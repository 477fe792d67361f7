"""Does any document's text ever reach another's suggestion? Many documents, few slots, everything interleaved.

    python -m benchmarks.canary --requests 5000

Each document has a secret of its own: a letter that no other one contains. The model is ``devstral_ls/testing/telltale_gguf.py``,
whose answer is the most frequent letter of all that is in its KV cache: with one cell too much from another document,
it says that document's letter as soon as there are more of them than of its own. Besides, each document begins with its
secret, so that nothing can be cached of its prompt but what it sent itself: the engine's own count of cached tokens
must never be above that. Requests run at the same time through several clients, in few slots; a third is left at a
random point and asked again, others are actions and background work that pause for inline requests and go on, documents
grow, shrink and are edited in the middle.

It can fail: ``--leak N`` makes every N-th request carry another document's text in front, which is what foreign cells
in the cache mean to the model. All but the few that are left before their first letter must be found, and are (in
``tests/engine/test_canary.py`` too).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstral_ls.engine import rendezvous
from devstral_ls.engine.connection import Connection, connect
from devstral_ls.engine.engine_report import engine_report
from devstral_ls.engine.spec import EngineOptions, spec_of
from devstral_ls.generation import GenerationRequest, Priority, Text
from devstral_ls.platform.paths import Directories
from devstral_ls.testing.telltale_gguf import LETTERS, write_telltale

N_DOCUMENTS = 50
N_CLIENTS = 3
N_SLOTS = 4
N_EDITORS = 10
"""More than slots: they take each other's."""
PRIORITIES = (Priority.INLINE,) * 8 + (Priority.ACTION, Priority.BACKGROUND)
CONTEXT_TOKENS = 512
MAX_CHARS = 300
FILLER = "0123456789 .,:;()[]{}+-*/=<>_!?&%$#@^~|"
KEPT = 20
"""Of what each document sent: the newest may be in a cache, older ones were overwritten."""


@dataclass
class Document:
    """A text in an editor, with what the engine may remember of it."""

    secret: str
    text: str
    dice: random.Random
    sent: list[str] = field(default_factory=list)
    """Prompts with their answers."""

    def edit(self) -> None:
        """As people do: mostly at the end, sometimes in the middle, now and then much is deleted."""
        chosen = self.dice.random()
        typed = "".join(self.dice.choices(FILLER, k=self.dice.randint(1, 12)))
        if chosen < 0.7 and len(self.text) < MAX_CHARS:
            self.text += typed
        elif chosen < 0.85 and len(self.text) < MAX_CHARS:
            at = self.dice.randint(1, len(self.text))
            self.text = self.text[:at] + typed + self.text[at:]
        else:
            self.text = self.text[: self.dice.randint(len(self.text) // 4, len(self.text)) + 1]

    def cacheable(self, prompt: str) -> int:
        """How many characters of ``prompt`` the document itself sent before, at most."""
        return max((_common(prompt, before) for before in self.sent), default=0)


@dataclass
class Findings:
    """What was done, and what was wrong with it."""

    asked: int = 0
    left: int = 0
    resumed: int = 0
    letters: int = 0
    cached: int = 0
    leaks_made: int = 0
    problems: list[str] = field(default_factory=list)


async def watch(folder: Path, n_requests: int, *, leak: int = 0, seed: int = 1) -> Findings:
    """Run it in ``folder``; ``leak`` is every how many requests one is spoilt, 0 for none."""
    home = Directories(folder / "data", folder / "run", folder / "settings.toml")
    model = write_telltale(folder / "telltale.gguf")
    spec = spec_of(model, "telltale", EngineOptions(slots=N_SLOTS, context_tokens=CONTEXT_TOKENS), home)
    clients: list[Connection] = []
    found = Findings()
    try:
        for _ in range(N_CLIENTS):
            clients.append(await connect(spec, home))
        documents = [
            Document(letter, letter + "=", random.Random(f"{seed}{letter}")) for letter in LETTERS[:N_DOCUMENTS]
        ]
        turns = iter(range(n_requests))
        works = [_edit(documents[n::N_EDITORS], clients[n % N_CLIENTS], turns, leak, found) for n in range(N_EDITORS)]
        await asyncio.gather(*works)
        found.resumed = ((await engine_report(clients[0].state, home)).runs or 0) - found.asked
    finally:
        for client in clients:
            await client.aclose()
        await asyncio.to_thread(rendezvous.stop, home)
    return found


async def _edit(
    documents: Sequence[Document], engine: Connection, turns: Sequence[int] | object, leak: int, found: Findings
) -> None:
    """Somebody who works on ``documents``, staying with one for a while."""
    dice = random.Random(documents[0].secret)
    document = documents[0]
    for turn in turns:  # type: ignore[attr-defined]
        if dice.random() < 0.3:
            document = dice.choice(documents)
        document.edit()
        front = ""
        if leak and turn % leak == 0:
            front = next(letter for letter in LETTERS if letter != document.secret) * (document.text.count("=") + 40)
            found.leaks_made += 1
        await _ask(document, engine, dice, found, front)


async def _ask(document: Document, engine: Connection, dice: random.Random, found: Findings, front: str) -> None:
    prompt = front + document.text
    priority = dice.choice(PRIORITIES)
    leave_after = dice.randint(0, 6) if dice.random() < 0.33 else None
    request = GenerationRequest(
        (Text(prompt),),
        max_tokens=dice.randint(1, 12 if priority is Priority.INLINE else 40),
        conversation=document.secret,
        priority=priority,
    )
    answer = ""
    cached = 0
    found.asked += 1
    async with engine.client.generate(request) as chunks:
        while leave_after != len(answer) and (chunk := await anext(chunks, None)) is not None:
            answer += chunk.text
            cached = max(cached, chunk.usage.cached_tokens if chunk.usage else 0)
    found.left += leave_after == len(answer)
    found.letters += len(answer)
    found.cached += cached
    strange = set(answer) - {document.secret}
    if strange:
        found.problems.append(f"request {found.asked}: {document.secret} was answered with {sorted(strange)}")
    if cached > document.cacheable(prompt):
        found.problems.append(
            f"request {found.asked}: {cached} tokens cached, the document itself sent {document.cacheable(prompt)}"
        )
    document.sent = [*document.sent[-KEPT:], prompt + document.secret * request.max_tokens]
    if dice.random() < 0.3 and not front:
        document.text += answer


def _common(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--leak", type=int, default=0, help="spoil every N-th request: the findings must not be empty")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(watch(Path(folder), options.requests, leak=options.leak, seed=options.seed))
    print("\n".join(found.problems[:20]))
    print(
        f"{found.asked} requests of {N_DOCUMENTS} documents in {N_SLOTS} slots, {found.left} left early, "
        f"{found.resumed} times one paused and went on, "
        f"{found.letters} letters answered, {found.cached} prompt tokens reused, {found.leaks_made} leaks made: "
        f"{len(found.problems)} problems in {time.monotonic() - begun:.0f} s"
    )
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
