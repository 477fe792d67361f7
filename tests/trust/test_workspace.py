"""A workspace has no say in what is executed, contacted, loaded, read or kept: hostile files and hostile answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.settings.tree import USER_ONLY, USER_ONLY_KEYS, Settings, read
from devstral_ls.testing import lsp_client
from devstral_ls.testing.gguf_files import write_devstral_shaped
from devstral_ls.testing.lsp_client import ROOT, LspClient
from tests.engine.fake_remote import FakeRemote, serving, vllm
from tests.retrieval.tree import write

PLANTED = "import os; open(os.environ['MARKER'], 'a').write(__file__ + '\\n')\n"
"""What a module of the workspace does when anything imports it."""

MODULES = (
    "devstral_ls/__init__.py",
    "sitecustomize.py",
    "json.py",
    "httpx.py",
    "aiohttp.py",
    "xllamacpp.py",
    "tree_sitter.py",
)
CODE = "import os\n\n\ndef first(a):\n    b = a\n    return b\n"


def hostile(url: str, folder: Path) -> dict[str, Any]:
    """All that a workspace may not say."""
    return {
        "model": {"name": str(folder / "evil.gguf"), "allowDownload": True},
        "engine": {"kind": "remote", "baseUrl": url, "remoteModel": "org/coder", "allowRemote": True, "apiKeyEnv": "HOME"},
        "inline": {"model": str(folder / "evil.gguf"), "debounceMs": 0},
        "actions": {"model": str(folder / "evil.gguf")},
        "privacy": {"exclude": [], "redactSecrets": False, "respectIgnoreFiles": False},
        "log": {"level": "debug", "contents": True, "file": str(folder / "stolen.log")},
    }  # fmt: skip


def toml(tree: dict[str, Any]) -> str:
    sections = {name: "".join(f"{key} = {json.dumps(value)}\n" for key, value in s.items()) for name, s in tree.items()}
    return "".join(f"[{name}]\n{lines}" for name, lines in sections.items())


async def work(client: LspClient, folder: Path, tree: Any, options: Any = None) -> None:
    """A session in the hostile workspace, which says ``tree`` in every way there is."""
    client.answers["workspace/configuration"] = [tree]
    await client.initialize({"workspace": {"configuration": True}}, options, folder=folder)
    await client.next("workspace/configuration")
    client.notify("workspace/didChangeConfiguration", {"settings": {"devstral": tree}})
    await client.next("devstral/status", lambda status: status["state"] in ("absent", "ready", "failed"))
    uri = client.open(CODE, uri=(folder / "a.py").as_uri())
    await client.inline(uri, 5, 4, kind=1)


async def session(tmp_path: Path, fake: FakeRemote, *, by_user: bool) -> Path:
    """Begun in the hostile workspace; the marker that anything imported from there leaves its name in."""
    folder, marker = tmp_path / "hostile", tmp_path / "marker"
    async with serving(fake) as url:
        tree = hostile(url, folder)
        write(folder, dict.fromkeys(MODULES, PLANTED))
        write(
            folder,
            {"settings.toml": toml(tree), ".devstral-ls.toml": toml(tree), "devstral-ls/settings.toml": toml(tree)},
        )
        vscode = {f"devstral.{section}.{key}": value for section, keys in tree.items() for key, value in keys.items()}
        write(folder, {".vscode/settings.json": json.dumps(vscode), ".env": f"DEVSTRAL_LS_MODEL={folder}/evil.gguf\n"})
        write(folder, {".nvim.lua": f"vim.g.devstral = {{ cmd = {{ '{folder}/evil' }} }}\n"})
        write_devstral_shaped(folder / "evil.gguf")
        variables = {"MARKER": str(marker), "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        under = ("env", "-C", str(folder))  # as editors start it: in the workspace
        client = await lsp_client.start(tmp_path, module="devstral_ls", under=under, **variables)
        try:
            await work(client, folder, tree, tree if by_user else None)
            assert await client.leave() == 0
        finally:
            await lsp_client.stop(client)
    return marker


@pytest.mark.skipif(sys.platform == "win32", reason="starts the server with env")
async def test_a_hostile_workspace_is_not_heeded(tmp_path: Path) -> None:
    fake = vllm()
    marker = await session(tmp_path, fake, by_user=False)
    assert fake.requests == []
    assert not marker.exists()
    assert not (tmp_path / "hostile/stolen.log").exists()
    assert not list((tmp_path / "run").glob("*")), "an engine was started"
    assert CODE.splitlines()[3] not in (tmp_path / "stderr").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="starts the server with env")
async def test_the_same_as_the_users_word_is(tmp_path: Path) -> None:
    """That the address would be contacted and the log would be written."""
    fake = vllm()
    await session(tmp_path, fake, by_user=True)
    assert fake.requests
    assert CODE.splitlines()[3] in (tmp_path / "hostile/stolen.log").read_text()


def test_everything_that_is_executed_contacted_or_read_is_the_users_alone() -> None:
    mine = read(hostile("http://127.0.0.1:1", Path("/w")))[0]
    theirs, problems = read(hostile("http://127.0.0.1:1", Path("/w")), user=False)
    assert mine.engine.base_url
    assert theirs.inline.debounce_ms == 0  # what is harmless is taken
    assert (theirs.model, theirs.engine, theirs.privacy, theirs.log) == (
        Settings().model, Settings().engine, Settings().privacy, Settings().log,
    )  # fmt: skip
    assert (theirs.inline.model, theirs.actions.model) == (None, None)
    assert {problem.key for problem in problems} == USER_ONLY & set(hostile("", Path())) | USER_ONLY_KEYS


def test_what_the_vs_code_extension_calls_the_users_own_is_the_same() -> None:
    """The extension sends a workspace's values of no other settings than the server would take from a workspace."""
    manifest = json.loads((ROOT / "editors/vscode/package.json").read_text())
    sections = manifest["contributes"]["configuration"]
    rows = {
        key.removeprefix("devstral."): row
        for section in (sections if isinstance(sections, list) else [sections])
        for key, row in section["properties"].items()
    }
    own = {key for key in rows if key.split(".")[0] in USER_ONLY or key in USER_ONLY_KEYS}
    assert len(own) > 15
    assert {key: rows[key].get("scope") for key in own} == dict.fromkeys(own, "machine")
