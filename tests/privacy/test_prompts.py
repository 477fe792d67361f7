"""What an engine is sent: nothing of a file that is excluded, ignored, secret or outside; no key, no token.

The real server over stdio with its real index; the engine is one that notes every request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstral_ls.testing import lsp_client
from devstral_ls.testing.lsp_client import LspClient, Refused
from tests.engine.fake_remote import QWEN, FakeRemote, serving, vllm
from tests.privacy.day import canary
from tests.retrieval.tree import write

LONG_S = 60.0
CODE = "from shapes import area, other\n\nx = area(\n"


class Watched:
    """A client whose engine notes what it is asked."""

    def __init__(self, client: LspClient, engine: FakeRemote, workspace: Path) -> None:
        self.client, self.engine, self.workspace = client, engine, workspace

    @property
    def sent(self) -> str:
        """All bodies so far; the vocabulary of the engine is characters, so ids are read back, too."""
        bodies = [body for _, body in self.engine.requests]
        ids = [i for body in bodies if isinstance(body.get("prompt"), list) for i in body["prompt"]]
        return json.dumps(bodies) + "".join(chr(i - 1000) for i in ids if i >= 1000)

    async def ask(self, name: str, text: str = CODE, line: int = 2, character: int = 9) -> str:
        """The reason that the server gives for its answer in the workspace's file ``name``."""
        uri = self.client.open(text, uri=(self.workspace / name).as_uri())
        await asyncio.wait_for(self.client.ask_inline(uri, line, character, kind=1), LONG_S)
        command = {"command": "devstral.why", "arguments": [uri]}
        return str((await self.client.request("workspace/executeCommand", command))["reason"])


async def act(watched: Watched, action: str, name: str, line: int = 3, **more: str) -> str:
    """What the user is told of the action."""
    span = {"start": {"line": line, "character": 0}, "end": {"line": line, "character": 4}}
    asked = {"action": action, "uri": (watched.workspace / name).as_uri(), "range": span, **more}
    command = {"command": "devstral.runAction", "arguments": [asked]}
    try:
        answer = await asyncio.wait_for(watched.client.ask("workspace/executeCommand", command), LONG_S)
    except Refused as refused:
        return refused.message
    return str(answer["message"])


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    engine = vllm({**QWEN, "<|repo_name|>": 907, "<|file_sep|>": 908})
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    async with serving(engine) as url:
        engine_settings = f'[engine]\nkind = "remote"\nbaseUrl = "{url}"\nremoteModel = "org/coder"\n'
        (tmp_path / "settings.toml").write_text(f"[inline]\ndebounceMs = 0\nahead = false\n{engine_settings}")
        client = await lsp_client.start(tmp_path, module="devstral_ls")
        await client.initialize({"workspace": {"applyEdit": True}}, folder=workspace)
        await client.status("ready")
        yield Watched(client, engine, workspace)
        await lsp_client.stop(client)


async def test_what_may_be_shown_is(watched: Watched) -> None:
    """That the others would be seen."""
    seen, current = canary(), canary()
    write(watched.workspace, {"shapes.py": f"def area(width, {seen}): pass\n"})
    assert await watched.ask("a.py", f"# {current}\n{CODE}", 3) == "shown"
    assert seen in watched.sent
    assert current in watched.sent


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({".env.py": "{}"}, ".env"),
        ({"aws_credentials.py": "{}"}, "aws_credentials"),
        ({".gitignore": "private.py\n", "private.py": "{}"}, "private"),
        ({".ignore": "private/\n", "private/p.py": "{}"}, "private.p"),
        ({"sub/.gitignore": "*\n", "sub/p.py": "{}"}, "sub.p"),
    ],
)
async def test_a_file_that_nobody_is_to_read_is_in_no_prompt(
    files: dict[str, str], name: str, watched: Watched
) -> None:
    hidden = canary()
    definition = f"def area(width, {hidden}): pass\n"
    write(watched.workspace, {path: text.replace("{}", definition) for path, text in files.items()})
    assert await watched.ask("a.py", CODE.replace("shapes", name)) == "shown"
    assert hidden not in watched.sent


async def test_a_link_out_of_the_workspace_is_not_followed(watched: Watched) -> None:
    hidden = canary()
    outside = write(watched.workspace.parent / "outside", {"shapes.py": f"def area(width, {hidden}): pass\n"})
    (watched.workspace / "shapes.py").symlink_to(outside / "shapes.py")
    (watched.workspace / "folder").symlink_to(outside)
    for name in ("a.py", "b.py"):
        assert await watched.ask(name, CODE.replace("shapes", "shapes" if name == "a.py" else "folder.shapes"))
    assert hidden not in watched.sent


@pytest.mark.parametrize(
    ("files", "name", "reason"),
    [
        ({}, ".env", "excluded"),
        ({}, "server.key", "excluded"),
        ({}, "my_secrets.py", "excluded"),
        ({".gitignore": "local.py\n"}, "local.py", "ignored"),
    ],
)
async def test_in_such_a_file_nothing_is_asked(files: dict[str, str], name: str, reason: str, watched: Watched) -> None:
    write(watched.workspace, files)
    hidden = canary()
    assert await watched.ask(name, f"# {hidden}\n{CODE}", 3) == reason
    assert hidden not in watched.sent
    says = {"excluded": "is excluded by", "ignored": "an ignore file names"}
    assert says[reason] in await act(watched, "explain", name)
    assert hidden not in watched.sent


async def test_a_key_in_the_code_is_not_sent_with_it(watched: Watched) -> None:
    key, elsewhere = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bD1fG3hJ5", "s" + "k-" + "9aB3dE5gH7jK" * 4
    write(watched.workspace, {"shapes.py": f"def area(width, token='{elsewhere}'): pass\n"})
    assert await watched.ask("a.py", f"TOKEN = '{key}'\n{CODE}", 3) == "shown"
    assert "TOKEN" in watched.sent
    assert "width" in watched.sent
    assert key not in watched.sent
    assert elsewhere not in watched.sent


FUNCTION = "def connect(host):\n    token = '{}'\n    return open(host, token)\n"


async def test_an_action_does_not_send_a_key_and_does_not_lose_it(watched: Watched) -> None:
    key = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bD1fG3hJ5"
    watched.client.open(FUNCTION.format(key), uri=(watched.workspace / "a.py").as_uri())
    said = await act(watched, "explain", "a.py", 1)
    assert "return open(host, token)" in watched.sent, said
    before = watched.sent
    assert "looks like a secret" in await act(watched, "rewrite", "a.py", 1, instruction="shorten it")
    assert watched.sent == before
    assert key not in watched.sent


@pytest.mark.parametrize("ignored", [True, False])
async def test_tests_that_nobody_is_to_read_are_not_shown_as_examples(ignored: bool, watched: Watched) -> None:
    hidden = canary()
    files = {"pyproject.toml": "[tool.pytest.ini_options]\n", "tests/test_a.py": f"def test_{hidden}():\n    pass\n"}
    write(watched.workspace, files | ({".gitignore": "tests/\n"} if ignored else {}))
    watched.client.open(FUNCTION.format("x"), uri=(watched.workspace / "a.py").as_uri())
    said = await act(watched, "tests", "a.py", 1)
    assert "return open(host, token)" in watched.sent, said
    assert (hidden in watched.sent) is not ignored
