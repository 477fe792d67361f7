"""Ends the wait of a running task from outside, in the middle of an ``await``, without a second task."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class Interruptible:
    """The waits of one task, each of which another part of the program may end with a reason."""

    def __init__(self) -> None:
        self._reason: Exception | None = None
        self._scope: asyncio.Timeout | None = None

    def interrupt(self, reason: Exception) -> None:
        """Raise ``reason`` from the current wait, or from the next one. The first reason counts."""
        if self._reason is not None:
            return
        self._reason = reason
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    def forget(self, kind: type[Exception]) -> None:
        """Forget a reason of ``kind`` that was not raised yet."""
        if isinstance(self._reason, kind):
            self._reason = None

    def clear(self) -> None:
        """Forget a reason that was not raised yet."""
        if self._scope is None:
            self._reason = None

    async def wait(self, coming: Coroutine[Any, Any, _T]) -> _T:
        """The result of ``coming``, which is cancelled when the wait is interrupted."""
        if self._reason is not None:
            coming.close()
            raise self._taken(self._reason)
        try:
            async with asyncio.timeout(None) as self._scope:
                return await coming
        except TimeoutError:
            scope, reason = self._scope, self._reason
            if scope is None or not scope.expired() or reason is None:
                raise
            raise self._taken(reason) from None
        finally:
            self._scope = None

    def _taken(self, reason: Exception) -> Exception:
        self._reason = None
        return reason
