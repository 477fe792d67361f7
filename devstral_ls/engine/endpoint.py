"""Where an engine listens, and the key it wants."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A daemon of ours, or a server that may be contacted."""

    address: str
    """``unix:PATH`` or ``http[s]://HOST:PORT[/PATH]``."""
    api_key: str = field(repr=False)
    """Empty: none is sent."""
    ca_file: str | None = None
    """Certificates that are trusted beside the system's own."""
    any_user: bool = False
    """True where a Unix socket may be one of another user; otherwise it must be this one's, or root's."""
