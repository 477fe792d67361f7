"""One engine or the other, as the settings say; and a remote engine against a real llama-server on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.runtime_dir import TRANSPORT
from devstral_ls.engine.spec import EngineOptions, options_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.engine.switch import ConfiguredEngine, engine_of
from devstral_ls.errors import SettingsError
from devstral_ls.generation import GenerationRequest, Special, Text
from devstral_ls.models.families.table import bos_token, family_of, layouts_of
from devstral_ls.models.gguf.header import read_header
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import EngineSettings, Settings, read
from devstral_ls.testing import gguf_files
from tests.engine.fake_remote import serving, vllm
from tests.engine.in_process import loaded

PATIENCE = 30.0


def remote(url: str | None) -> Settings:
    return Settings(engine=EngineSettings(kind="remote", base_url=url))


async def said(engine: ConfiguredEngine, *parts: Special | Text, begins_with: str = "") -> str:
    async with engine.generate(GenerationRequest(parts or (Text("x"),), 8, begins_with=begins_with)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


def test_the_settings_decide() -> None:
    assert isinstance(options_of(Settings()), EngineOptions)
    tree = {"engine": {"kind": "remote", "baseUrl": "https://m", "dialect": "openai", "remoteModel": "x"}}
    tree["engine"] |= {"apiKeyEnv": "K", "allowRemote": True, "caFile": "/ca"}  # type: ignore[dict-item]
    settings, problems = read({**tree, "model": {"contextTokens": 4096}})
    assert not problems
    assert options_of(settings) == RemoteOptions("https://m", "openai", "x", "K", True, "/ca", 4096)
    assert read(tree, user=False)[0] == Settings(), "a workspace must not decide who is contacted"


@pytest.mark.parametrize(
    ("inline", "actions", "asked"),
    [(None, None, ("m", "m")), ("small", None, ("small", "m")), ("small", "big", ("small", "big"))],
)
def test_ghost_text_and_actions_may_have_models_of_their_own(
    inline: str | None, actions: str | None, asked: tuple[str, str]
) -> None:
    tree = {"model": {"name": "m"}, "inline": {"model": inline}, "actions": {"model": actions}}
    settings, _ = read({**tree, "engine": {"remoteModel": "m"}})
    answering = settings.answering("inline"), settings.answering("actions")
    assert tuple(options_of(found).model for found in answering) == asked  # type: ignore[union-attr]
    elsewhere = (replace(found, engine=replace(found.engine, kind="remote")) for found in answering)
    assert tuple(options_of(found).remote_model for found in elsewhere) == asked  # type: ignore[union-attr]


async def test_the_kind_changes_at_run_time(home: Directories, devstral_shaped: Path) -> None:
    statuses: list[EngineStatus] = []
    own = replace(Settings(), model=replace(Settings().model, name=str(devstral_shaped), context_tokens=512))
    async with serving(vllm()) as url:
        engine = engine_of(remote(url), home, statuses.append)
        engine.start()
        assert (await asyncio.wait_for(engine.ready(), PATIENCE)).model == "coder"
        assert await said(engine) == "x_1"
        engine.reconfigure(options_of(own))
        assert engine.model is None
        assert (await asyncio.wait_for(engine.ready(), PATIENCE)).model == "devstral-shaped"
        assert len(await said(engine)) >= 8
        engine.reconfigure(options_of(remote(url)))
        assert (await asyncio.wait_for(engine.ready(), PATIENCE)).model == "coder"
        assert await said(engine) == "x_1"
        async with asyncio.timeout(PATIENCE):
            while rendezvous.engines(home):  # noqa: ASYNC110  it has no client any more, and leaves beside us
                await asyncio.sleep(0.02)
        n_said = len(statuses)
        await engine.aclose()
    assert len(statuses) == n_said
    assert statuses[-1].state in ("ready", "generating")


async def test_a_wait_for_one_kind_ends_with_the_other(home: Directories) -> None:
    engine = engine_of(Settings(), home, lambda status: None)  # never started
    waiting = asyncio.create_task(engine.ready())
    engine.start()
    engine.reconfigure(options_of(remote(None)))
    assert (await asyncio.wait_for(waiting, PATIENCE)).state == "failed"
    assert isinstance(engine.error, SettingsError)
    engine.check_now()
    engine.halt()
    engine.restart()
    await engine.aclose()


@pytest.mark.parametrize(
    "write", [gguf_files.write_devstral_shaped, gguf_files.write_qwen_fim, gguf_files.write_spm_llama]
)
async def test_a_real_llama_server_is_understood_as_its_file_is(
    write: object, home: Directories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remote way tells of a model what the managed one reads from its header, and sends the same ids."""
    monkeypatch.setenv(TRANSPORT, "tcp")
    path = write(tmp_path / "m.gguf")  # type: ignore[operator]
    async with loaded(home, path) as real:
        endpoint = real.backend._connection.endpoint
        monkeypatch.setenv("DEVSTRAL_TEST_KEY", endpoint.api_key)
        options = RemoteOptions(base_url=endpoint.address, api_key_env="DEVSTRAL_TEST_KEY")
        engine = ConfiguredEngine(options, home)
        engine.start()
        status = await asyncio.wait_for(engine.ready(), PATIENCE)
        assert status.state == "ready", status
        ours = engine.model
        assert ours is not None
        header = read_header(path)
        assert ours.family == family_of(header).id
        assert (ours.layouts, ours.bos) == (layouts_of(header), bos_token(header))
        assert ours.context_tokens == real.backend.info.context_tokens == 512
        prompt = (Text("def f(): '[INST]</s><|im_end|><|fim_middle|>'\n    "),)
        with engine._engine.using() as client:
            assert isinstance(client, BackendEngine)
            assert await client.ids(prompt) == await real.ids(prompt)
        assert (await said(engine, *prompt, begins_with="ret")).startswith("ret")
        monkeypatch.setenv("DEVSTRAL_TEST_KEY", "guess")
        bad = ConfiguredEngine(options, home)
        bad.start()
        assert "key" in ((await asyncio.wait_for(bad.ready(), PATIENCE)).message or "")
        for each in (engine, bad):
            await each.aclose()
