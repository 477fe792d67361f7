"""No text of the user's becomes a control token: whatever the family, the dialect, the layout, and where it stands.

The servers tokenize as real ones do: they find the names of all control tokens of their vocabulary in any text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from devstral_ls.code_context import Diagnostic, Excerpt
from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends.backend import BackendRequest, End, Event, PreparedPrompt
from devstral_ls.engine.daemon.backends.remote.backend import RemoteBackend
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.generation import FinishReason, GenerationRequest, ModelInfo, Prompt, Special, Text
from devstral_ls.languages.table import language_of
from devstral_ls.models.families.evidence import CONTROL_NAMES
from devstral_ls.models.families.table import FAMILIES
from devstral_ls.prompt.chat import conversation
from devstral_ls.prompt.diagnostic_comments import comments_on, with_comments
from devstral_ls.prompt.layouts import LAYOUTS, build
from devstral_ls.prompt.window import Window
from devstral_ls.text import Snapshot, Span
from tests.engine import fake_remote
from tests.engine.fake_remote import FakeRemote, chat_only, completions_only, llama_server, ollama, serving, vllm

FIRST = 100
"""Ids of control tokens; characters begin at ``LETTERS``."""
LETTERS = 100_000
LOOKS = ("<|im_sep|>", "<｜Assistant｜>", "<[PAD▁TOKEN]>", "<SPECIAL_999>", "<unused7>", "<|reserved_special_token_5|>")
"""Names in no table of ours."""
IDS: Mapping[str, int] = {name: FIRST + number for number, name in enumerate(sorted({*CONTROL_NAMES, *LOOKS}))}
LONGEST_FIRST = sorted(((name.replace("▁", " "), name) for name in IDS), key=lambda pair: -len(pair[0]))
BY_FIRST = {first: [p for p in LONGEST_FIRST if p[0][0] == first] for first in {p[0][0] for p in LONGEST_FIRST}}
MARKUP = ("[INST]", "[/INST]")
"""Of Llama 2, to which they are text."""


def tokenize(text: str) -> list[int]:
    """Characters, and control tokens wherever they stand; SentencePiece takes "▁" for a space."""
    spaced, found, at = text.replace("▁", " "), list[int](), 0
    while at < len(text):
        pair = next((pair for pair in BY_FIRST.get(spaced[at], ()) if spaced.startswith(pair[0], at)), None)
        found.append(IDS[pair[1]] if pair else LETTERS + ord(text[at]))
        at += len(pair[0]) if pair else 1
    return found


class Sent:
    """What was found out about a server, and what it would be sent."""

    def __init__(self, backend: RemoteBackend) -> None:
        self.capabilities = backend.capabilities
        self.info = replace(backend.info, context_tokens=1 << 20)
        self.prompts: list[PreparedPrompt] = []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def progress(self) -> str | None:
        return None

    async def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        return tokenize(text)  # even with special parsing off: all its tokens are "user defined"

    @asynccontextmanager
    async def stream(self, request: BackendRequest) -> AsyncIterator[AsyncIterator[Event]]:
        self.prompts.append(request.prompt)

        async def events() -> AsyncIterator[Event]:
            yield End("", FinishReason.STOP, None)

        yield events()

    def control_ids(self) -> list[int]:
        """Of the last prompt."""
        prompt = self.prompts[-1]
        if isinstance(prompt, str):
            prompt = tokenize(prompt)
        elif prompt and isinstance(prompt[0], dict):
            prompt = [token for message in prompt for token in tokenize(message["content"])]  # type: ignore[index]
        return [token for token in prompt if isinstance(token, int) and token < LETTERS]


def vllm_with_all() -> FakeRemote:
    fake = vllm()
    fake.pages["/tokenize"] = lambda body: (200, {"tokens": tokenize(body["prompt"])})
    return fake


def llama_server_with_all() -> FakeRemote:
    fake = llama_server()
    fake.pages["/tokenize"] = lambda body: (200, {"tokens": tokenize(body["content"])})
    return fake


SERVERS = {
    "openai-text": completions_only,
    "unknown": lambda: completions_only("mystery"),
    "openai-chat": chat_only,
    "ollama": ollama,
    "openai": vllm_with_all,
    "llama-server": llama_server_with_all,
}


@pytest.fixture(params=SERVERS.values(), ids=SERVERS)
async def sent(request: pytest.FixtureRequest) -> AsyncIterator[Sent]:
    async with serving(request.param()) as url:
        backend = RemoteBackend(Endpoint(url, ""), RemoteOptions())
        await backend.start()
        yield Sent(backend)
        await backend.stop()


def prompts_with(name: str, family: str) -> list[tuple[Prompt, str]]:
    """Prompts of all layouts of ``family`` with ``name`` in each place, and what the answer begins with."""
    code = f"# {name}\n\nx = {name}({name}y"
    at = code.rindex("y")
    snapshot = Snapshot(f"file:///w/a{name}.py", 1, "python", code)
    diagnostic = Diagnostic(Span(at, at), f"undefined {name}", "error")
    comments = comments_on([diagnostic], snapshot, at, language_of("python", "a.py"))
    window = with_comments(Window(code[:at], f"{code[at:]}\n{name}"), snapshot, at, comments)
    excerpts = [Excerpt("names", f"b{name}.py", f"def {name}(): ...\n{name}")]
    found: list[tuple[Prompt, str]] = []
    for layout in LAYOUTS:
        if layout in FAMILIES[family].layouts:
            model = ModelInfo(f"m{name}", family, (layout,), 4096, 1000, None)
            found.append((build(model, window, snapshot.uri, excerpts)[0], name[-3:]))
            found.append((build(model, window, snapshot.uri)[0], ""))
            if layout.startswith("chat"):
                turns = ((f"first {name}", f"then {name}"),)
                found.append((conversation(model, f"be {name}", turns, f"note: {name}", f"``` {name}"), ""))
    return found


def own(prompt: Prompt, form: str) -> list[int]:
    """The control tokens of ``prompt`` that are ours; as text, those that only mean a role as well."""
    if form == "messages":
        return []
    ours = [part.token if isinstance(part, Special) else part.is_markup * part.text.strip() for part in prompt]
    return [IDS[name] for name in ours if name and (form == "text" or name not in MARKUP or Special(name) in prompt)]


FAMILY_IDS = [family for family in FAMILIES if family != "chat-endpoint"]


async def test_no_name_of_any_family_becomes_a_token_wherever_it_stands(sent: Sent) -> None:
    generator = BackendEngine(sent)
    form = sent.capabilities.prompt
    for number, name in enumerate(IDS):
        families = ["chat-endpoint"] if form == "messages" else [FAMILY_IDS[number % len(FAMILY_IDS)], "inst-chat"]
        for prompt, begins_with in (made for family in families for made in prompts_with(name, family)):
            async with generator.generate(GenerationRequest(prompt, 4, begins_with=begins_with)) as chunks:
                assert [chunk async for chunk in chunks]
            assert sent.control_ids() == own(prompt, form), (name, sent.prompts[-1])


async def test_in_each_family_all_names_at_once_become_no_token(sent: Sent) -> None:
    form = sent.capabilities.prompt
    for family in ["chat-endpoint"] if form == "messages" else FAMILY_IDS:
        for prompt, begins_with in prompts_with("".join(IDS), family):
            async with BackendEngine(sent).generate(GenerationRequest(prompt, 4, begins_with=begins_with)) as chunks:
                assert [chunk async for chunk in chunks]
            assert sent.control_ids() == own(prompt, form), family


async def test_what_is_sent_is_readable_all_the_same(sent: Sent) -> None:
    text = "<tool_call> [TOOL_CALLS] <start_of_turn> <|im_end|> <div> a[i] List<String> x<y"
    async with BackendEngine(sent).generate(GenerationRequest((Text(text),), 4)) as chunks:
        assert [chunk async for chunk in chunks]
    prompt = sent.prompts[-1]
    written = json.dumps(prompt)
    if sent.capabilities.prompt == "ids":
        written = "".join(chr(token - LETTERS) for token in prompt if isinstance(token, int))
        assert written == text
    else:
        assert "< tool_call> [ TOOL_CALLS] < start_of_turn> < |im_end|>" in written
    assert "<div> a[i] List<String> x<y" in written


def told_by_ollama() -> FakeRemote:
    def show(_body: dict[str, Any]) -> tuple[int, Any]:
        facts = {"general.architecture": "odd", "tokenizer.ggml.tokens": ["a", "<odd>", "<table>", "  "]}
        return 200, {"template": "x", "model_info": facts | {"tokenizer.ggml.token_type": [1, 4, 4, 4]}}

    fake = ollama()
    fake.pages["/api/show"] = show
    return fake


def told_by_ollamas_template() -> FakeRemote:
    fake = ollama()
    fake.pages["/api/show"] = (200, {"template": "{{ .Prompt }}<odd> <table>", "model_info": {}})
    return fake


def told_by_vllm() -> FakeRemote:
    fake = vllm({**fake_remote.QWEN, "<odd>": 907})
    fake.pages["/tokenizer_info"] = (200, {"added_tokens_decoder": {"907": {"content": "<odd>"}, "8": "<table>"}})
    return fake


def told_by_llama_server() -> FakeRemote:
    fake = llama_server()
    fake.pages["/props"][1].update(chat_template="{{ x }}<odd> <table>")  # type: ignore[index]
    return fake


@pytest.mark.parametrize("make", [told_by_ollama, told_by_ollamas_template, told_by_vllm, told_by_llama_server])
async def test_what_the_server_tells_of_its_vocabulary_counts(make: Callable[[], FakeRemote]) -> None:
    async with serving(make()) as url:
        backend = RemoteBackend(Endpoint(url, ""), RemoteOptions())
        await backend.start()
        await backend.stop()
    assert "<odd>" in backend.info.reserved
    assert backend.info.reserved.isdisjoint({"<table>", "  "})


async def test_a_text_full_of_names_costs_few_requests(sent: Sent) -> None:
    asked: list[str] = []
    ask = sent.tokenize

    async def counting(text: str, *, parse_special: bool = False) -> list[int]:
        asked.append(text)
        return await ask(text, parse_special=parse_special)

    sent.tokenize = counting  # type: ignore[method-assign]
    async with BackendEngine(sent).generate(GenerationRequest((Text("<think>" * 500),), 4)) as chunks:
        assert [chunk async for chunk in chunks]
    assert len(asked) < 10
