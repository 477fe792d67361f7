"""What a server counts, and that counting never costs anybody anything."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.cli import main
from devstral_ls.server import statistics_recorder as module
from devstral_ls.statistics.counters import CounterKey, Counts
from devstral_ls.statistics.store import NAME, VERSION, Store
from devstral_ls.testing.lsp_client import ROOT, LspClient, edit, environment, soon, until
from tests.server.conftest import Here, Start

Make = Callable[..., Here]

OPTIONS = {"inline": {"debounceMs": 0, "prefetch": False}}
SAYS = "alpha(beta)"


class Watch:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def later(self, client: Here, seconds: float) -> None:
        self.now += seconds
        client.server.statistics.look()
        await soon(client.server.statistics.flush())


async def begin(client: LspClient, **options: Any) -> str:
    await client.initialize(options=OPTIONS | options)
    uri = client.open("x = \n")
    await client.script(says=SAYS)
    return uri


async def take(client: LspClient, uri: str, line: int = 0, character: int = 4) -> None:
    """Ask, put in what is suggested, and say so, as an editor does."""
    items = await client.inline(uri, line, character)
    client.change(uri, edit((line, character), (line, character), items[0]["insertText"]))
    await client.request("workspace/executeCommand", items[0]["command"])


def counted(folder: Path) -> Counter[str]:
    """What the file says, by name."""
    found: Counter[str] = Counter()
    for (_, name), n in Store(folder / "data").read().items():
        found[name] += n
    return found


async def test_from_the_key_to_the_kept_row(here: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    watch = Watch()
    client = here(real_pipeline=True, clock=watch)
    uri = await begin(client)
    await take(client, uri)
    await watch.later(client, 30)
    client.change(uri, edit((0, 0), (0, 15), ""))
    await client.script()
    await watch.later(client, 270)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert main(["stats", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["language"], row["model"]) == ("python", "scripted")
    assert (row["shown"], row["accepted"], row["acceptedCharacters"]) == (1, 1, len(SAYS))
    assert row["kept"] == {"30": {"kept": 1, "known": 1}, "300": {"kept": 0, "known": 1}}
    assert row["latencyMs"]["model"]["p50"] is not None
    assert row["answeredFromMemory"] == 0


async def test_reasons_memory_and_dismissals_are_counted(here: Make, tmp_path: Path) -> None:
    client = here(real_pipeline=True)
    uri = await begin(client)
    first = await client.inline(uri, 0, 4)
    assert await client.inline(uri, 0, 4)
    await client.request("workspace/executeCommand", {**first[0]["command"], "command": "devstral.rejected"})
    assert await client.inline(uri, 0, 4) == []
    assert await client.inline(uri, 0, 1) == []
    await client.script(error="the engine is gone")
    client.change(uri, edit((0, 4), (0, 4), "z"))
    assert await client.inline(uri, 0, 5) == []
    await soon(client.server.statistics.flush())
    found = counted(tmp_path)
    assert (found["shown"], found["rejected"], found["read"]) == (1, 1, 1)
    assert sum(n for name, n in found.items() if name.startswith("ms.memory.")) == 1
    reasons = {name: n for name, n in found.items() if name.startswith("reason.")}
    assert reasons == {"reason.just-rejected": 1, "reason.text-after-cursor": 1, "reason.engine-error": 1}


async def test_a_request_taken_back_is_counted_as_that(here: Make, tmp_path: Path) -> None:
    client = here(real_pipeline=True)
    uri = await begin(client)
    await client.script(hold=True)
    client.ask_inline(uri, 0, 4)
    asked = client.last_id
    await client.request("test/asked")
    client.notify("$/cancelRequest", {"id": asked})
    await until(lambda: bool(client.server.statistics._waiting))
    await soon(client.server.statistics.flush())
    assert counted(tmp_path) == {"reason.cancelled": 1}


async def test_a_completion_list_counts_once_with_the_ghost_text(here: Make, tmp_path: Path) -> None:
    client = here(real_pipeline=True)
    uri = await begin(client, completion={"enable": True, "timeoutMs": 5000})
    await client.inline(uri, 0, 4)
    place = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 4}}
    assert (await client.request("textDocument/completion", place))["items"]
    await soon(client.server.statistics.flush())
    assert counted(tmp_path)["shown"] == 1


async def test_switched_off_nothing_is_kept(
    here: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text("[privacy]\nstatistics = false\n")
    watch = Watch()
    client = here(real_pipeline=True, clock=watch)
    uri = await begin(client)
    await take(client, uri)
    await watch.later(client, 300)
    await client.end()
    assert not (tmp_path / "data" / NAME).exists()
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert main(["stats"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "Statistics are off (privacy.statistics = false): nothing is recorded."
    ]


async def test_a_workspace_cannot_switch_them(here: Make) -> None:
    client = here()
    client.answers["workspace/configuration"] = [{"privacy": {"statistics": False}}]
    await client.initialize({"workspace": {"configuration": True}})
    await client.script()
    assert client.server.settings.privacy.statistics


async def test_switched_off_meanwhile_what_waits_is_thrown_away(here: Make, tmp_path: Path) -> None:
    client = here(real_pipeline=True)
    uri = await begin(client)
    await client.inline(uri, 0, 4)
    (tmp_path / "settings.toml").write_text("[privacy]\nstatistics = false\n")
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    await until(lambda: not client.server.settings.privacy.statistics)
    await soon(client.server.statistics.flush())
    assert not (tmp_path / "data" / NAME).exists()


async def test_a_file_that_cannot_be_written_costs_one_line_and_no_count(
    here: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / NAME).mkdir()
    watch = Watch()
    client = here(real_pipeline=True, clock=watch)
    uri = await begin(client)
    await take(client, uri)
    for _ in range(3):
        await watch.later(client, module.FLUSH_S)
    assert capfd.readouterr().err.count("is not a file") == 1
    (tmp_path / "data" / NAME).rmdir()
    await watch.later(client, module.FLUSH_S)
    assert (counted(tmp_path)["accepted"], counted(tmp_path)["kept.30.known"]) == (1, 1)


async def test_what_waits_for_the_file_is_bounded(here: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    client = here(real_pipeline=True)
    await client.initialize()
    for n in range(10):
        client.server.statistics._count("python", "m", str(n), 1)
        client.server.statistics._count("python", "m", "0", 1)
    assert sum(client.server.statistics._waiting.values()) == 11 + 1 + 1


async def test_a_newer_file_is_left_alone(here: Make, tmp_path: Path) -> None:
    Store(tmp_path / "data").add(Counts({(CounterKey("2026-11-23", "go", "m"), "shown"): 1}))
    database = sqlite3.connect(tmp_path / "data" / NAME)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    content = (tmp_path / "data" / NAME).read_bytes()
    watch = Watch()
    client = here(real_pipeline=True, clock=watch)
    uri = await begin(client)
    await take(client, uri)
    await watch.later(client, module.FLUSH_S)
    assert (tmp_path / "data" / NAME).read_bytes() == content
    assert len(client.server.statistics._logged) == 1
    assert await client.inline(uri, 1, 0)


@pytest.mark.parametrize("wall", [-1e18, 1e18, float("nan"), 4e9])
async def test_a_clock_that_is_wrong_does_no_harm(here: Make, tmp_path: Path, wall: float) -> None:
    watch = Watch()
    client = here(real_pipeline=True, clock=watch)
    client.server.statistics._wall = lambda: wall
    uri = await begin(client)
    await take(client, uri)
    await watch.later(client, -1e9)
    await watch.later(client, 2e9)
    assert counted(tmp_path)["accepted"] == 1


# --- over stdio ---


def stats(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "devstral_ls", "stats", *arguments)
    return subprocess.run(
        command, env=environment(folder, **variables), cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60
    )


async def test_two_servers_an_end_and_a_page(spawn: Start, tmp_path: Path) -> None:
    clients = [await spawn("--real-pipeline") for _ in range(2)]
    for client in clients:
        await take(client, await begin(client))
        await client.request("shutdown")
    for client in clients:
        client.notify("exit")
    assert [await client.exit_code() for client in clients] == [0, 0]
    page = await asyncio.to_thread(stats, tmp_path, PYTHONIOENCODING="utf-8")
    assert page.returncode == 0, page.stderr
    assert [line.split()[:6] for line in page.stdout.splitlines() if line.startswith("python")] == [
        ["python", "scripted", "2", "2", "100%", str(2 * len(SAYS))]
    ]
    assert "█" * 40 in page.stdout
    ascii_page = await asyncio.to_thread(stats, tmp_path, PYTHONIOENCODING="ascii")
    assert ascii_page.stdout.isascii()
    assert "#" * 40 in ascii_page.stdout
    assert (tmp_path / "data" / NAME).stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert SAYS.encode() not in (tmp_path / "data" / NAME).read_bytes()
    assert (await asyncio.to_thread(stats, tmp_path, "--clear")).stdout == "The statistics are deleted.\n"
    nothing = await asyncio.to_thread(stats, tmp_path)
    assert (nothing.returncode, nothing.stderr) == (1, "")
    assert nothing.stdout.startswith("Nothing was recorded yet.")


async def test_a_server_that_is_killed_keeps_what_it_wrote_down(spawn: Start, tmp_path: Path) -> None:
    client = await spawn("--real-pipeline")
    uri = await begin(client)
    await take(client, uri)
    await client.request("test/flush")
    await take(client, uri, 1, 0)
    assert client.process is not None
    client.process.kill()
    await client.exit_code()
    assert (counted(tmp_path)["shown"], counted(tmp_path)["accepted"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [(("--days", "0"), 2, "must be 1 or more"), (("--json", "--clear"), 2, "not allowed"), ((), 5, "damaged")],
)
def test_what_cannot_be_done_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / NAME).write_bytes(b"no database" * 100)
    told = stats(tmp_path, *arguments)
    assert (told.returncode, told.stdout) == (code, "")
    assert says in told.stderr.splitlines()[-1]
