"""The collector rests while modules are imported, and only then."""

from __future__ import annotations

import gc

import pytest

from devstral_ls.platform.import_collection import importing


def test_the_collector_rests_during_an_import_and_works_after_it() -> None:
    try:
        with importing():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_it_works_after_an_import_that_fails() -> None:
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
