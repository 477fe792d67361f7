"""``python -m devstral_ls`` is ``devstral-ls``."""

from __future__ import annotations

import sys

from devstral_ls.cli import main

if __name__ == "__main__":
    sys.exit(main())
