"""A typist at an editor for hours: types files, accepts, dismisses and undoes suggestions, overtakes requests.

Everything but the machine's answers follows from the seed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from benchmarks.editors import Offer, OurEditor
from benchmarks.keystrokes import Key, Stretch, accepted, key_at, keys_at
from devstral_ls.testing.lsp_client import LspClient

WRONG_SHARE, DISMISSED_SHARE = 0.1, 0.25
"""Shares of wrong suggestions that are accepted and undone, and dismissed by key. The others are typed past."""

PATIENT_SHARE, PATIENT_MS = 0.15, 3_000.0
"""Share of keys whose answer is waited for, and for how long: otherwise a slow machine would never show anything. All
other requests are overtaken by the next key."""


@dataclass
class Typist:
    """A typist at one server."""

    client: LspClient
    dice: Random
    did: Counter[str] = field(default_factory=Counter)
    answered: Callable[[Offer], None] = lambda offer: None
    """Called for every answer that was waited for."""
    patient_ms: float = PATIENT_MS
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def type_part(
        self, uri: str, language: str, part: Stretch, at_line_end: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Open a document, type ``part.typed`` into it, close it; when cancelled, cancel the request and close it."""
        editor = OurEditor(self.client, uri, language)
        await editor.open(part.above, part.below)
        self.did["opened"] += 1
        try:
            await self._type(editor, part, at_line_end)
        except asyncio.CancelledError:
            self.client.notify("$/cancelRequest", {"id": self.client.last_id})
            raise
        finally:
            await editor.close()
            self.did["closed"] += 1

    async def _type(self, editor: OurEditor, part: Stretch, at_line_end: Callable[[], Awaitable[None]] | None) -> None:
        at = 0
        while at < len(part.typed):
            right = key_at(part.typed, at)
            for key in keys_at(part.typed, at, self.dice.randrange(1 << 30)):
                is_right = key.text == right and not key.takes_back
                taken = await self._press(editor, key, part.typed[at + len(right) :] if is_right else "")
                at += len(right) + taken if is_right else 0
            if right.startswith("\n") and at_line_end is not None:
                await at_line_end()

    async def _press(self, editor: OurEditor, key: Key, rest: str) -> int:
        """Press ``key`` and look at the suggestion; the number of characters of ``rest`` accepted from it."""
        begun = time.monotonic()
        await editor.put(key.text, n_back=len(key.takes_back))
        self.did["keys"] += 1
        is_patient = self.dice.random() < PATIENT_SHARE
        offer = await editor.offer(max(self.patient_ms, key.gap_ms) if is_patient else key.gap_ms)
        self._count(offer)
        if is_patient:
            self.answered(offer)
        taken = await self._decide(editor, offer, rest) if offer.text and not offer.n_replaced else 0
        await self.pause(max(0.0, key.gap_ms / 1000 - (time.monotonic() - begun)))
        return taken

    async def _decide(self, editor: OurEditor, offer: Offer, rest: str) -> int:
        n, _ = accepted(offer.text, rest)
        if n:
            await editor.put(offer.text[:n])
            if n == len(offer.text):
                await editor.took_all()
            self.did["accepted"] += 1
            return n
        chosen = self.dice.random()
        if chosen < WRONG_SHARE:
            await editor.put(offer.text)
            await editor.took_all()
            await editor.put("", n_back=len(offer.text))
            self.did["taken back"] += 1
        elif chosen < WRONG_SHARE + DISMISSED_SHARE:
            await editor.dismissed()
            self.did["dismissed"] += 1
        return 0

    def _count(self, offer: Offer) -> None:
        self.did["asked"] += 1
        self.did["shown"] += bool(offer.text)
        self.did["overtaken"] += offer.late
        self.did["asked the model"] += offer.asked_model
