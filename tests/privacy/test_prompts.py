"""What an engine is sent: nothing of a file that is excluded, ignored, secret or outside; no key, no token.

The real server over stdio with its real index; the engine is one that notes every request.
"""

from __future__ import annotations

import asyncio
import json
import random
import string
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


# --- a secret across the end of what is cut out ---


def keys(n: int) -> list[str]:
    """``n`` made-up keys of GitHub."""
    letters = random.Random(n)
    return ["gh" + "p_" + "".join(letters.choices(string.ascii_letters + string.digits, k=36)) for _ in range(n)]


def halves(secrets: list[str], sent: str) -> list[str]:
    """Eight characters in a row of each secret of which so many were sent."""
    eights = ((secret[at : at + 8], secret) for secret in secrets for at in range(4, len(secret) - 7))
    return list({secret: eight for eight, secret in eights if eight in sent}.values())


def private_key(n_lines: int) -> tuple[str, list[str]]:
    """A made-up private key, and its lines."""
    letters = random.Random(n_lines)
    lines = ["".join(letters.choices(string.ascii_letters + string.digits + "+/", k=64)) for _ in range(n_lines)]
    return "\n".join(["-----BEGIN RSA PRIV" + "ATE KEY-----", *lines, "-----END RSA PRIV" + "ATE KEY-----"]), lines


async def test_a_key_across_the_end_of_the_window_leaves_no_half(watched: Watched) -> None:
    """One long line is cut anywhere. The places of cursors move both ends of the window through a key and its name."""
    secrets = keys(500)
    before, after = secrets[:250], secrets[250:]
    for shift in range(0, 48, 12):
        text = f"x = [{','.join(before)}, {'1, ' * shift}"
        line = f"{text}, {','.join(after)}]\n"
        assert await watched.ask(f"long{shift}.py", line, 0, len(text)) == "shown"
    assert "1, 1, 1, " in watched.sent
    assert halves(secrets, watched.sent) == []


@pytest.mark.parametrize("is_above", [True, False])
async def test_a_private_key_across_the_end_of_the_window_leaves_no_line(is_above: bool, watched: Watched) -> None:
    key, lines = private_key(120)
    code = "first = 1\nsecond = compute(\n"
    text = f'KEY = """{key}"""\n{code}' if is_above else f'{code}KEY = """{key}"""\n'
    row = text[: text.index("compute(")].count("\n")
    assert await watched.ask("a.py", text, row, len("second = compute(")) == "shown"
    assert "second = compute(" in watched.sent
    assert halves(lines, watched.sent) == []


async def test_a_key_across_the_end_of_a_place_in_another_document_leaves_no_half(watched: Watched) -> None:
    secrets = keys(8)
    widths = range(700, 796, 12)
    for number, (secret, width) in enumerate(zip(secrets, widths, strict=True)):
        text = f"places = '{'-' * (width - 20)}'\nt = connect('{secret}')\nfirst(\n"
        assert await watched.ask(f"other{number}.py", text, 2, 6) == "shown"
    before = watched.sent
    assert await watched.ask("a.py", CODE) == "shown"
    assert "places = " in watched.sent[len(before) :]
    assert halves(secrets, watched.sent) == []


async def test_a_key_across_the_end_of_a_signature_leaves_no_half(watched: Watched) -> None:
    secrets = keys(8)
    functions = [
        f"def area{number}(\n    width='{'-' * (230 + 8 * number)}', start='{secret}'):\n    pass\n"
        for number, secret in enumerate(secrets)
    ]
    write(watched.workspace, {"shapes.py": "\n".join(functions)})
    names = ", ".join(f"area{number}" for number in range(8))
    for number in range(8):
        code = f"from shapes import {names}\n\nx = area{number}(\n"
        assert await watched.ask(f"a{number}.py", code, 2, 10) == "shown"
    assert "width='----" in watched.sent
    assert halves(secrets, watched.sent) == []


async def test_an_unquoted_password_is_not_sent(watched: Watched) -> None:
    secret = "t9" + "Kq!" + "vXw3#" + "Lz8"
    text = f"database:\n  user: app\n  password: {secret}\n  host: db\n  port: \n"
    assert await watched.ask("database.yaml", text, 4, 8) == "shown"
    assert "password: xxxx" in watched.sent
    assert halves([f"    {secret}"], watched.sent) == []


async def test_a_key_in_a_header_far_above_the_window_is_not_sent(watched: Watched) -> None:
    [secret] = keys(1)
    body = "".join(f"    value{number} = compute({number})\n" for number in range(700))
    text = f"def handler(\n    where='{secret}',\n    key=None,\n):\n{body}    last = compute(\n"
    assert await watched.ask("a.py", text, 704, len("    last = compute(")) == "shown"
    assert "def handler(" in watched.sent
    assert halves([secret], watched.sent) == []
