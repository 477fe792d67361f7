"""The process: start, stdio and TCP, and the ways to leave. Every test runs the server as an editor would."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import pytest

from devstral_ls.server import logs
from devstral_ls.settings.tree import LogSettings
from devstral_ls.testing.lsp_client import ROOT, LspClient, Refused, edit, environment, soon
from tests.server.conftest import Start

LEAVES_S = 15.0
"""Seconds in which a server must be gone: two, and what a loaded machine adds."""


async def left_within(client: LspClient, seconds: float) -> int:
    assert client.process is not None
    return await asyncio.wait_for(client.process.wait(), seconds)


async def test_a_session_from_start_to_end(spawn: Start) -> None:
    client = await spawn()
    await client.initialize({"general": {"positionEncodings": ["utf-8"]}})
    uri = client.open("# 中😀\n")
    client.change(uri, edit((1, 0), (1, 0), "x = "), edit((0, 2), (0, 5), ""))
    await client.script(says="1")
    (item,) = await client.inline(uri, 1, 4)
    assert item["insertText"] == "1"
    assert (await client.script())["asked"] == ["# 😀\nx = "]
    await client.status("ready")
    assert await client.leave() == 0


async def test_the_pipeline_as_it_is(spawn: Start) -> None:
    client = await spawn("--real-pipeline")
    await client.initialize(options={"inline": {"prefetch": False}})  # what is asked ahead is counted elsewhere
    uri = client.open("def add(a, b):\n    return ")
    await client.script(says="a + b\n")
    (item,) = await client.inline(uri, 1, 11, kind=1)
    assert item["insertText"] == "a + b"
    client.change(uri, edit((1, 11), (1, 11), "a"))
    (item,) = await client.inline(uri, 1, 12)
    assert item["insertText"] == " + b"
    assert len((await client.script())["asked"]) == 1


async def test_garbage_on_the_wire_is_survived(spawn: Start) -> None:
    client = await spawn()
    client.write(b"hello\r\n\r\nContent-Length: many\r\n\r\n{}Content-Length: 3\r\n\r\n{{{")
    await client.initialize()
    client.write(b"Content-Length: 2\r\nContent-Type: x\r\n\r\n[]Content-Length: -1\r\n\r\n\xff\xff")
    assert await client.inline(client.open("a"), 0, 1) != []


async def test_what_is_printed_does_not_reach_the_client(spawn: Start, tmp_path: Path) -> None:
    client = await spawn()
    await client.initialize()
    await client.request("test/print")
    assert await client.inline(client.open("a"), 0, 1) != []
    assert await client.leave() == 0
    said = (tmp_path / "stderr").read_text()
    assert "stray" in said
    assert "output" in said
    assert "of a library" in said


async def test_a_cancelled_request(spawn: Start) -> None:
    client = await spawn()
    await client.initialize()
    uri = client.open("a")
    await client.script(hold=True)
    answer = client.ask_inline(uri, 0, 1, id="held")
    await client.request("test/asked")
    client.notify("$/cancelRequest", {"id": "held"})
    with pytest.raises(Refused) as refused:
        await soon(answer)
    assert refused.value.code == -32800
    assert await client.leave() == 0


async def test_invalid_parameters_and_unknown_methods(spawn: Start, tmp_path: Path) -> None:
    client = await spawn()
    await client.initialize()
    assert (await client.refusal("textDocument/inlineCompletion", {"position": "SECRET"})).code == -32602
    assert (await client.refusal("no/such")).code == -32601
    refused = await client.refusal("test/raise", {"text": "SECRET"})
    assert set(refused.error) == {"code", "message"}
    assert await client.leave() == 0
    assert "SECRET" not in (tmp_path / "stderr").read_text()


async def test_exit_without_shutdown_ends_with_1(spawn: Start) -> None:
    client = await spawn()
    await client.initialize()
    client.notify("exit")
    assert await left_within(client, LEAVES_S) == 1


async def test_exit_while_something_runs(spawn: Start) -> None:
    client = await spawn()
    await client.initialize()
    await client.script(hold=True, hangsAtClose=True)
    client.ask_inline(client.open("a"), 0, 1)
    client.ask("test/stubborn")
    client.notify("exit")
    assert await left_within(client, 2 * LEAVES_S) == 1


@pytest.mark.parametrize("initialized", [True, False])
async def test_the_end_of_stdin(spawn: Start, initialized: bool) -> None:
    client = await spawn()
    if initialized:
        await client.initialize()
        await client.script()
    client.close_stdin()
    assert await left_within(client, LEAVES_S) == 0


async def test_a_client_that_reads_no_more(spawn: Start) -> None:
    client = await spawn()
    await client.initialize()
    await client.script()
    assert client.process is not None
    pipe = client.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
    pipe.close()
    pipe.get_extra_info("pipe").close()  # before the loop's next turn: the server may be quicker than that
    client.ask("test/script")
    assert await left_within(client, LEAVES_S) == 1


async def test_sigterm(spawn: Start) -> None:
    client = await spawn()
    await client.initialize()
    assert client.process is not None
    client.process.send_signal(signal.SIGTERM)
    assert await left_within(client, LEAVES_S) == 143


async def an_editor() -> asyncio.subprocess.Process:
    """A process that stands for the editor's."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )


@pytest.mark.parametrize("said", ["in initialize", "on the command line"])
@pytest.mark.parametrize("reaped", [True, False])
async def test_the_server_leaves_when_the_editor_has_died(spawn: Start, said: str, reaped: bool) -> None:
    editor = await an_editor()
    in_initialize = said == "in initialize"
    client = await spawn(*(() if in_initialize else ("--client-process-id", str(editor.pid))))
    await client.initialize(process_id=editor.pid if in_initialize else None)
    await client.script()
    editor.kill()
    if reaped:
        await soon(editor.wait())
    assert await left_within(client, LEAVES_S) == 1
    await soon(editor.wait())
    editor.stdin.close()  # type: ignore[union-attr]


async def test_a_process_that_cannot_be_seen_from_here_is_not_watched(spawn: Start) -> None:
    client = await spawn()
    await client.initialize(process_id=2**22 + 7)
    assert await client.inline(client.open("a"), 0, 1) != []
    assert await client.leave() == 0


async def test_tcp(tmp_path: Path) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "devstral_ls.testing.scripted_server", "--tcp", "0",
        cwd=ROOT, env=environment(tmp_path), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stderr is not None
    said = (await soon(server.stderr.readline())).decode()
    assert said.startswith("devstral-ls: listening on 127.0.0.1:")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(said.rpartition(":")[2]))
    client = LspClient(writer.write)
    client.process = server

    async def read() -> None:
        while data := await reader.read(65536):
            client.take(data)

    reading = asyncio.create_task(read())
    await client.initialize()
    assert await client.inline(client.open("a"), 0, 1) != []
    assert await client.leave() == 0
    await soon(reading)
    writer.close()
    await soon(server.stderr.read())


async def test_tcp_ends_with_its_client(tmp_path: Path) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "devstral_ls.testing.scripted_server", "--tcp", "0",
        cwd=ROOT, env=environment(tmp_path), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stderr is not None
    port = int((await soon(server.stderr.readline())).decode().rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    assert await asyncio.wait_for(server.wait(), LEAVES_S) == 0
    await soon(server.stderr.read())


async def test_no_model_is_installed(spawn: Start) -> None:
    client = await spawn(module="devstral_ls")
    await client.initialize()
    status = await client.status("absent")
    assert "devstral-ls model import PATH" in status["hint"]  # the tests are offline
    uri = client.open("a = ")
    assert await client.inline(uri, 0, 4) == []
    assert client.all("window/showMessage") == []
    assert await client.inline(uri, 0, 4, kind=1) == []
    assert "model import" in (await client.next("window/showMessage"))["message"]
    assert await client.leave() == 0


async def test_only_little_is_imported_before_initialize_is_answered(tmp_path: Path) -> None:
    look = "import sys, devstral_ls.server.app as a; a.create_server(); print('\\n'.join(sys.modules))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", look, cwd=ROOT, env=environment(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await soon(process.communicate())
    imported = set(out.decode().split())
    assert imported.isdisjoint(
        {"aiohttp", "xllamacpp", "tree_sitter", "devstral_ls.suggest.pipeline", "devstral_ls.models.gguf.header"}
    )


def test_the_log_is_a_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "server.log"
    assert logs.configure_logging(LogSettings(file=str(path))) is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert "log.file" in str(logs.configure_logging(LogSettings(file=str(path / "below a file"))))
    logs.configure_logging(LogSettings())


def test_a_log_that_cannot_be_written_costs_its_lines_only(capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no disk that is always full")
    assert logs.configure_logging(LogSettings(file="/dev/full", level="debug")) is None
    for _ in range(3):
        logging.getLogger("devstral_ls").warning("the canary %s", "sings")
    said = capsys.readouterr().err
    assert said.splitlines() == ["devstral-ls: the log cannot be written: [Errno 28] No space left on device"]
    assert logs.configure_logging(LogSettings()) is None  # closing it is no trouble either


def test_a_log_in_a_home_that_is_not_known_is_a_problem_and_nothing_else() -> None:
    assert "no such home folder" in str(logs.configure_logging(LogSettings(file="~nobody-of-that-name/log")))
