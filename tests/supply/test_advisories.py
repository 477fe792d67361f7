"""What the tools that look after dependencies say, and what we make of it."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from devstral_ls.testing.lsp_client import ROOT
from supply.advisories import FOUND, NOT_ASKED, NOTHING, code, of_npm, of_pip, told
from supply.licences import ELSEWHERE, locked, npm_rows, page, python_rows

CLEAN = {"name": "attrs", "version": "26.1", "vulns": []}
VULNERABLE = {"name": "httpx", "version": "0.1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2"], "aliases": []}]}
SKIPPED = {"name": "anyio", "skip_reason": "Dependency not found on PyPI and could not be audited: anyio (4.16.0)"}

NPM_CLEAN = {"auditReportVersion": 2, "vulnerabilities": {}, "metadata": {"dependencies": {"total": 7}}}
NPM_FOUND = NPM_CLEAN | {"vulnerabilities": {"glob": {"range": "<13", "severity": "high", "via": []}}}
NPM_REFUSED = {"message": "405 Method Not Allowed", "statusCode": 405}


@pytest.mark.parametrize(
    ("rows", "says", "ends"),
    [
        ([CLEAN], "lock: nothing known against 1 packages", NOTHING),
        ([CLEAN, VULNERABLE], "lock: httpx 0.1: PYSEC-1, mended in 0.2", FOUND),
        ([CLEAN, SKIPPED], "lock: NOT CHECKED: the advisory service knows nothing of 1 of 2 packages, anyio first", NOT_ASKED),
        ([], "lock: NOT CHECKED: the advisory service cannot be reached", NOT_ASKED),
        ([SKIPPED, VULNERABLE], "lock: httpx 0.1: PYSEC-1, mended in 0.2", FOUND),
    ],
)  # fmt: skip
def test_pip_audit(rows: list[dict[str, Any]], says: str, ends: int) -> None:
    report = of_pip("lock", json.dumps({"dependencies": rows}))
    assert told(report)[0] == says
    assert code([report]) == ends


@pytest.mark.parametrize(
    ("tree", "says", "ends"),
    [
        (NPM_CLEAN, "lock: nothing known against 7 packages", NOTHING),
        (NPM_FOUND, "lock: glob <13: high", FOUND),
        (NPM_REFUSED, "lock: NOT CHECKED: the advisory service cannot be reached (405)", NOT_ASKED),
    ],
)
def test_npm_audit(tree: dict[str, Any], says: str, ends: int) -> None:
    report = of_npm("lock", json.dumps(tree))
    assert told(report) == [says]
    assert code([report]) == ends


@pytest.mark.parametrize("said", ["", "Traceback", "[]", "null"])
def test_a_tool_that_fails_has_checked_nothing(said: str) -> None:
    assert code([of_pip("lock", said)]) == code([of_npm("lock", said)]) == NOT_ASKED


def test_one_that_was_not_asked_does_not_hide_what_another_found() -> None:
    found = of_pip("a", json.dumps({"dependencies": [VULNERABLE]}))
    assert code([of_npm("b", ""), found]) == FOUND
    assert code([of_npm("b", ""), of_npm("c", json.dumps(NPM_CLEAN))]) == NOT_ASKED


def test_the_page_has_every_locked_package_in_one_line() -> None:
    versions = locked("attrs==26.1 \\\n    --hash=x\ntree-sitter==0.26 ; python_version < '4' \\\ncolorama==1\n")
    said = [{"Name": "tree_sitter", "Version": "0.26", "License": "MIT\nCopyright | all of it"}]
    said += [{"Name": "attrs", "Version": "26.1", "License": "MIT"}]
    rows = python_rows(versions, said)
    assert rows == [("attrs", "26.1", "MIT"), ("colorama", "1", ELSEWHERE), ("tree-sitter", "0.26", "MIT")]
    npm = npm_rows({"packages": {"": {}, "a/node_modules/@b/c": {"version": "1", "license": "ISC"}}})
    assert "| @b/c | 1 | ISC |\n" in page(rows, npm)


@pytest.mark.parametrize("lock", ["requirements.lock", "supply/requirements.lock"])
def test_every_dependency_is_pinned_with_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(locked(text)) > 20
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_licence_of_everything_we_need_is_known_and_lets_us() -> None:
    text = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| [^|]* \| ([^|]+) \|$", text, re.MULTILINE))
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    for name in (re.split(r"[<>=]", one)[0] for one in wanted):
        licence = rows[name]
        assert licence not in ("UNKNOWN", ELSEWHERE), name
        assert not re.search(r"\bA?GPL|General Public", licence), name
