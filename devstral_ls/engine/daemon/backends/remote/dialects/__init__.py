"""DIALECTS: one row for each API that remote servers speak."""

from __future__ import annotations

from collections.abc import Mapping

from devstral_ls.engine.daemon.backends.remote.dialects.dialect import Dialect
from devstral_ls.engine.daemon.backends.remote.dialects.llama_server import LLAMA_SERVER
from devstral_ls.engine.daemon.backends.remote.dialects.ollama import OLLAMA
from devstral_ls.engine.daemon.backends.remote.dialects.openai import OPENAI_CHAT, OPENAI_IDS, OPENAI_TEXT

__all__ = ["DIALECTS", "Dialect"]

DIALECTS: Mapping[str, Dialect] = {
    row.name: row for row in (LLAMA_SERVER, OPENAI_IDS, OPENAI_TEXT, OPENAI_CHAT, OLLAMA)
}
"""By name."""
