"""``devstral-ls`` without a command: the language server, as a user meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstral_ls.testing.lsp_client import environment


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")
def test_in_a_terminal_it_says_that_it_is_a_language_server_and_serves(tmp_path: Path) -> None:
    import pty
    import tty

    terminal, its_end = pty.openpty()
    tty.setraw(its_end)
    server = subprocess.Popen(
        [sys.executable, "-m", "devstral_ls"],
        stdin=its_end,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    )
    os.close(its_end)
    assert server.stdout is not None
    assert server.stderr is not None
    try:
        assert server.stderr.readline().startswith(b"This is a language server")
        assert b"devstral-ls demo" in server.stderr.readline()
        body = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"processId": null, "capabilities": {}}}'
        os.write(terminal, b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert server.stdout.readline().startswith(b"Content-Length: ")
        server.send_signal(signal.SIGINT)
        server.wait(20)
    finally:
        server.kill()
        server.communicate()
        os.close(terminal)


def test_without_a_terminal_nothing_is_said(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "devstral_ls"], input=b"", capture_output=True, env=environment(tmp_path), timeout=60
    )
    assert (ended.stdout, ended.stderr) == (b"", b"")
