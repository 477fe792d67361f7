"""What tests of several packages share."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from devstral_ls.errors import ModelError
from devstral_ls.models import store
from devstral_ls.models.download import pull
from devstral_ls.platform.paths import directories

# The suite plays the same examples everywhere: what a new one would find is for `make fuzz`, not for whoever comes next.
hypothesis.settings.register_profile("suite", derandomize=True)
hypothesis.settings.register_profile("search", print_blob=True)
hypothesis.settings.load_profile("search" if "DEVSTRAL_LS_FUZZ" in os.environ else "suite")


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """A real model of 135M parameters, in this machine's store; fetched into it the first time."""
    models = directories().models
    found = store.installed_as(models, "tiny")
    if found is None:
        try:
            found = pull.pull(models, "tiny", lambda progress: None)
        except ModelError as error:
            pytest.skip(f"the tiny model cannot be fetched: {error.message}")
    return found.path
