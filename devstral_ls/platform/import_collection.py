"""Importing much at once, as every start does."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Hold the garbage collector off: what an import makes is kept for good, and looking through it again and again was a
    sixth of the time to start. What is there afterwards is not looked through later, either.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()
