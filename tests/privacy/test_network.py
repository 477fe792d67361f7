"""Nothing leaves the machine: a day of use where there is no network, and one in which every connection is noted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from devstral_ls.platform.paths import Directories
from tests.privacy.day import Day, may

ALONE = ("unshare", "--net", "--")
TRACE = ("strace", "-f", "-qq", "-s", "400", "-e", "signal=none")
TRACE += ("-e", "trace=execve,connect,bind,listen,sendto,sendmsg,sendmmsg")
PROCESSES = ("devstral_ls", "devstral_ls.engine.daemon", "devstral_ls.retrieval.index.index_process")
"""All that are ours, by module: the server, the engine, the index."""

HOOK = """
import os, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"):
        said = repr(arguments[0] if event == "socket.getaddrinfo" else arguments[1])
        with open(os.environ["NOTED"], "a") as notes:
            notes.write(f"{sys.orig_argv[-1]} {event} {said}\\n")
sys.addaudithook(note)
with open(os.environ["NOTED"], "a") as notes:
    notes.write(f"{' '.join(sys.orig_argv)} started\\n")
"""


def outside(calls: str, home: Directories) -> list[str]:
    """Each system call of a trace that concerns an address other than a socket of ours."""
    found = []
    for line in calls.splitlines():
        families = re.findall(r"sa_family=(\w+)", line)
        paths = re.findall(r'sun_path=@?"([^"]*)"', line)
        ours = families == ["AF_UNIX"] and paths and Path(paths[0]).parent == home.runtime
        if families and not ours:
            found.append(line)
    return found


@pytest.mark.skipif(not may(*ALONE, "true"), reason="a network namespace needs root on Linux")
async def test_without_any_network_everything_works(tmp_path: Path, tiny_model: Path) -> None:
    day = Day(tmp_path)
    await day.use(tiny_model, under=ALONE)
    assert day.interfaces == ["lo"]
    assert day.n_shown


@pytest.mark.skipif(not may("strace", "true"), reason="needs strace, and leave to trace")
async def test_every_system_call_for_a_connection_is_to_the_engines_socket(tmp_path: Path, tiny_model: Path) -> None:
    day = Day(tmp_path)
    trace = tmp_path / "trace"
    await day.use(tiny_model, settings='[log]\nlevel = "debug"\n', under=(*TRACE, "-o", str(trace)))
    calls = trace.read_text(errors="replace")
    for process in PROCESSES:
        assert re.search(rf'execve\(.*"-m", "{re.escape(process)}"', calls), f"{process} was not watched"
    assert re.search(r'connect\(.*sun_path="[^"]*/engine-[^"]*\.sock"', calls)
    assert outside(calls, day.home) == []
    assert day.n_shown
    assert (tmp_path / "stderr").stat().st_size > 1000
    trace.unlink()  # it shows what was written to pipes, too
    assert day.kept() == []


@pytest.mark.skipif(not may("strace", "true"), reason="needs strace, and leave to trace")
@pytest.mark.parametrize(
    "program",
    [
        "import socket; socket.socket().connect_ex(('127.0.0.1', 9))",
        "import socket; socket.socket(socket.AF_INET6).connect_ex(('::1', 9))",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "import socket; socket.socket(socket.AF_UNIX).connect_ex('/elsewhere.sock')",
        "import socket; socket.socket().bind(('127.0.0.1', 0))",
    ],
)
def test_a_connection_elsewhere_would_be_seen(program: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    subprocess.run([*TRACE, "-o", str(trace), sys.executable, "-c", program], check=True)
    assert len(outside(trace.read_text(), Day(tmp_path).home)) == 1


async def test_what_python_itself_connects_is_the_engines_socket(tmp_path: Path, tiny_model: Path) -> None:
    """Needs no strace: an audit hook in each of our processes. It sees nothing of llama.cpp, which strace does."""
    day = Day(tmp_path)
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(HOOK)
    noted = tmp_path / "noted"
    paths = os.pathsep.join(filter(None, [str(hook), os.environ.get("PYTHONPATH")]))
    await day.use(tiny_model, PYTHONPATH=paths, NOTED=str(noted))
    lines = noted.read_text().splitlines()
    for process in PROCESSES:
        assert any(re.search(rf"-m {re.escape(process)}( .*)? started$", line) for line in lines), process
    used = [line for line in lines if not line.endswith(" started")]
    assert any("socket.connect" in line for line in used)
    ours = tuple(
        f"'{day.home.runtime}/{name}-" for name in ("engine", "llama")
    )  # the daemon's, and llama.cpp's behind it
    assert [line for line in used if not any(path in line for path in ours)] == []
