"""The editors that were fetched are the ones that the tests mean."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.editors.conftest import Rig

VERSIONS = [
    ("nvim11", r"NVIM v0\.11\."),
    ("nvim12", r"NVIM v0\.(1[2-9]|[2-9]\d)\."),
    ("emacs28", r"GNU Emacs 28\."),
    ("emacs30", r"GNU Emacs [3-9]\d\."),
    ("code_server", r"4\.\d+\.\d+ "),
]
"""An editor, and how the first line of its ``--version`` begins."""


@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_an_editor_that_was_fetched_is_the_one_meant(rig: Rig, name: str, version: str) -> None:
    done = subprocess.run([rig(name), "--version"], capture_output=True, text=True, timeout=30, check=True)
    # In a home that is new code-server says first that it wrote its configuration.
    assert re.search(f"^{version}", done.stdout, re.MULTILINE), done.stdout
