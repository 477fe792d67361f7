"""The real server with parts switched off: ``python -m benchmarks.variant_server --off=healing``."""

from __future__ import annotations

import argparse
import sys

from benchmarks.variants import OFF, switch_off
from devstral_ls.cli import main as serve


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--off", action="append", choices=sorted(OFF), default=[])
    options = parser.parse_args()
    switch_off(options.off)
    return serve([])


if __name__ == "__main__":
    sys.exit(main())
