"""Known vulnerabilities of the dependencies, by pip-audit and npm audit: "could not ask" is never "nothing found".

``python -m supply.advisories PIP_AUDIT LOCK...`` exits with 0: nothing known, 1: something found, 2: could not ask.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXTENSION = Path(__file__).parent.parent / "editors/vscode"

TIMEOUT_S = 600
"""Seconds for one tool, which asks the service about each dependency."""

NOTHING, FOUND, NOT_ASKED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one tool for one lock file."""

    source: str
    n_checked: int = 0
    found: tuple[str, ...] = ()
    not_asked: str = ""
    """The reason that some or all could not be looked up; empty when all were."""


def of_pip(source: str, said: str) -> Report:
    """Read the JSON of pip-audit, which lists packages that it could not look up as "skipped" and still succeeds."""
    tree = _tree(said)
    rows = [row for row in tree.get("dependencies", ()) if isinstance(row, Mapping)]
    skipped = [row for row in rows if row.get("skip_reason")]
    found = tuple(
        f"{row['name']} {row['version']}: {vulnerability['id']}, mended in {_or(vulnerability.get('fix_versions'))}"
        for row in rows
        for vulnerability in row.get("vulns", ())
    )
    if not rows:
        why = "the advisory service cannot be reached"
    elif skipped:
        why = (
            f"the advisory service knows nothing of {len(skipped)} of {len(rows)} packages, {skipped[0]['name']} first"
        )
    else:
        why = ""
    return Report(source, len(rows) - len(skipped), found, why)


def of_npm(source: str, said: str) -> Report:
    """Read the JSON of npm audit, which describes an error when the service does not answer."""
    tree = _tree(said)
    if "auditReportVersion" not in tree:
        return Report(
            source, not_asked=f"the advisory service cannot be reached ({tree.get('statusCode', 'no answer')})"
        )
    found = tuple(f"{name} {row['range']}: {row['severity']}" for name, row in tree["vulnerabilities"].items())
    return Report(source, tree["metadata"]["dependencies"]["total"], found)


def told(report: Report) -> list[str]:
    """The report as lines of text."""
    lines = [f"{report.source}: {found}" for found in report.found]
    if report.not_asked:
        lines.append(f"{report.source}: NOT CHECKED: {report.not_asked}")
    elif not report.found:
        lines.append(f"{report.source}: nothing known against {report.n_checked} packages")
    return lines


def code(reports: Sequence[Report]) -> int:
    """The exit code."""
    if any(report.found for report in reports):
        return FOUND
    return NOT_ASKED if any(report.not_asked for report in reports) else NOTHING


def _tree(said: str) -> Mapping[str, Any]:
    try:
        tree = json.loads(said)
    except ValueError:
        return {}
    return tree if isinstance(tree, Mapping) else {}


def _or(versions: object) -> str:
    return " or ".join(map(str, versions)) if isinstance(versions, list) and versions else "no version yet"


def _said(command: Sequence[str], folder: Path) -> str:
    try:
        run = subprocess.run
        return run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def main(arguments: Sequence[str]) -> int:
    """Run the tools, and print the report."""
    pip_audit, *locks = arguments
    options = ("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off")
    reports = [of_pip(lock, _said([pip_audit, "-r", lock, *options], Path.cwd())) for lock in locks]
    reports.append(of_npm("editors/vscode/package-lock.json", _said(["npm", "audit", "--json"], EXTENSION)))
    for report in reports:
        print(*told(report), sep="\n")
    return code(reports)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
