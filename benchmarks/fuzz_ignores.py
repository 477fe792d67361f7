"""Random ignore files against ``git check-ignore``: ``python -m benchmarks.fuzz_ignores --paths 10000 --seed 7``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from devstral_ls.testing.fuzz.ignore_files import compared, workspace


def main() -> int:
    """Compare until so many paths were; 1 if git ignores one that would be shown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--paths", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--verbose", action="store_true", help="also list the files that are hidden without need")
    options = parser.parse_args()
    n_paths = n_workspaces = n_shown = n_hidden = 0
    start = time.monotonic()
    while n_paths < options.paths:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            files = workspace(root, random.Random(f"{options.seed}/{n_workspaces}"))
            found = compared(root, files)
            for path in (*found.shown, *(found.hidden if options.verbose else ())):
                print(f"{'SHOWN' if path in found.shown else 'hidden'} {path!r}")
                for file in sorted({*root.rglob(".gitignore"), root / ".git/info/exclude", root / ".git/everywhere"}):
                    if file.is_file():
                        print(f"    {file.relative_to(root)}: {file.read_bytes()!r}")
        n_paths, n_workspaces = n_paths + found.n_files, n_workspaces + 1
        n_shown, n_hidden = n_shown + len(found.shown), n_hidden + len(found.hidden)
    seconds = time.monotonic() - start
    print(f"{n_paths:,} paths in {n_workspaces} workspaces, {seconds:.0f} s: {n_shown} shown that git ignores,")
    print(f"{n_hidden} hidden that git does not ignore ({100 * n_hidden / n_paths:.2f} %)")
    return 1 if n_shown else 0


if __name__ == "__main__":
    sys.exit(main())
