"""``docs/licences.md``: the licence of every dependency in the lock files, as the packages themselves say it.

``python -m supply.licences PIP_LICENSES PYTHON`` prints the page; ``PYTHON`` has the packages of ``requirements.lock``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

HEAD = """# Licences

Made by `make licences` from what the packages say of themselves. devstral-ls itself is under Apache-2.0.
Models have licences of their own: `devstral-ls model list` names them.
"""

ELSEWHERE = "for other platforms, not installed here"


def locked(lock: str) -> dict[str, str]:
    """The versions in a lock file of requirements, by name."""
    return dict(re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s;]+)", lock, re.MULTILINE))


def python_rows(versions: Mapping[str, str], said: Sequence[Mapping[str, str]]) -> list[tuple[str, str, str]]:
    """Name, version and licence of each of ``versions``, by name, from the JSON of pip-licenses."""
    known = {_plain(row["Name"]): row for row in said}
    rows = ((name, version, known.get(_plain(name))) for name, version in sorted(versions.items()))
    return [(name, version, _short(row["License"]) if row else ELSEWHERE) for name, version, row in rows]


def npm_rows(lock: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, version and licence of each package of a ``package-lock.json``."""
    rows = {
        (path.rpartition("node_modules/")[2], str(row.get("version", "")), str(row.get("license", "UNKNOWN")))
        for path, row in lock["packages"].items()
        if path
    }
    return sorted(rows)


def page(python: Sequence[tuple[str, str, str]], npm: Sequence[tuple[str, str, str]]) -> str:
    """The page."""
    return f"{HEAD}\n{_table('Python', python)}\n{_table('The VS Code extension', npm)}"


def _table(title: str, rows: Sequence[tuple[str, str, str]]) -> str:
    lines = "".join(f"| {name} | {version} | {licence} |\n" for name, version, licence in rows)
    return f"## {title}\n\n| Package | Version | Licence |\n|---|---|---|\n{lines}"


def _short(licence: str) -> str:
    """A licence as one line: some packages give the whole text."""
    line = next((line.strip() for line in licence.splitlines() if line.strip()), "UNKNOWN")
    return line.replace("|", "/")[:80]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: Sequence[str]) -> int:
    """Print the page."""
    pip_licenses, python = arguments
    command = [pip_licenses, "--python", python, "--from=mixed", "--format=json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    versions = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "editors/vscode/package-lock.json").read_text(encoding="utf-8"))
    print(page(python_rows(versions, said), npm_rows(lock)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
