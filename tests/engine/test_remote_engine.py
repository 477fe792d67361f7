"""Remote engines: what each dialect sends, what it makes of good and bad answers, and what the user is told."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.engine.daemon.backends.remote import http
from devstral_ls.engine.daemon.backends.remote.backend import RemoteBackend
from devstral_ls.engine.remote_engine import RemoteEngine, RemoteOptions
from devstral_ls.engine.restart_policy import RestartPolicy
from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import (
    DevstralError,
    EngineBusy,
    EngineUnavailable,
    GenerationFailed,
    ModelNotFound,
    PromptTooLong,
    SettingsError,
)
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Special, Text
from devstral_ls.settings.tree import EngineSettings, Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.trace import InlineQuery
from devstral_ls.text import Snapshot
from tests.engine import fake_remote
from tests.engine.fake_remote import FakeRemote, chat_only, completions_only, llama_server, ollama, serving, sse, vllm

PATIENCE = 30.0
SOON = RestartPolicy(look=0.05, first=0.01, most=0.05)
KEY = "sk-very-secret-4711"


class Watched:
    """An engine and what it said."""

    def __init__(self, options: RemoteOptions, **more: Any) -> None:
        self.said: list[EngineStatus] = []
        self._news = asyncio.Event()
        self.engine = RemoteEngine(options, self._hear, **{"policy": SOON, "environ": {}, "silence": 20.0, **more})

    def _hear(self, status: EngineStatus) -> None:
        self.said.append(status)
        self._news.set()

    async def until(self, *states: str) -> EngineStatus:
        try:
            async with asyncio.timeout(PATIENCE):
                while self.engine.status.state not in states:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"it only said {self.said}")
        return self.engine.status


@asynccontextmanager
async def watching(url: str, *, more: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Watched]:
    watched = Watched(RemoteOptions(base_url=url, **options), **(more or {}))
    watched.engine.start()
    try:
        yield watched
    finally:
        await watched.engine.aclose()


@asynccontextmanager
async def talking(fake: FakeRemote, **options: Any) -> AsyncIterator[RemoteEngine]:
    more = options.pop("more", None)
    async with serving(fake) as url, watching(url, more=more, **options) as watched:
        status = await asyncio.wait_for(watched.engine.ready(), PATIENCE)
        assert status.state == "ready", status
        yield watched.engine


async def answer(engine: RemoteEngine, *parts: Special | Text, **more: Any) -> list[Chunk]:
    request = GenerationRequest(parts or (Text("abc"),), **{"max_tokens": 16, **more})
    with engine.using() as client:
        async with client.generate(request) as chunks:
            return [chunk async for chunk in chunks]


def said(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


FIM = (Special("<|fim_prefix|>"), Special("<|fim_suffix|>"), Text("s"), Special("<|fim_middle|>"), Text("p"))


@pytest.mark.parametrize(
    ("make", "options", "dialect", "family", "layout"),
    [
        (llama_server, {}, "llama-server", "qwen-fim", "fim-spm-in-psm"),
        (vllm, {}, "openai", "qwen-fim", "fim-spm-in-psm"),
        (completions_only, {}, "openai-text", "qwen-fim", "fim-spm-in-psm"),
        (chat_only, {}, "openai-chat", "chat-endpoint", "chat-overlap"),
        (vllm, {"dialect": "openai-chat"}, "openai-chat", "chat-endpoint", "chat-overlap"),
        (lambda: vllm({}), {}, "openai-chat", "chat-endpoint", "chat-overlap"),  # no sentinel is known to it
        (lambda: completions_only("mystery"), {}, "openai-text", "plain", "left-to-right"),
        (ollama, {}, "ollama", "qwen-fim", "fim-spm-in-psm"),
        (lambda: ollama(verbose=False), {}, "ollama", "qwen-fim", "fim-spm-in-psm"),
    ],
)
async def test_what_is_there_is_found_out(
    make: Callable[[], FakeRemote], options: dict[str, Any], dialect: str, family: str, layout: str
) -> None:
    async with talking(make(), **options) as engine:
        model, status = engine.model, engine.status
    assert model is not None
    assert f"({dialect})" in (status.engine or "")
    assert (model.family, model.layouts[0]) == (family, layout)
    assert model.prompt_budget < model.context_tokens


@pytest.mark.parametrize(
    ("make", "guessed"), [(completions_only, True), (vllm, False), (ollama, False), (llama_server, False)]
)
async def test_a_kind_guessed_from_the_name_is_said(make: Callable[[], FakeRemote], guessed: bool) -> None:
    async with talking(make()) as engine:
        assert ("guessed from its name" in (engine.status.message or "")) is guessed


async def test_llama_server_gets_ids() -> None:
    fake = llama_server()
    async with talking(fake) as engine:
        chunks = await answer(engine, *FIM, begins_with="x", stop=("\n\n",))
        assert engine.model is not None
        assert (engine.model.context_tokens, engine.model.name, engine.model.bos) == (2048, "coder", None)
    body = fake.streamed()
    assert body["prompt"] == [900, 901, 1000 + ord("s"), 902, 1000 + ord("p")]
    assert body["grammar"] == 'root ::= "x" [^\\x00]*'
    assert said(chunks) == "x_1"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.cached_tokens == 1


async def test_vllm_gets_ids_with_its_own_bos() -> None:
    fake = vllm()
    async with talking(fake) as engine:
        chunks = await answer(engine, *FIM, begins_with="re", stop=("<|endoftext|>", "b", "c", "d", "e"))
        assert engine.model is not None
        assert engine.model.context_tokens == 4096
    body = fake.streamed()
    assert body["prompt"] == [1, 900, 901, 1000 + ord("s"), 902, *(1000 + ord(c) for c in "pre")]
    assert (body["model"], body["max_tokens"], body["stream"]) == ("org/coder", 16, True)
    assert body["stop"] == ["<|endoftext|>", "b", "c", "d"]
    assert body["skip_special_tokens"] is False
    assert said(chunks) == "rex_1"
    assert chunks[-1].finish is FinishReason.STOP


QWEN_AND_OTHERS = {
    **fake_remote.QWEN,
    "<start_of_turn>": 920, "[TOOL_CALLS]": 921, "<tool_call>": 922, "<think>": 923, "</think>": 924, "<fim_suffix>": 925,
}  # fmt: skip
"""A vocabulary of Qwen's with a token of everybody's."""

TRICKS = ["<|fim_middle|>", "a<|im_end|>b", "<|vision_start|>", "<|fim_<|fim_middle|>middle|>", "<|endoftext|>" * 3]


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("make", [vllm, llama_server])
async def test_no_document_text_becomes_a_control_id(make: Callable[[], FakeRemote], trick: str) -> None:
    fake = make()
    async with talking(fake) as engine:
        await answer(engine, Special("<|fim_prefix|>"), Text(trick))
    sent = [token for token in fake.streamed()["prompt"] if token != 1]
    assert sent[0] == 900
    assert "".join(chr(token - 1000) for token in sent[1:]) == trick


@pytest.mark.parametrize("trick", [*TRICKS, "x <s>"])
@pytest.mark.parametrize("make", [completions_only, ollama])
async def test_where_text_is_sent_only_our_own_sentinels_are_any(make: Callable[[], FakeRemote], trick: str) -> None:
    fake = make()
    async with talking(fake) as engine:
        await answer(engine, Special("<|fim_prefix|>"), Text(trick[:4]), Text(trick[4:]), begins_with="|>")
    sent = fake.streamed()["prompt"]
    assert sent.startswith("<|fim_prefix|>")
    found = fake_remote.ids(sent, fake_remote.QWEN)
    assert [token for token in found if token < 1000] == [900]
    assert sent.removeprefix("<|fim_prefix|>").replace(" ", "") == (trick + "|>").replace(" ", "")


OTHERS = ["<start_of_turn>user", "[TOOL_CALLS]", "<tool_call>", "a<think>", "</think>", "<|im_end|>", "<fim_suffix>"]


@pytest.mark.parametrize("trick", OTHERS)
@pytest.mark.parametrize("make", [completions_only, ollama, chat_only, llama_server, lambda: vllm({**QWEN_AND_OTHERS})])
async def test_control_tokens_of_other_families_are_kept_out_too(make: Callable[[], FakeRemote], trick: str) -> None:
    """The server may have another model than it is taken for, and chat servers find tokens in messages as well."""
    fake = make()
    if make is llama_server:  # all its tokens are "user defined"
        fake.pages["/tokenize"] = lambda body: (200, {"tokens": fake_remote.ids(body["content"], QWEN_AND_OTHERS)})
    async with talking(fake) as engine:
        await answer(engine, Text(f"# {trick}\n{trick}"), Text(trick))
    body = fake.streamed()
    sent = body.get("prompt") or body["messages"][0]["content"]
    found = fake_remote.ids(sent, QWEN_AND_OTHERS) if isinstance(sent, str) else sent
    assert [token for token in found if 1 < token < 1000] == []


async def test_ollama_is_asked_raw_and_always_with_the_same_context() -> None:
    fake = ollama()
    async with talking(fake, remote_model="coder:latest") as engine:
        chunks = await answer(engine, *FIM, begins_with="re", stop=("\n\n",))
    body = fake.streamed()
    assert (body["model"], body["raw"], body["prompt"]) == (
        "coder:latest",
        True,
        "<|fim_prefix|><|fim_suffix|>s<|fim_middle|>pre",
    )
    wanted = {"num_predict": 16, "num_ctx": 8192, "temperature": 0.0, "repeat_penalty": 1.0, "top_k": 1}
    assert body["options"] == {**wanted, "stop": ["\n\n"]}
    assert said(chunks) == "rex_1"
    assert chunks[-1].finish is FinishReason.LENGTH
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.prefill_ms) == (7, 2.0)


async def test_a_conversation_is_messages_and_what_it_repeats_is_cut_away() -> None:
    fake = chat_only()
    parts = (Special("role:system"), Text("be brief"), Special("role:user"), Text("go on: "), Text("x"))
    async with talking(fake) as engine:
        chunks = await answer(engine, *parts, Special("role:assistant"), begins_with="x = foo(")
    body = fake.streamed()
    assert body["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "go on: x"},
    ]
    assert body["max_tokens"] > 16
    assert said(chunks) == "x = foo(y)\nz\n"
    assert chunks[-1].finish is FinishReason.STOP


@pytest.mark.parametrize(
    ("code", "says", "shown"),
    [
        ("def f(a):\n    return ▮\n\n\nx = 1\n", "```python\n    return a\n\n\nx = 1\n```", "a"),
        ("def f(a):\n    return ▮\n\n\nx = 1\n", "return a\nx = 1", "a"),
        ("def f(a):\n    ret▮\n", "    return a", "urn a"),
        ("print(▮)\n", "print(x, y)", "x, y"),
        ("print(▮)\n", "x, y)", "x, y"),  # it repeats nothing
        ("def f(a):\n    ▮\n\n\nx = 1\n", "def f(a):\n    b = a\n    return b\n\n\nx = 1\n", "b = a\n    return b"),
        ("x = ▮\n", "x = ", ""),
    ],
)
async def test_ghost_text_from_a_conversation(code: str, says: str, shown: str) -> None:
    fake = chat_only()
    fake.streams["/v1/chat/completions"] = sse(*map(fake_remote.delta, says), fake_remote.delta("", "stop"))
    async with talking(fake) as engine, AsyncExitStack() as stack:
        client = stack.enter_context(engine.using())
        suggester = Suggester(client)
        snapshot = Snapshot("file:///w/m.py", 1, "python", code.replace("▮", ""))
        settings = Settings(engine=EngineSettings(kind="remote"))
        outcome = await suggester.inline(InlineQuery(snapshot, code.index("▮"), invoked=True), settings)
        suggester.close()
    assert [suggestion.text for suggestion in outcome.suggestions] == [shown][: bool(shown)]
    system, user = fake.streamed()["messages"]
    assert system["role"] == "system"
    assert "m.py" in user["content"]


# --- keys, guards, certificates ---


@pytest.mark.parametrize("make", [llama_server, vllm, completions_only, chat_only, ollama])
async def test_the_key_goes_with_every_request_and_nowhere_else(
    make: Callable[[], FakeRemote], caplog: pytest.LogCaptureFixture
) -> None:
    fake = make()
    fake.key = KEY
    caplog.set_level(logging.DEBUG)
    async with talking(fake, api_key_env="MY_KEY", more={"environ": {"MY_KEY": KEY}}) as engine:
        await answer(engine)
        backend = next(value for value in vars(engine._client).values() if isinstance(value, RemoteBackend))
        shown = (engine, vars(engine), vars(engine._client), backend, vars(backend), vars(backend._http))
        assert KEY not in repr([{**found, "_environ": None} if isinstance(found, dict) else found for found in shown])
    assert all(f"authorization: bearer {KEY}" in head.lower() for head in fake.heads)
    assert KEY not in caplog.text


async def test_without_the_right_key_it_says_which_setting() -> None:
    fake = vllm(key=KEY)
    async with serving(fake) as url, watching(url) as watched:
        status = await watched.until("lost")
        assert "apiKeyEnv" in (status.hint or "")
        with pytest.raises(EngineUnavailable, match="key"):
            await answer(watched.engine)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"base_url": "https://models.example.com"}, "allowRemote"),
        ({"base_url": "http://models.example.com", "allow_remote": True}, "https"),
        ({"base_url": None}, "engine.baseUrl"),
        ({"base_url": "http://127.0.0.1:1", "api_key_env": "NONE"}, "apiKeyEnv"),
    ],
)
async def test_settings_that_must_not_be_followed_fail_at_once(options: dict[str, Any], says: str) -> None:
    watched = Watched(RemoteOptions(**options))
    watched.engine.start()
    status = await asyncio.wait_for(watched.engine.ready(), PATIENCE)
    assert status.state == "failed"
    assert says in (status.hint or "")
    with pytest.raises(SettingsError):
        await answer(watched.engine)
    async with serving(vllm()) as url:
        watched.engine.reconfigure(RemoteOptions(base_url=url))
        await watched.until("ready")
    await watched.engine.aclose()


async def test_nobody_is_followed_elsewhere() -> None:
    other = vllm()
    async with serving(other) as elsewhere:
        moved = b"HTTP/1.1 307 X\r\nLocation: " + elsewhere.encode() + b"/props\r\nContent-Length: 0\r\n\r\n"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(moved)
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, watching(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as watched:
            status = await watched.until("lost")
        assert "elsewhere" in (status.message or "")
    assert not other.requests


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", path, "-out", path.with_name("c")], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_name("c").read_text())
    return path


@pytest.mark.parametrize("trusted", ["by caFile", "by SSL_CERT_FILE", "not"])
async def test_certificates_are_verified(trusted: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    ca_file = str(certificate) if trusted == "by caFile" else None
    if trusted == "by SSL_CERT_FILE":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving(vllm(), ssl=context) as url, watching(url, ca_file=ca_file) as watched:
        status = await watched.until("lost", "ready")
        assert status.state == ("lost" if trusted == "not" else "ready")
        if trusted == "not":
            assert "certificate" in (status.message or "").lower()
        else:
            assert said(await answer(watched.engine)) == "x_1"


# --- broken and hostile ---

LINE = b"data: " + b"x" * 5000


@pytest.mark.parametrize(
    "answers",
    [
        sse(fake_remote.text("x")),  # it just ends
        sse(b"{nonsense"),
        sse(b"[1]"),
        sse(b'{"choices": 4}'),
        sse(b'{"choices": [{"text": 5}]}'),
        sse(b'{"choices": [{"delta": null}]}'),
        sse({"error": {"message": "broken", "code": 500}}),
        sse(b"[" * 100_000),
        [b": ping\n" * 1000] * 1000,
        [b"x" * 100_000] * 30,
        [b"data: ", *[b"x" * 100_000] * 30],
        sse(fake_remote.text("x" * 1000)) * 3000,
        [b"\xff\xfe\n" * 10],
        [b": ping\n\n", 5.0],
        [b"da", 5.0],
        [5.0],
    ],
)
async def test_a_bad_answer_fails_and_never_hangs(answers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fake = vllm()
    fake.streams["/v1/completions"] = answers
    async with talking(fake, more={"silence": 0.5}) as engine:
        with pytest.raises(GenerationFailed):
            await asyncio.wait_for(answer(engine), PATIENCE)


async def test_comments_for_ever_are_no_news() -> None:
    fake = vllm()
    fake.streams["/v1/completions"] = [part for _ in range(100) for part in (b": ping\n\n", 0.1)]
    async with talking(fake, more={"silence": 0.5}) as engine:
        with pytest.raises(GenerationFailed, match="said nothing"):
            await asyncio.wait_for(answer(engine), PATIENCE)


@pytest.mark.parametrize("make", [llama_server, ollama, chat_only])
async def test_each_dialect_answers_nonsense_with_the_same_error(make: Callable[[], FakeRemote]) -> None:
    for nonsense in (b"data: [1]\n", b"data: {}\n", b'{"response": 4}\n', b"[]\n", b"data: " + b"[" * 99_999 + b"\n"):
        fake = make()
        fake.streams = {path: [nonsense] for path in fake.streams}
        async with talking(fake) as engine:
            with pytest.raises(GenerationFailed):
                await answer(engine)


async def test_a_huge_body_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1 << 16)
    fake = vllm()
    fake.pages["/v1/models"] = (200, b"[" + b"1," * (1 << 20))
    async with serving(fake) as url, watching(url, dialect="openai") as watched:
        assert "more than" in ((await watched.until("lost")).message or "")


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_a_server_tells_of_itself_is_no_crash(seed: int) -> None:
    random_of = random.Random(seed)
    junk: list[Any] = [None, 1, -1, 1e300, "x", "", [], {}, [None], {"data": []}, {"data": [1]}, [[1]], True]

    def page(_body: dict[str, Any]) -> tuple[int, Any]:
        said: Any = {name: random_of.choice(junk) for name in ("data", "tokens", "model_info", "models", "template")}
        said |= {"default_generation_settings": random_of.choice(junk), "total_slots": random_of.choice(junk)}
        said |= {"model_path": random_of.choice(junk), "chat_template": random_of.choice(junk), "version": "1"}
        return random_of.choice([200, 200, 200, 400, 404, 500]), random_of.choice([said, said, *junk])

    paths = ["/props", "/v1/models", "/api/version", "/api/tags", "/api/show", "/tokenize"]
    fake = FakeRemote(dict.fromkeys([*paths, "/v1/completions", "/v1/chat/completions"], page))
    dialect = random_of.choice(["auto", "llama-server", "openai", "ollama"])
    once = {"policy": RestartPolicy(look=PATIENCE, first=PATIENCE, most=PATIENCE)}
    async with serving(fake) as url, watching(url, dialect=dialect, more=once) as watched:
        await watched.until("lost", "failed", "ready", "loading")
        assert "internal" not in (watched.engine.status.message or "")


REFUSALS: list[tuple[int, Any, type[DevstralError]]] = [
    (
        400,
        {"object": "error", "message": "maximum context length is 8 tokens. However, you requested 9"},
        PromptTooLong,
    ),
    (400, {"error": {"message": "no such parameter"}}, GenerationFailed),
    (429, {"error": {"message": "slow down"}}, EngineBusy),
    (503, b"<html>", EngineBusy),
    (401, {}, EngineUnavailable),
    (500, b"", GenerationFailed),
    (302, b"", GenerationFailed),
]


@pytest.mark.parametrize(("status", "body", "raised"), REFUSALS)
async def test_refusals(status: int, body: Any, raised: type[DevstralError]) -> None:
    fake = vllm()
    async with talking(fake) as engine:
        fake.streams.clear()
        fake.pages["/v1/completions"] = (status, body)
        with pytest.raises(raised):
            await answer(engine)


# --- coming and going ---


async def test_leaving_hangs_up() -> None:
    fake = vllm()
    fake.streams["/v1/completions"] = [*sse(fake_remote.text("x")), 20.0]
    async with talking(fake) as engine:
        with engine.using() as client:
            async with client.generate(GenerationRequest((Text("a"),), 5)) as chunks:
                assert (await anext(chunks)).text == "x"
        await asyncio.wait_for(fake.left.wait(), 5)


async def test_down_and_back() -> None:
    fake = vllm()
    async with serving(fake) as url, watching(url) as watched:
        await watched.until("ready")
        port = int(url.rpartition(":")[2])
    watched = Watched(RemoteOptions(base_url=url))
    watched.engine.start()
    status = await asyncio.wait_for(watched.engine.ready(), PATIENCE)
    assert status.state == "lost"
    assert "baseUrl" in (status.hint or "")
    with pytest.raises(EngineUnavailable):
        await answer(watched.engine)
    async with serving(fake, port):
        await watched.until("ready")
        assert said(await answer(watched.engine)) == "x_1"
    fake.pages.clear()
    watched.engine.check_now()
    await watched.until("lost")
    assert [status.state for status in watched.said][:2] == ["lost", "ready"]
    await watched.engine.aclose()


async def test_one_that_loads_is_waited_for() -> None:
    fake = llama_server()
    ready = fake.pages["/props"]
    fake.pages["/props"] = (503, {"error": {"message": "Loading model"}})
    async with serving(fake) as url, watching(url) as watched:
        await watched.until("loading")
        with pytest.raises(EngineBusy):
            await answer(watched.engine)
        fake.pages["/props"] = ready
        await watched.until("ready")


async def test_a_model_it_does_not_have_is_said_with_those_it_has() -> None:
    async with serving(vllm()) as url, watching(url, remote_model="nope") as watched:
        status = await watched.until("failed")
        assert "org/coder" in (status.hint or "")
        with pytest.raises(ModelNotFound):
            await answer(watched.engine)


async def test_looking_for_it_can_be_cancelled_and_begun_again() -> None:
    async with watching("http://127.0.0.1:9") as watched:
        await watched.until("lost")
        watched.engine.halt()
        assert "cancelled" in ((await watched.until("failed")).message or "")
        watched.engine.restart()
        await watched.until("lost", "starting")


async def test_something_else_is_said_to_be_no_engine() -> None:
    async with serving(FakeRemote({"/": (200, {})})) as url, watching(url) as watched:
        assert "no engine we know" in ((await watched.until("lost")).message or "")
