"""Seconds of the processor: other work on the machine is nobody's fault here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def processor_seconds() -> Iterator[Callable[[], float]]:
    """How many this process has spent since the block began."""
    began = time.process_time()
    yield lambda: time.process_time() - began
