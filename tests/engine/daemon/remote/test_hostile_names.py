"""Names and messages of a server are shown as one harmless line: in the status, in errors, as the model's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from devstral_ls.engine import devices
from devstral_ls.engine.daemon.backends.remote.dialects import DIALECTS
from devstral_ls.engine.remote_engine import RemoteEngine, RemoteOptions
from devstral_ls.engine.restart_policy import RestartPolicy
from devstral_ls.engine.status import EngineStatus
from tests.engine.fake_remote import FakeRemote, completions_only, llama_server, ollama, serving, vllm

HOSTILE = "\u202eevil\x1b]0;title\x07\r\n\u2028line\ud800"
ONCE = RestartPolicy(look=30.0, first=30.0, most=30.0)


def named(make: Callable[[], FakeRemote]) -> FakeRemote:
    """The server, whose model has that name."""
    fake = make()
    fake.pages["/v1/models"] = (200, {"data": [{"id": HOSTILE, "max_model_len": 4096}]})
    fake.pages["/api/tags"] = (200, {"models": [{"name": HOSTILE}]})
    if make is ollama:
        fake.pages["/api/show"] = (200, {"template": "x", "model_info": {}})
    if make is llama_server:
        fake.pages["/props"][1]["model_path"] = f"/m/{HOSTILE}.gguf"  # type: ignore[index]
    return fake


async def said(fake: FakeRemote, **options: Any) -> tuple[RemoteEngine, list[EngineStatus]]:
    """The engine when it is settled, and its statuses."""
    statuses = list[EngineStatus]()
    async with serving(fake) as url:
        engine = RemoteEngine(RemoteOptions(base_url=url, **options), statuses.append, policy=ONCE, environ={})
        engine.start()
        await engine.ready()
        model = engine.model
        await engine.aclose()
    assert model is None or model.name.isprintable()
    return engine, statuses


def shown(status: EngineStatus) -> str:
    return "".join(filter(None, (status.model, status.engine, status.message, status.hint)))


@pytest.mark.parametrize("make", [vllm, completions_only, ollama, llama_server])
async def test_a_models_name(make: Callable[[], FakeRemote]) -> None:
    engine, statuses = await said(named(make))
    assert engine.status.state == "ready"
    assert "evil" in (engine.status.model or "")
    assert all(shown(status).isprintable() for status in statuses)


async def test_a_model_that_is_not_there_and_those_that_are() -> None:
    engine, statuses = await said(named(vllm), remote_model=f"no{HOSTILE}")
    assert engine.status.state == "failed"
    assert "evil" in (engine.status.hint or "")
    assert all(shown(status).isprintable() for status in statuses)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_server_says_of_an_error(dialect: str, status: int) -> None:
    for body in ({"error": HOSTILE}, {"error": {"message": HOSTILE}}, {"message": HOSTILE}, HOSTILE):
        error = DIALECTS[dialect].error(status, json.dumps(body).encode())
        assert error.message.isprintable()
        assert error.hint.isprintable()


def test_the_name_of_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"name": HOSTILE, "description": HOSTILE * 100, "kind": "GPU", "free": 1, "total": 2}

    class Done:
        stdout = json.dumps([found]).encode() + b"\n"

    monkeypatch.setattr(devices.subprocess, "run", lambda *_command, **_more: Done())
    (device,) = devices.devices() or []
    assert device.name.isprintable()
    assert device.description.isprintable()
    assert len(device.description) <= devices.MAX_NAME
