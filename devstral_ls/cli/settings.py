"""``devstral-ls settings``: every setting, as a page or as a JSON schema."""

from __future__ import annotations

import argparse
import json

from devstral_ls.cli import DONE
from devstral_ls.settings.schema import markdown, schema


def run(options: argparse.Namespace) -> int:
    """Print the settings."""
    print(json.dumps(schema(), indent=2) if options.schema else markdown(), end="\n" if options.schema else "")
    return DONE
