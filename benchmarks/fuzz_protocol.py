"""Fuzz the server over real stdio: ``python -m benchmarks.fuzz_protocol --messages 1000000 --seed 7``.

Sessions of random and mutated messages (``devstral_ls/testing/fuzz/chance.py``), each with a server process of its own and
the null engine. Checked: every request is answered once, within 2 s; every document equals the reference model's,
compared every 50 steps; no traceback in the log; under 250 MB; the right exit code. Time in which the machine ran other
processes is not counted. A broken session is shrunk and stored in ``tests/fuzz/found/``, which the test suite replays.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from devstral_ls.testing.fuzz.chance import Chance
from devstral_ls.testing.fuzz.conversation import ENDS, Broken, Conversation, Played, Session, converse
from devstral_ls.testing.fuzz.found_sessions import keep
from devstral_ls.testing.fuzz.sessions import ENCODINGS

N_STEPS = (300, 8_000)
"""Least and most steps of a session: short ones test beginnings and ends, long ones growth."""

MOST_FOUND = 20
"""Broken sessions after which a run stops."""


@dataclass
class Total:
    """The sums of all sessions."""

    sessions: int = 0
    messages: int = 0
    requests: int = 0
    checks: int = 0
    slowest_ms: float = 0.0
    slowest: str = ""
    memory_kib: int = 0
    growth_kib: int = 0
    found: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    methods: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, played: Played) -> None:
        """Add one session."""
        self.messages += played.messages
        self.requests += played.requests
        self.checks += played.checks
        if played.slowest_ms > self.slowest_ms:
            self.slowest_ms, self.slowest = played.slowest_ms, played.slowest
        self.memory_kib = max(self.memory_kib, played.memory_kib)
        self.growth_kib = max(self.growth_kib, played.growth_kib)
        self.methods += played.methods
        self.reasons += played.reasons

    def says(self) -> str:
        """The sums as one line."""
        return (
            f"{self.messages:,} messages, {self.requests:,} requests answered, {self.sessions} servers, "
            f"{self.checks:,} comparisons of documents; slowest answer {self.slowest_ms:.0f} ms ({self.slowest}), "
            f"memory at most {self.memory_kib / 1024:.0f} MB, growth at most {self.growth_kib / 1024:.1f} MB; "
            f"{len(self.found)} broken"
        )


def session(seed: int, number: int, most_steps: int = N_STEPS[1]) -> Session:
    """The session of that number; always the same."""
    chance = random.Random(f"{seed}/{number}")
    n_steps = chance.randint(min(N_STEPS[0], most_steps), most_steps)
    steps = list(Chance((seed, number)).steps(n_steps))
    return Session(chance.choice(ENCODINGS), steps, chance.choice(ENDS), real_pipeline=chance.random() < 0.5)


def run(messages: int, seed: int, folder: Path | None = None) -> Total:
    """Play sessions until so many messages were sent; broken ones are stored in ``folder``."""
    total = Total()
    began = time.monotonic()
    number = 0
    while total.messages < messages and len(total.found) < MOST_FOUND:
        one = session(seed, number, min(N_STEPS[1], messages))
        _play(one, f"{seed}-{number}", total, folder)
        total.sessions += 1
        total.ends[one.end] += 1
        number += 1
        if number % 10 == 0:
            print(f"{time.monotonic() - began:.0f} s: {total.says()}", flush=True)
    return total


def _play(one: Session, name: str, total: Total, folder: Path | None) -> None:
    with tempfile.TemporaryDirectory() as place:
        conversation = Conversation(one, Path(place))
        try:
            converse(one, conversation)
        except Broken as broken:
            conversation.played.messages = conversation.editor.n_messages
            print(f"session {name}: {broken}", file=sys.stderr, flush=True)
            more = {} if folder is None else {"folder": folder}
            total.found.append(str(keep(one, str(broken), name, conversation.played.checks, **more)))
        finally:
            conversation.end()
        total.add(conversation.played)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    began = time.monotonic()
    total = run(options.messages, options.seed)
    print(f"seed {options.seed}, {time.monotonic() - began:.0f} s: {total.says()}")
    print(f"ends: {dict(total.ends)}")
    print(f"answered: {dict(total.methods.most_common())}")
    print(f"reasons: {dict(total.reasons.most_common())}")
    for found in total.found:
        print(f"kept: {found}")
    return int(bool(total.found))


if __name__ == "__main__":
    sys.exit(main())
