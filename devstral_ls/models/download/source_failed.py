"""The one failure of a source that the next source may make good."""

from __future__ import annotations


class SourceFailed(Exception):
    """A source does not give the model; the message says why, in one line."""
