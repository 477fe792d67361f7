"""The library xllamacpp: how it is imported, and the devices it sees. Run as a module it prints those as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from devstral_ls.errors import ModelLoadFailed


def load_xllamacpp() -> Any:
    """The library.

    Raises:
        ModelLoadFailed: it is not installed, or does not run here.
    """
    try:
        import xllamacpp
    except ImportError as error:
        raise ModelLoadFailed(
            f"llama.cpp cannot be used: {error}", hint="Install it: `pip install xllamacpp`; see `devstral-ls doctor`."
        ) from error
    return xllamacpp


def print_devices() -> None:
    """Print what llama.cpp sees, for ``engine.devices``, which runs this in a process of its own."""
    found = [
        {
            "name": str(device["name"]),
            "description": str(device["description"]),
            "kind": device["type"].name.removeprefix("GGML_BACKEND_DEVICE_TYPE_"),
            "free": int(device["memory_free"]),
            "total": int(device["memory_total"]),
        }
        for device in load_xllamacpp().get_device_info()
    ]
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    print_devices()
