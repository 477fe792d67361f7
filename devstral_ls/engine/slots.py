"""Which slot of the engine a request runs in: a conversation keeps its own, whoever else asks.

llama-server's own choice takes the slot whose cache begins most like the prompt. Two documents with the same first
lines, or the same instruction in front, then take each other's slot while others are empty. So the clients choose. They
agree through one small file a slot in the runtime folder, without a process that coordinates: who holds its lock has
the slot, and its text says whose conversation is in the cache. A holder that shows no life (its process was stopped by a
signal) keeps nobody waiting: its slot is used all the same, and the engine puts the two requests in a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from devstral_ls.engine import locks
from devstral_ls.engine.place import Place
from devstral_ls.engine.turns import is_old, show_life

LOOK_SECONDS = 0.01
"""Between two looks whether a slot is free: another process has it, so nothing wakes us."""

_OWN_SECONDS = 1.0
"""How long a conversation waits for its own slot before it takes another: a request that was left holds its slot until
the end of a batch. What is in the cache is worth far more than that."""


class Slot(Protocol):
    """A slot that is ours."""

    @property
    def number(self) -> int | None:
        """Its number; None where the engine chooses by itself."""
        ...

    def close(self) -> None:
        """Let others have it. Again does nothing."""
        ...


class Slots(Protocol):
    """What an engine runs requests in."""

    async def take(self, conversation: str) -> Slot:
        """Wait for a slot, and have it. Leaving while waiting costs nothing."""
        ...


class LocalSlots:
    """For an engine that chooses by itself: only how many of our requests run at once is bounded."""

    def __init__(self, n_slots: int) -> None:
        self._free = asyncio.Semaphore(n_slots)

    async def take(self, conversation: str) -> Slot:
        """See ``Slots``."""
        await self._free.acquire()
        return _LocalSlot(self._free)


class _LocalSlot:
    number = None

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free

    def close(self) -> None:
        if self._free is not None:
            self._free.release()
            self._free = None


class SharedSlots:
    """The slots of one engine process, divided between all its clients."""

    def __init__(self, place: Place, nonce: str, n_slots: int) -> None:
        """``nonce`` is of the engine's start: what is in the cache of another start is gone."""
        self._paths = [place.slot(number) for number in range(n_slots)]
        self._nonce = nonce
        self._nobody = secrets.token_hex(8)

    async def take(self, conversation: str) -> Slot:
        """See ``Slots``. Without a conversation, all requests of this client are one, which never waits for its own."""
        key = self._key(conversation or self._nobody)
        patient_until = time.monotonic() + (_OWN_SECONDS if conversation else 0.0)
        while True:
            slot = self._try(key, patient=time.monotonic() < patient_until)
            if slot is not None:
                return slot
            await asyncio.sleep(LOOK_SECONDS)

    def _try(self, key: str, *, patient: bool) -> _SharedSlot | None:
        """Our own slot, or else the free one that was not used for the longest time."""
        used = [_read(path, self._nonce) for path in self._paths]
        own = [number for number, record in enumerate(used) if record.key == key]
        others = sorted((n for n in range(len(used)) if n not in own), key=lambda n: used[n].time)
        chosen = own if own and patient else own + others
        for number in chosen:
            try:
                lock = locks.try_exclusive(self._paths[number])
            except OSError:  # where no file can be made, nobody can be told
                return _SharedSlot(number)
            if lock is None:
                continue
            if _read(self._paths[number], self._nonce) != used[number]:
                lock.close()  # somebody had it since we looked
                continue
            _write(lock, self._paths[number], f"{self._nonce} {key} {time.time()!r}")
            return _SharedSlot(number, lock, asyncio.create_task(show_life(self._paths[number])))
        return next((_SharedSlot(number) for number in chosen if is_old(self._paths[number])), None)

    def _key(self, conversation: str) -> str:
        return blake2b(conversation.encode("utf-8", "replace"), digest_size=8, key=self._nonce.encode()).hexdigest()


@dataclass(slots=True)
class _SharedSlot:
    number: int
    lock: locks.Lock | None = None
    """None where it was taken from a holder that shows no life."""
    alive: asyncio.Task[None] | None = None

    def close(self) -> None:
        if self.alive is not None:
            self.alive.cancel()
        if self.lock is not None:
            self.lock.close()


@dataclass(frozen=True, slots=True)
class _Record:
    key: str = ""
    time: float = 0.0
    """When a request last began in it, seconds since the epoch."""


def _read(path: Path, nonce: str) -> _Record:
    """Whose conversation is in the slot; nobody's if that was written for another start of the engine."""
    try:
        of, key, when = path.read_text(encoding="ascii").split()
        return _Record(key, float(when)) if of == nonce else _Record()
    except (OSError, ValueError):
        return _Record()


def _write(lock: locks.Lock, path: Path, text: str) -> None:
    """Say whose it is now, and that somebody is there; on a full disk nobody's."""
    with contextlib.suppress(OSError):
        os.ftruncate(lock.descriptor, 0)
        os.lseek(lock.descriptor, 0, os.SEEK_SET)
        os.utime(path)
        os.write(lock.descriptor, text.encode("ascii"))
