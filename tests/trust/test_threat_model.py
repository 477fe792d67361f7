"""``docs/security.md`` promises nothing that no test holds: each test it names is there."""

from __future__ import annotations

import re

from devstral_ls.testing.lsp_client import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)?::(test_\w+)`")


def test_every_test_of_the_threat_model_exists() -> None:
    named: set[tuple[str, str]] = set()
    for line in (ROOT / "docs/security.md").read_text(encoding="utf-8").splitlines():
        file = ""
        for path, name in NAMED.findall(line):
            file = path or file
            named.add((file, name))
    assert len(named) > 40
    for file, name in sorted(named):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{file}::{name}"


def test_every_line_of_a_table_of_promises_names_a_test() -> None:
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (?!---|Party|They try to|Promise)(.*) \|$", page.partition("## An attacker")[2], re.MULTILINE
    )
    assert len(rows) > 20
    assert [row for row in rows if not NAMED.search(row)] == []
