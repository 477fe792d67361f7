"""From answers to tables, pictures and a page, with answers that are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import compare, holes, llama_vim_baseline, report
from benchmarks.charts import Bar, bars
from benchmarks.holes_table import summary, table
from benchmarks.items import Hole, Quiet
from benchmarks.results import read_all, write

TEST = "assert add(1, 2) == 3"
HEADER = {
    "model": "m.gguf", "sha256": "0123456789abcdef", "engine": "xllamacpp 1", "threads": 1, "batch": 64,
    "context": 4096, "temperature": 0, "devstral-ls": "0", "code": "c", "machine": "m",
}  # fmt: skip


def hole(n: int, kind: str = "line", test: str | None = TEST) -> Hole:
    language, name = ("python", "add.py") if test else ("go", "add.go")
    return Hole(f"{language}-{n}", language, name, kind, "def add(a, b):\n    ", "return a + b", "\n", test)


def row(text: str, *, shown: bool = True) -> dict[str, object]:
    return {"text": text, "n_replaced": 0, "shown": shown, "ms": 10.0, "reason": "shown" if shown else "empty"}


RIGHT, WRONG, NONE = row("return b + a"), row("return a - b"), row("", shown=False)
ROWS = [
    (hole(1), {"ours": RIGHT, "raw": WRONG}),
    (hole(2), {"ours": RIGHT, "raw": RIGHT}),
    (hole(3), {"ours": NONE, "raw": RIGHT}),
    (hole(4, test=None), {"ours": row("return a + b"), "raw": WRONG}),
    (Quiet("q1", "python", "a.py", "# ", "", "a comment"), {"ours": NONE}),
    (Quiet("q2", "python", "a.py", "x = 1", "", "done"), {"ours": RIGHT}),
]


@pytest.fixture(scope="module")
def result() -> dict[str, object]:
    return {"header": HEADER, **summary(ROWS)}


def test_executed_items_count_by_their_tests_and_others_by_their_text(result: dict) -> None:
    ours, raw = result["groups"]["line"]["ours"], result["groups"]["line"]["raw"]
    assert (ours["pass"]["hits"], ours["pass"]["n"]) == (2, 3)
    assert (ours["right"]["hits"], ours["right"]["n"]) == (3, 4)
    assert (ours["exact"]["hits"], raw["pass"]["hits"]) == (1, 2)
    assert (ours["given"]["hits"], ours["valid"]["n"]) == (3, 3)


def test_pairs_name_what_was_gained_and_lost(result: dict) -> None:
    pair = result["pairs"][0]
    assert (pair["one"], pair["other"], pair["n"], pair["points"]) == ("ours", "raw", 3, 0)
    assert (pair["gained"], pair["lost"], pair["p"]) == (["python-1"], ["python-3"], 1.0)


def test_quiet_places_say_who_was_loud(result: dict) -> None:
    quiet = result["quiet"]["ours"]
    assert (quiet["hits"], quiet["n"], [loud["id"] for loud in quiet["loud"]]) == (1, 2, ["q2"])


def test_the_table_has_every_arm_with_its_figures(result: dict) -> None:
    lines = "\n".join(table(result))
    assert "ours                     2/3 = 67%" in lines
    assert "McNemar p = 1.000" in lines
    assert "quiet, ours: 1/2 = 50%" in lines


def test_differences_to_ours_are_of_the_same_items(result: dict) -> None:
    found = compare.against_ours(result, "raw", ("line",))
    assert (found["n"], found["hits"], found["points"]) == (3, 2, 0)
    lines = compare.markdown({"m": result}, "a command")
    assert any(line.startswith("| raw | 2/3, +0 (") for line in lines)
    assert any(line.startswith("| ours | 2/3 | -") for line in lines)


def test_the_page_needs_nothing_from_elsewhere_and_shows_what_was_lost(result: dict, tmp_path: Path) -> None:
    assert report.write(tmp_path) is None
    write("holes", result, tmp_path)
    write("reuse", {"arms": {"ours": {"reused": 0.99, "lowest": 0.98, "characters": 9, "read_again": 0}}}, tmp_path)
    assert set(read_all(tmp_path)) == {"holes", "reuse"}
    page = report.write(tmp_path)
    assert page is not None
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=|url\(|@import""", html)
    assert "python-3 (line; raw)" in html
    assert {path.name for path in tmp_path.glob("*.svg")} == {
        "holes-pass-1-line-95-intervals.svg", "reuse-prompt-reused-while-typing.svg",
    }  # fmt: skip


def test_bars_keep_to_their_picture() -> None:
    svg = bars("a < b", [Bar("ours", 0.5, 0.4, 0.6, "half"), Bar("llama.vim", 2.0)], most=1.0)
    assert "a &lt; b" in svg
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="16"', svg)]
    assert widths == [190.0, 380.0]


def test_items_are_limited_by_kind_and_language() -> None:
    found = holes.chosen(["line", "quiet"], ["python"], 3)
    assert [getattr(item, "kind", "quiet") for item in found] == ["line"] * 3 + ["quiet"] * 3
    assert {item.language for item in found} == {"python"}


def test_an_item_may_replace_what_is_behind_the_cursor_and_nothing_else() -> None:
    def span(start: int, end: int, line: int = 3) -> dict:
        return {"start": {"line": 3, "character": start}, "end": {"line": line, "character": end}}

    assert holes._n_replaced(None, 3, 4, ")") == 0
    assert holes._n_replaced(span(4, 7), 3, 4, "😀)\n") == 2  # the first is two units of UTF-16
    with pytest.raises(ValueError, match="replaces"):
        holes._n_replaced(span(3, 4), 3, 4, ")")
    with pytest.raises(ValueError, match="replaces"):
        holes._n_replaced(span(4, 0, 4), 3, 4, ")")


BEFORE = "".join(f"line {n}\n" for n in range(1000))


def test_llama_vim_sees_256_lines_before_and_64_after() -> None:
    window = llama_vim_baseline.window_of("llama.vim", BEFORE + "here", "\n" + BEFORE, 100_000)
    assert window.prefix.split("\n")[0] == "line 744"
    assert window.prefix.endswith("line 999\nhere")
    assert window.suffix.split("\n")[-1] == "line 63"
    assert llama_vim_baseline.window_of("raw", BEFORE, BEFORE, 100_000).prefix == BEFORE


def test_a_file_that_is_too_long_is_cut_at_its_far_ends() -> None:
    window = llama_vim_baseline.window_of("raw", BEFORE, BEFORE, 1000)
    assert len(window.prefix + window.suffix) == int(
        (1000 - llama_vim_baseline.N_PREDICT) * llama_vim_baseline.CHARACTERS_PER_TOKEN
    )
    assert BEFORE.endswith(window.prefix)
    assert BEFORE.startswith(window.suffix)


@pytest.mark.parametrize(
    ("baseline", "one_line", "kept"),
    [
        ("raw", True, "a = 1"), ("llama.vim", False, "a = 1"), ("raw", False, "a = 1\nb = 2\nend()\nmore"),
        ("raw, cut", False, "a = 1\nb = 2"), ("raw, cut", True, "a = 1"),
    ],
)  # fmt: skip
def test_what_a_plain_client_keeps(baseline: str, one_line: bool, kept: str) -> None:
    assert llama_vim_baseline.kept(baseline, "a = 1\nb = 2\nend()\nmore", "\nend()\n", one_line=one_line) == kept
