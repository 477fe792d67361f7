"""The failure of one source, after which the next one is tried."""

from __future__ import annotations


class SourceFailed(Exception):
    """A source cannot deliver the model; the message gives the reason in one line."""
