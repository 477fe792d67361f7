"""A real Neovim with our plugin, driven as a user would: keys in, the screen out."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 30.0
COLUMNS, ROWS = 80, 24

SCRIPTED = (sys.executable, "-m", "devstral_ls.testing.scripted_server")

INIT = """
vim.opt.rtp:prepend({plugin})
vim.o.swapfile = false
-- a prompt would wait for a key that nobody types
vim.o.messagesopt = vim.fn.has('nvim-0.12') == 1 and 'wait:0,history:500,progress:c' or 'wait:0,history:500'
vim.o.laststatus = 2
{before}
vim.lsp.config('devstral', vim.tbl_extend('force', {{ cmd = {cmd}, cmd_cwd = {root} }}, vim.json.decode([==[{config}]==])))
vim.lsp.enable('devstral')
vim.o.statusline = '%t %{{%v:lua.require("devstral").status()%}}'
"""

GHOST = """
local out = {}
for name, space in pairs(vim.api.nvim_get_namespaces()) do
  if name == 'devstral' or name == 'nvim.lsp.inline_completion' then
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
      table.insert(out, (mark[4].virt_text or { { '' } })[1][1])
      for _, line in ipairs(mark[4].virt_lines or {}) do
        table.insert(out, line[1][1])
      end
    end
  end
end
return table.concat(out, '\\n')
"""
"""What is drawn as ghost text in the current buffer."""


def until(true: Callable[[], Any], what: str) -> Any:
    """Ask until ``true`` says something true; Neovim has no event for a screen that looks right."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.01)
    pytest.fail(f"never happened: {what}; last: {true()!r}")


def lua(value: Any) -> str:
    """``value`` as a Lua literal, for strings and lists of them."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "{" + ", ".join(lua(one) for one in value) + "}"


class Neovim:
    """One running Neovim.

    Args:
        program: the binary.
        folder: its working directory, and where it finds its configuration.
        cmd: the server.
        config: for ``vim.lsp.config``, as JSON.
        before: Lua for ``init.lua``, before the server is enabled.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        *,
        cmd: tuple[str, ...] = SCRIPTED,
        config: Mapping[str, Any] | None = None,
        before: str = "",
    ) -> None:
        import pynvim

        self.folder = folder
        init = folder / "init.lua"
        plugin = str(ROOT / "editors/neovim")
        config = {"settings": {"devstral": {"inline": {"debounceMs": 0, "prefetch": False}}}, **(config or {})}
        init.write_text(
            INIT.format(
                plugin=lua(plugin), root=lua(str(ROOT)), cmd=lua(list(cmd)), config=json.dumps(config), before=before
            )
        )
        argv = [str(program), "--embed", "--headless", "-n", "-i", "NONE", "-u", str(init)]
        self.nvim = pynvim.attach("child", argv=argv)
        self.nvim.ui_attach(COLUMNS, ROWS, rgb=True)

    def lua(self, code: str, *arguments: Any) -> Any:
        """The first value that ``code`` returns."""
        return self.nvim.exec_lua(code, *arguments)

    def open(self, text: str, name: str = "a.py") -> None:
        """Edit a file that holds ``text``, with the cursor at ``▮``, and wait for the server."""
        path = self.folder / name
        before, _, _after = text.partition("▮")
        path.write_bytes(text.replace("▮", "").encode())
        self.nvim.command(f"edit {path}")
        row, column = before.count("\n") + 1, len(before.rpartition("\n")[2].encode())
        self.attached()
        self.nvim.current.window.cursor = (row, column)

    def attached(self) -> None:
        """Wait for a server that has answered ``initialize`` and said how it is."""
        until(
            lambda: self.lua(
                "local c = vim.lsp.get_clients({ name = 'devstral', bufnr = 0 })[1]"
                " return c and c.initialized and require('devstral.status').line():match('^devstral: %a') ~= nil"
            ),
            "the server is attached",
        )

    def script(self, **what: Any) -> dict[str, Any]:
        """Tell the scripted server what to do; how it is then."""
        return self.lua(
            "local c = vim.lsp.get_clients({ name = 'devstral' })[1]"
            " return c:request_sync('test/script', ..., 20000, 0).result",
            what or {"error": None},
        )

    def keys(self, keys: str) -> None:
        """Type, in Neovim's notation."""
        self.nvim.input(keys)

    def ghost(self) -> str:
        """The ghost text that is drawn."""
        return self.lua(GHOST)

    def sees(self, ghost: str) -> None:
        """Wait for exactly this ghost text."""
        until(lambda: self.ghost() == ghost, f"ghost text {ghost!r}, not {self.ghost()!r}")

    @property
    def text(self) -> str:
        """The current buffer."""
        return "\n".join(self.nvim.current.buffer[:])

    def has(self, text: str) -> None:
        """Wait for exactly this text."""
        until(lambda: self.text == text, f"the text {text!r}, not {self.text!r}")

    @property
    def cursor(self) -> tuple[int, int]:
        row, column = self.nvim.current.window.cursor
        return row, column

    def screen(self) -> list[str]:
        """What the user sees, line by line."""
        self.nvim.command("redraw")
        return self.lua(
            "local rows = {} for row = 1, vim.o.lines do local cells = {}"
            " for column = 1, vim.o.columns do cells[column] = vim.fn.screenstring(row, column) end"
            " rows[row] = table.concat(cells):gsub('%s+$', '') end return rows"
        )

    def dump(self, path: Path) -> list[str]:
        """Keep the screen as a file."""
        rows = self.screen()
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return rows

    def status(self) -> str:
        """The statusline's word on the server."""
        return self.lua("return require('devstral').status()")

    def messages(self) -> str:
        return self.nvim.command_output("messages")

    def servers(self) -> list[int]:
        """Process ids of the servers that run."""
        return self.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")

    def close(self) -> None:
        """End Neovim."""
        with contextlib.suppress(EOFError, OSError):
            self.nvim.command("qa!")
        self.nvim.close()


def alive(pid: int) -> bool:
    """Does the process run (and not just wait to be reaped)?"""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
