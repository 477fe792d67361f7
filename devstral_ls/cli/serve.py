"""``devstral-ls [serve]``: the language server on stdio or TCP."""

from __future__ import annotations

import argparse
import sys

from devstral_ls.errors import SettingsError
from devstral_ls.server.app import create_server, serve_stdio, serve_tcp

_IN_A_TERMINAL = """\
This is a language server: an editor starts it and speaks to it. It waits for one now; Ctrl-C ends it.
To see suggestions here, run `devstral-ls demo`; to check this machine, `devstral-ls doctor`; for all commands, `devstral-ls --help`.
"""


def run(options: argparse.Namespace) -> int:
    """Serve until the editor sends ``exit`` or disconnects."""
    server = create_server(client_process_id=options.client_process_id)
    if options.tcp is None:
        if sys.stdin.isatty():
            print(_IN_A_TERMINAL, end="", file=sys.stderr, flush=True)
        return serve_stdio(server)
    host, _, port = options.tcp.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"--tcp {options.tcp}: expected HOST:PORT", hint="For example --tcp 127.0.0.1:4389.")
    try:
        return serve_tcp(server, host or "127.0.0.1", int(port))
    except OSError as error:
        raise SettingsError(f"--tcp {options.tcp}: {error.strerror}", hint="Choose another host or port.") from error
