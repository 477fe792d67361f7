"""With no model installed: one offer, the fetch with its progress and its cancel, and suggestions after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.engine.devices import Memory, devices
from devstral_ls.errors import ModelNotFound
from devstral_ls.models import store
from devstral_ls.models.download.pull_progress import OnProgress, Phase, PullProgress
from devstral_ls.platform.paths import directories
from devstral_ls.server.factories import FACTORIES
from devstral_ls.server.model_install import choices_for
from devstral_ls.server.protocols import Factories, Fetching
from devstral_ls.testing import gguf_files
from devstral_ls.testing.lsp_client import NEVER, Refused, environment, until
from devstral_ls.testing.scripted_server import Rig
from tests.server.conftest import Here

Make = Callable[..., Here]

GB = 10**9
ABSENT = {"state": "absent", "message": "no model is installed", "hint": "Install one."}
CAPABILITIES = {"window": {"workDoneProgress": True, "showMessage": {}}}
ONLINE = {"DEVSTRAL_LS_OFFLINE": ""}
ASK = "window/showMessageRequest"


class Shop:
    """Fetches nothing, slowly: a step each time the test says so."""

    def __init__(self, gpu: int = 0, error: ModelNotFound | None = None) -> None:
        self.asked: list[str] = []
        self.step = threading.Semaphore(0)
        self.cancelled = threading.Event()
        self.fetching = Fetching(self.pull, lambda: Memory(24 * GB, gpu))
        self.error = error
        self.client: Here | None = None

    def pull(self, models: Path, name: str, report: OnProgress) -> object:
        self.asked.append(name)
        try:
            for done in (0, 50, 50, 100):
                assert self.step.acquire(timeout=20)
                report(PullProgress(name, Phase.DOWNLOADING, done, 100, "a shop"))
        except BaseException:
            self.cancelled.set()
            raise
        if self.error is not None:
            raise self.error
        assert self.client is not None
        assert self.client.rig.engine is not None
        self.client.rig.engine.pulled = True
        return None

    def all_steps(self) -> None:
        self.step.release(4)


def offered(here: Make, shop: Shop, answer: Any = None, **variables: str) -> Here:
    """A client without a model, that answers the offer with the action whose title begins so."""
    client = here(status=ABSENT, fetching=shop.fetching, **(ONLINE | variables))
    shop.client = client

    def choose(params: dict[str, Any]) -> Any:
        return next((action for action in params["actions"] if action["title"].startswith(answer)), None)

    client.answers[ASK] = choose if isinstance(answer, str) else answer
    return client


async def test_the_starter_is_fetched_and_suggestions_begin(here: Make) -> None:
    shop = Shop()
    client = offered(here, shop, "Starter")
    await client.initialize(CAPABILITIES)
    asked = await client.next(ASK)
    assert asked["message"] == "Devstral: no model is installed. Fetch one?"
    assert [action["title"] for action in asked["actions"]] == [
        "Starter: Qwen2.5-Coder 0.5B Instruct (Q4_K_M), 0.5 GB",
        "Devstral Small 1.1 (24B, Q4_K_M), 14.3 GB, slow without a GPU",
        "Choose a file…",
        "Not now",
    ]
    begin = await client.next("$/progress")
    assert begin["value"] == {
        "kind": "begin", "title": "Fetching starter", "cancellable": True, "percentage": 0,
    }  # fmt: skip
    uri = client.open("a")
    assert await client.inline(uri, 0, 1) == []  # nobody waits for it
    shop.all_steps()
    await client.next("$/progress", lambda params: params["value"].get("percentage") == 50)
    end = await client.next("$/progress", lambda params: params["value"]["kind"] == "end")
    assert end["value"]["message"] == "starter is installed"
    await client.status("ready")
    assert await client.inline(uri, 0, 1) != []
    assert shop.asked == ["starter"]


async def test_the_status_says_what_is_being_downloaded(here: Make) -> None:
    shop = Shop()
    client = offered(here, shop, "Starter")
    await client.initialize(CAPABILITIES)
    begun = await client.next("devstral/status", lambda body: body["message"] == "downloading starter")
    assert (begun["state"], begun["model"], begun["hint"]) == ("absent", "starter", None)
    shop.step.release(2)
    half = await client.next("devstral/status", lambda body: body.get("progress") == 0.5)
    assert (half["state"], half["message"]) == ("absent", "downloading starter")
    shop.all_steps()
    ready = await client.status("ready")
    assert "progress" not in ready


async def test_a_download_that_fails_is_not_shown_any_longer(here: Make) -> None:
    shop = Shop(error=ModelNotFound("the shop is closed", hint="Try again."))
    client = offered(here, shop, "Starter")
    await client.initialize(CAPABILITIES)
    await client.next("devstral/status", lambda body: body["message"] == "downloading starter")
    shop.all_steps()
    after = await client.next("devstral/status", lambda body: body["message"] == ABSENT["message"])
    assert (after["state"], after["model"], "progress" in after) == ("absent", None, False)


async def test_cancel_really_cancels(here: Make) -> None:
    shop = Shop()
    client = offered(here, shop, "Starter")
    await client.initialize(CAPABILITIES)
    begin = await client.next("$/progress")
    shop.step.release()
    client.notify("window/workDoneProgress/cancel", {"token": begin["token"]})
    await client.script()  # the note was taken
    shop.all_steps()
    end = await client.next("$/progress", lambda params: params["value"]["kind"] == "end")
    assert "cancelled" in end["value"]["message"]
    assert shop.cancelled.is_set()
    assert client.server.status.engine.state == "absent"


async def test_a_fetch_that_fails_says_why(here: Make) -> None:
    shop = Shop(error=ModelNotFound("the shop is closed", hint="Try again."))
    client = offered(here, shop, "Starter")
    shop.all_steps()
    await client.initialize(CAPABILITIES)
    assert (await client.next("window/showMessage"))["message"] == "Devstral: the shop is closed. Try again."


async def test_choosing_a_file_says_how(here: Make) -> None:
    shop = Shop()
    client = offered(here, shop, "Choose")
    await client.initialize(CAPABILITIES)
    message = (await client.next("window/showMessage"))["message"]
    assert "model.name" in message
    assert "devstral-ls model import PATH" in message
    assert shop.asked == []


@pytest.mark.parametrize(
    "answer", ["Not now", None, NEVER, {}, {"title": "else"}, Refused({"code": -1, "message": "x"})]
)
async def test_there_is_one_offer_a_session_and_it_holds_nothing_up(here: Make, answer: Any) -> None:
    shop = Shop()
    client = offered(here, shop, answer)
    await client.initialize(CAPABILITIES)
    await client.next(ASK)
    await client.script(status={"state": "starting"})
    await client.script(status=ABSENT)
    await client.script(status={"state": "ready", "model": "m"})
    assert await client.inline(client.open("a"), 0, 1) != []
    assert len(client.all(ASK)) == 1
    assert shop.asked == []


@pytest.mark.parametrize(
    ("capabilities", "options", "variables", "status"),
    [
        ({"window": {"workDoneProgress": True}}, None, {}, ABSENT),
        (CAPABILITIES, None, {"DEVSTRAL_LS_OFFLINE": "1"}, ABSENT),
        (CAPABILITIES, {"model": {"name": "starter"}}, {}, ABSENT),
        (CAPABILITIES, {"model": {"allowDownload": True}}, {"DEVSTRAL_LS_OFFLINE": "1"}, ABSENT),
        (CAPABILITIES, None, {}, {"state": "failed", "message": "broken"}),
    ],
)
async def test_when_nothing_is_offered(
    here: Make, capabilities: Any, options: Any, variables: dict[str, str], status: dict[str, str]
) -> None:
    shop = Shop()
    client = offered(here, shop, "Starter", **variables)
    client.rig.status = status
    await client.initialize(capabilities, options)
    await client.status(status["state"])
    await client.script()
    assert client.all(ASK) == []
    assert shop.asked == []


async def test_what_is_allowed_is_not_asked(here: Make) -> None:
    shop = Shop(gpu=24 * GB)
    client = offered(here, shop, NEVER)
    await client.initialize({}, {"model": {"allowDownload": True}})
    shop.all_steps()
    await client.status("ready")
    assert shop.asked == ["devstral-small-2507"]
    assert client.all(ASK) == []
    assert client.all("$/progress") == []


async def test_leaving_ends_the_fetch(here: Make) -> None:
    shop = Shop()
    client = offered(here, shop, "Starter")
    await client.initialize(CAPABILITIES)
    await until(lambda: bool(shop.asked))
    await client.server.close()
    shop.all_steps()
    await until(shop.cancelled.is_set)


class RealRig(Rig):
    """The real engine and pipeline; only the fetch is ours."""

    def factories(self) -> Factories:
        return replace(FACTORIES, fetching=self.fetching)


async def test_the_real_engine_serves_what_was_fetched(tmp_path: Path) -> None:
    original = gguf_files.write_qwen_fim(tmp_path / "m.gguf")

    def pull(models: Path, name: str, report: OnProgress) -> object:
        report(PullProgress(name, Phase.DOWNLOADING, 1, 2))
        return store.import_file(models, original, name)

    client = Here(RealRig(fetching=Fetching(pull, lambda: Memory(24 * GB, 0))), tmp_path, ONLINE)
    client.server.connection.open(client.write_to_client)
    client.answers[ASK] = lambda params: params["actions"][0]
    try:
        await client.initialize(CAPABILITIES)
        assert (await client.status("absent"))["hint"]
        ready = await client.status("ready")
        assert ready["model"] == "starter"
        assert "4 slots of 4096 tokens, KV cache in f16" in ready["message"]
        assert await client.inline(client.open("def f():\n    return "), 1, 11, kind=1) != []
    finally:
        await client.end()
        rendezvous.stop(directories(environment(tmp_path)))


@pytest.mark.parametrize(
    ("memory", "names"),
    [
        (Memory(64 * GB, 24 * GB), ["devstral-small-2507", "starter"]),
        (Memory(64 * GB, 0), ["starter", "devstral-small-2507"]),
        (Memory(64 * GB, 8 * GB), ["starter", "devstral-small-2507"]),
        (Memory(8 * GB, 8 * GB), ["starter"]),
        (Memory(17_179_869_184, 17_179_869_184), ["devstral-small-2507", "starter"]),
        (Memory(None, 0), ["starter", "devstral-small-2507"]),
    ],
)
def test_what_fits_is_offered(memory: Memory, names: list[str]) -> None:
    assert list(choices_for(memory).values()) == names


def test_llama_cpp_says_which_devices_it_sees() -> None:
    found = devices()
    assert found
    assert any(device.kind == "CPU" and device.total > GB / 10 for device in found)
