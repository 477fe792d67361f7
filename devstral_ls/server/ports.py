"""What the server asks of the engine and of the pipeline, so that tests can put their own in the place of either.

The real ones are made in ``real.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from devstral_ls.generation import Engine
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import Settings

if TYPE_CHECKING:
    from devstral_ls.engine.devices import Memory
    from devstral_ls.engine.spec import Options
    from devstral_ls.engine.status import EngineStatus
    from devstral_ls.models.download.progress import Report
    from devstral_ls.suggest.retriever import ContextRetriever
    from devstral_ls.suggest.trace import InlineQuery, Outcome, Trace
    from devstral_ls.text import Snapshot


class ServedEngine(Engine, Protocol):
    """The engine as the server sees it: it looks after itself and says how it is."""

    def start(self) -> None:
        """Begin to look for a model and to load it. Returns at once; what comes of it is said as a status."""
        ...

    def reconfigure(self, options: Options) -> None:
        """Go on with other options."""
        ...

    def restart(self) -> None:
        """Give up the process at hand and start over."""
        ...

    def halt(self) -> None:
        """Stop loading, if it loads: the user cancelled that."""
        ...

    def poke(self) -> None:
        """Look now: a model may have come."""
        ...

    async def aclose(self) -> None:
        """Let go of the engine; it may live on for others."""
        ...


class Feedback(Protocol):
    """What became of suggestions."""

    over_weeks: Callable[[Snapshot], float]
    """How much surer the model must be in such a document, 1 to 2, by the statistics."""

    def accepted(self, suggestion_id: str) -> None:
        """The user took it."""
        ...

    def rejected(self, suggestion_id: str) -> None:
        """The user dismissed it."""
        ...


class Pipeline(Protocol):
    """``suggest.inline.Suggester``."""

    @property
    def feedback(self) -> Feedback:
        """Where to say what became of a suggestion."""
        ...

    related: ContextRetriever
    """What it knows of other files."""

    async def inline(self, query: InlineQuery, settings: Settings) -> Outcome:
        """Suggestions, or none and the reason."""
        ...

    def why(self, uri: str) -> Trace | None:
        """How the document's last request went."""
        ...

    def on_cursor_idle(self, snapshot: Snapshot, offset: int, settings: Settings) -> None:
        """The cursor is there now, and nobody has asked for anything."""
        ...

    def ready(self) -> None:
        """There is a model now."""
        ...

    def forget(self, uri: str) -> None:
        """The document was closed."""
        ...

    def close(self) -> None:
        """End all that still runs."""
        ...


class Background(Protocol):
    """What is done with the engine while nobody asks it."""

    enabled: bool
    """May it begin?"""

    @property
    def engine(self) -> Engine:
        """The engine for the pipeline; background work makes way for what is asked of it."""
        ...

    def start(self) -> None:
        """Begin to look for idle time."""
        ...

    async def aclose(self) -> None:
        """Stop at once."""
        ...


OnStatus = Callable[["EngineStatus"], None]


def _pull(models: Path, name: str, report: Report) -> object:
    from devstral_ls.models.download.pull import pull

    return pull(models, name, report)


def _memory() -> Memory:
    from devstral_ls.engine.devices import whole_memory

    return whole_memory()


@dataclass(frozen=True, slots=True)
class Fetching:
    """How a model is fetched. Both block, and run in a thread."""

    pull: Callable[[Path, str, Report], object] = _pull
    """``models.pull.pull``: folder of the store, name in the catalog, progress."""
    memory: Callable[[], Memory] = _memory
    """What this machine has in all."""


@dataclass(frozen=True, slots=True)
class Factories:
    """How the engine and the pipeline are made."""

    engine: Callable[[Options, Directories, OnStatus], ServedEngine]
    """May raise a ``DevstralError``; runs in the event loop."""
    pipeline: Callable[[Engine], Pipeline]
    background: Callable[[ServedEngine], Background | None] = lambda engine: None
    """What to do in idle time, if anything."""
    related: Callable[[], ContextRetriever | None] = lambda: None
    """How other files are read, if they are."""
    preload: Callable[[], None] = lambda: None
    """Imports what the other two need; runs in a thread."""
    fetching: Fetching = field(default_factory=Fetching)
