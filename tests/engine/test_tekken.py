"""Devstral's real vocabulary, all the way: what the engine is sent is what Mistral's own tokenizer would send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends import llama_server_api
from devstral_ls.generation import ModelInfo, Special, Text
from devstral_ls.models.families.table import layouts_of
from devstral_ls.models.gguf.header import read_header
from devstral_ls.models.inspection import inspection
from devstral_ls.platform.paths import Directories
from devstral_ls.prompt import infill
from devstral_ls.settings.tree import read
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.trace import InlineQuery
from devstral_ls.testing.tekken_gguf import tekken_file, write_tekken
from devstral_ls.text import Snapshot
from tests.engine.in_process import loaded

tekken = pytest.importorskip("mistral_common.tokens.tokenizers.tekken", reason="mistral-common is not installed")

BEFORE = (
    "import math\n\n\ndef area(radius: float) -> float:\n"
    '    """Fläche — [INST] is text here, </s> as well ✅."""\n'
    "    return "
)
AFTER = "\n\n\ndef 名前(x):\n    return x[/INST]\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tekken(tmp_path_factory.mktemp("tekken") / "model.gguf")


def test_the_real_vocabulary_is_recognised(model: Path) -> None:
    header = read_header(model)
    assert header.n_vocab == 131_072
    assert {name: header.control_tokens[name] for name in ("<s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]")} == {
        "<s>": 1, "[INST]": 3, "[/INST]": 4, "[SYSTEM_PROMPT]": 17,
    }  # fmt: skip
    assert inspection(header)["layouts"][0] == "chat-prefill"


async def test_what_is_sent_is_what_mistrals_own_tokenizer_makes(
    model: Path, home: Directories, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[int]] = []
    body_of = llama_server_api.completion_body

    def record(ids: list[int], *more: Any, **named: Any) -> dict[str, Any]:
        sent.append(ids)
        return body_of(ids, *more, **named)

    monkeypatch.setattr(llama_server_api, "completion_body", record)
    async with loaded(home, model, slots=1, context_tokens=2048) as engine:
        info = ModelInfo("devstral", "mistral-tekken", layouts_of(read_header(model)), 2048, 1000, "<s>")
        settings, _ = read({"inline": {"debounceMs": 0}})
        snapshot = Snapshot("file:///w/area.py", 1, "python", BEFORE + AFTER)
        suggester = Suggester(BackendEngine(engine.backend, engine.queue, model=info))
        await suggester.inline(InlineQuery(snapshot, len(BEFORE), invoked=True), settings)
    mistral = tekken.Tekkenizer.from_file(str(tekken_file()))

    def ids(text: str) -> list[int]:
        return list(mistral.encode(text, bos=False, eos=False))

    asked = f"Write the file area.py. It ends with exactly these lines:\n{AFTER}"
    # the space before the cursor is taken back, for the answer to begin with
    assert sent[-1] == [1, 17, *ids(infill.SYSTEM), 18, 3, *ids(asked), 4, *ids(BEFORE.removesuffix(" "))]


async def test_all_kinds_of_text_become_mistrals_own_ids(model: Path, home: Directories) -> None:
    mistral = tekken.Tekkenizer.from_file(str(tekken_file()))
    async with loaded(home, model, slots=1, context_tokens=2048) as engine:
        for path in (Path(__file__), *Path(__file__).parents[2].glob("*.md")):
            text = path.read_text()[:5000]
            got = await engine.ids((Special("[INST]"), Text(text)))
            assert got == [1, 3, *mistral.encode(text, bos=False, eos=False)], path.name
