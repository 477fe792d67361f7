"""The load benchmarks: what they count, what they call broken, and short runs over a real server, index and engine."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import charts, growth_report, journal, keystrokes, load, report, session_noise, soak, workspace
from benchmarks.keystrokes import Stretch
from benchmarks.rig import Bench
from benchmarks.typist import Typist
from devstral_ls.testing.gguf_files import write_devstral_shaped
from devstral_ls.testing.process_usage import children, on_disk, rss, usage

HEADER = {"model": "m", "engine": "e", "threads": 1, "batch": 64, "context": 1, "temperature": 0, "devstral-ls": "0",
          "code": "c", "machine": "x", "servers": 2, "seconds": 60, "slots": 4}  # fmt: skip


def samples(**last: dict[str, float]) -> list[dict[str, Any]]:
    """An hour of samples that are flat, but for what ``last`` says of the second half."""
    one = {"rss_mb": 100.0, "anon_mb": 80.0, "handles": 10, "threads": 4, "cpu_s": 1.0}
    return [
        {
            "t": 60.0 * n,
            "pids": dict.fromkeys(growth_report.GROWTH, 7),
            "processes": {name: one | (last.get(name, {}) if n > 30 else {}) for name in growth_report.GROWTH},
            "engine": {"clients": 2, "busy": 1, "waiting": 0},
            "unanswered": 0,
            "disk_mb": 0.1,
            "did": {"keys": n, "shown": n, "closed": n},
        }
        for n in range(61)
    ]


def test_what_is_flat_is_called_flat() -> None:
    found = growth_report.figures(samples())
    assert (found["broken"], found["warm_s"], found["samples"]) == ([], 900.0, 61)
    assert found["processes"]["engine"]["growth"] == 0.0
    told = "\n".join(growth_report.table({"header": HEADER, **found}))
    assert "verdict: flat" in told


def test_the_handles_of_requests_that_run_are_no_leak() -> None:
    rows = samples()
    for row in rows[-4:-1]:  # the most of the last part that is judged
        row["processes"]["server"] = {**row["processes"]["server"], "handles": 15}
    assert growth_report.figures(rows)["broken"] == []


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"engine": {"rss_mb": 106.0}}, "the engine's memory has grown by 6.0%"),
        ({"server": {"rss_mb": 111.0}}, "the server's memory has grown by 11.0%"),
        ({"server": {"handles": 13}}, "the server has 3 more handles"),
        ({"index": {"threads": 7}}, "the index has 3 more threads"),
    ],
)
def test_what_grows_is_called_broken(last: dict[str, dict[str, float]], said: str) -> None:
    found = growth_report.figures(samples(**last))
    assert found["broken"] == [said]
    assert growth_report.table({"header": HEADER, **found})[-1] == "verdict: not flat"


def test_a_peak_a_restart_a_pile_and_an_idle_run_are_broken() -> None:
    rows = samples()
    rows[20]["processes"]["server"] = rows[20]["processes"]["server"] | {"rss_mb": 251.0}
    rows[30]["pids"] = rows[30]["pids"] | {"engine": 8}
    rows[40]["engine"] = {"clients": 2, "busy": 1, "waiting": 9}
    rows[-1]["did"] = {"keys": 5, "closed": 60}
    assert growth_report.figures(rows)["broken"] == [
        "the engine was started 2 times",
        "the server had 251 MB",
        "9 requests lay in the engine",
        "nothing was ever shown: nothing was tried",
    ]


def test_a_run_that_was_killed_while_it_wrote_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal, "RESULTS", tmp_path / "results")
    lines = [json.dumps({"header": HEADER}), *map(json.dumps, samples(engine={"rss_mb": 200.0})), '{"t": 99, "pi']
    (tmp_path / "soak.jsonl").write_text("\n".join(lines))
    assert soak.told(tmp_path / "soak.jsonl") == 1
    assert "BROKEN: the engine's memory has grown by 100.0%" in capsys.readouterr().out
    assert report.write(tmp_path / "results") is not None
    assert ElementTree.parse(tmp_path / "results" / "soak-memory.svg").getroot().tag.endswith("svg")


def seat(n: int, p95: float | None) -> dict[str, Any]:
    return {"n": n, "p50": p95, "p95": p95, "most": p95, "did": {"asked": 3}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"seats": [seat(29, 100.0), seat(29, 301.0)]}, ["the slowest p95 is 3.0 times the fastest"]),
        ({"seats": [seat(29, 9.0), seat(19, 9.0)]}, ["a server got only 19 answers: too few to judge"]),
        ({"seats": [seat(29, 100.0), seat(0, None)]}, ["the slowest p95 is inf times the fastest"]),
        ({"seats": [seat(90, 1.0), seat(90, 1.0), seat(29, 1.0)]}, ["server 3 got 29 answers, the others 90"]),
        ({"looks": [{"busy": 2, "waiting": 2, "clients": 3, "rss_mb": 1.0}]}, ["4 requests lay in the engine"]),
        ({"idle_s": None}, ["the engine still worked 30 s after all typists stopped"]),
    ],
)
def test_unfairness_starvation_and_piles_are_broken(change: dict[str, Any], said: list[str]) -> None:
    looks = [{"busy": 1, "waiting": 0, "clients": 3, "rss_mb": 1.0}]
    result = {"seats": [seat(29, 100.0), seat(28, 300.0)], "looks": looks, "idle_s": 0.5, **change}
    found = load.broken(result, 2)
    assert found[: len(said)] == said
    assert bool(found) is bool(said)
    told = load.table({"header": HEADER, "servers_mb": [1.0], "broken": found, **result})
    assert [line for line in told if "BROKEN" in line] == [f"BROKEN: {one}" for one in found]
    assert all(ElementTree.fromstring(svg) is not None for svg in load.charts(result).values())


@pytest.mark.parametrize(("most", "axis"), [(0, 1), (0.7, 0.8), (1, 1), (486, 600), (1001, 2000), (99, 100)])
def test_an_axis_ends_where_its_quarters_can_be_read(most: float, axis: float) -> None:
    assert charts.nice(most) == pytest.approx(axis)


def test_a_plot_names_its_lines_and_keeps_them_inside() -> None:
    drawn = charts.lines("a & b", [charts.Line("one", [(0, 5), (60, 10)]), charts.Line("two", [], dashed=True)], "min")
    root = ElementTree.fromstring(drawn)
    points = [one.get("points", "") for one in root.iter() if one.tag.endswith("polyline")]
    assert [point.split() for point in points] == [["55.0,145.0", "550.0,30.0"], []]
    assert {"a & b", "one", "two", "min"} <= {one.text for one in root.iter() if one.tag.endswith("text")}


def test_the_usage_of_a_process_is_read(tmp_path: Path) -> None:
    before = usage(os.getpid())
    (tmp_path / "a").write_bytes(b"12345")
    with (tmp_path / "a").open():
        after = usage(os.getpid())
    assert before is not None
    assert after is not None
    assert after.handles == before.handles + 1
    assert before.rss_mb == pytest.approx(rss(os.getpid()) / 1e6, rel=0.1)
    assert before.threads >= 1
    assert after.cpu_s >= before.cpu_s > 0
    assert (usage(2**22 + 1), rss(2**22 + 1), children(2**22 + 1)) == (None, 0, [])
    assert on_disk(tmp_path, tmp_path / "none") == 5


class Notes:
    """A client that answers at once, always the same."""

    def __init__(self, offered: str) -> None:
        self.offered = offered
        self.sent: list[tuple[str, Any]] = []
        self.last_id = 0
        self.answers: dict[str, Any] = {}

    def notify(self, method: str, params: Any) -> None:
        self.sent.append((method, params))

    def open(self, text: str, uri: str, language: str) -> str:
        self.sent.append(("open", uri))
        return uri

    def change(self, uri: str, change: Any) -> None:
        self.sent.append(("change", change))

    def ask_inline(self, *where: object, **how: object) -> Any:
        return self._now({"items": [{"insertText": self.offered, "command": {"command": "took", "arguments": [1]}}]})

    def ask(self, method: str, params: Any) -> Any:
        self.sent.append((params["command"], params["arguments"]))
        return self._now({"reason": "shown", "usage": {}})

    def _now(self, answer: Any) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_result(answer)
        return future


async def at_once(seconds: float) -> None:
    """No pause."""


async def test_a_person_takes_what_is_right_and_types_past_or_dismisses_the_rest() -> None:
    part = Stretch("", "return sum(values)\nreturn max(values)", "\n")
    for offered, done in (("um(values)", {"accepted"}), ("nothing of this", {"dismissed", "taken back"})):
        client = Notes(offered)
        typist = Typist(client, Random(1), pause=at_once)  # type: ignore[arg-type]
        await typist.type_part("file:///a.py", "python", part)
        assert done <= typist.did.keys()
        assert (typist.did["opened"], typist.did["closed"], client.sent[-1][0]) == (1, 1, "textDocument/didClose")
    methods = Counter(method for method, _ in client.sent)
    assert methods["devstral.rejected"] == typist.did["dismissed"] > 0
    assert methods["took"] == typist.did["taken back"] > 0


async def test_what_lies_on_the_desk_is_bounded_and_settings_change(tmp_path: Path) -> None:
    client = Notes("x")
    did: Counter[str] = Counter()
    one = session_noise.SessionNoise(client, tmp_path, Random(1), did)  # type: ignore[arg-type]
    for _ in range(300):
        await one.something()
    assert set(did) == {"looked at", "put away", "saved", "elsewhere", "configured"}
    methods = Counter(method for method, _ in client.sent)
    assert methods["open"] - methods["textDocument/didClose"] <= session_noise.N_OPEN
    assert methods["workspace/didChangeConfiguration"] == did["configured"]
    assert client.answers["workspace/configuration"][0] in session_noise.SETTINGS
    assert methods["workspace/didChangeWatchedFiles"] == did["saved"] > 0
    assert methods["open"] == did["looked at"] > session_noise.N_OPEN


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(journal, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(keystrokes, "GAPS_MS", (1, 2))
    monkeypatch.setattr(keystrokes, "LINE_STOP_MS", (1, 2))
    return Bench(str(write_devstral_shaped(tmp_path / "devstral.gguf")), slots=2)


async def test_a_short_soak_leaves_samples_of_all_three_processes(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "CHARACTERS", 10)
    monkeypatch.setattr(soak, "SAMPLE_S", 0.05)
    await soak.soak(bench, 1.0, tmp_path / "soak.jsonl", core=10.0, visit_s=0.1)
    header, rows = soak.rows_of(tmp_path / "soak.jsonl")
    assert (header["seconds"], header["threads"]) == (1.0, 1)
    assert set(rows[-1]["processes"]) == {"server", "index", "engine"}
    assert rows[-1]["did"]["keys"] > 5
    found = growth_report.figures(rows)
    assert all(one["pids"] == 1 and one["rss_mb"]["most"] > 5 for one in found["processes"].values())
    assert found["engine"]["clients_most"] >= 2


async def test_a_short_load_tells_of_each_server_and_ends_idle(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LOOK_S", 0.05)
    result = await load.load(bench, 2, 1.0)
    assert [bool(one["did"]["keys"]) for one in result["seats"]] == [True, True]
    assert len(result["servers_mb"]) == 2
    assert result["looks"][-1]["clients"] >= 3
    assert result["idle_s"] is not None
    assert "2 servers" in "\n".join(load.table(result))


async def test_a_small_workspace_is_walked_to_its_end_and_documents_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("N_FOLDERS", 8), ("N_KEYS", 2), ("N_MEANWHILE", 0), ("REST_S", 0.01), ("GAP_S", 0.0)):
        monkeypatch.setattr(workspace, name, value)
    workspace.make(tmp_path / "full", 64)
    found = await workspace.full(tmp_path, tmp_path / "full", 64, 600.0)
    assert (found["done"], found["files"], found["lookup"]["found"]) == (True, 64 + 1, 1)
    assert found["lookup_after_changes"]["answered"]
    opened = await workspace.many_open(tmp_path, tmp_path / "full", 3)
    assert (opened["documents"], opened["first_key_ms"]["n"]) == (3, 3)
    assert any(line.startswith("full key_ms p95") for line in workspace.table({"full": found}))
