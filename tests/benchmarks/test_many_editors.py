"""Several editors that start at once have one daemon, and leave nothing behind."""

from __future__ import annotations

import sys

import pytest

from benchmarks.many_editors import one_round
from devstral_ls.testing.lsp_client import ROOT


@pytest.mark.skipif(sys.platform == "win32", reason="reads load and processes as POSIX has them")
async def test_editors_that_start_at_once_have_one_daemon_and_leave_nothing() -> None:
    seen = await one_round(ROOT, 5)
    assert len(seen.initialized) == 5
    assert len(seen.ready) == 5
    assert (seen.daemons, seen.left) == (1, 0)
