"""How an engine is spoken to: one row for each way, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping

from devstral_ls.engine.dialects.events import Dialect, End, Event, Piece, Progress, Sent, sendable
from devstral_ls.engine.dialects.leads import Lead
from devstral_ls.engine.dialects.llama_server import LLAMA_SERVER
from devstral_ls.engine.dialects.ollama import OLLAMA
from devstral_ls.engine.dialects.openai import OPENAI_CHAT, OPENAI_IDS, OPENAI_TEXT

__all__ = ["DIALECTS", "Dialect", "End", "Event", "Lead", "Piece", "Progress", "Sent", "sendable"]

DIALECTS: Mapping[str, Dialect] = {
    row.name: row for row in (LLAMA_SERVER, OPENAI_IDS, OPENAI_TEXT, OPENAI_CHAT, OLLAMA)
}
"""The ways we know, by name."""
