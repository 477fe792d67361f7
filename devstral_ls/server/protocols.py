"""The engine and the pipeline as the server sees them; tests put their own in the place of either.

The real ones are made in ``factories.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from devstral_ls.generation import Engine, GenerationObserver
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import Settings

if TYPE_CHECKING:
    from devstral_ls.code_context import Diagnostic
    from devstral_ls.engine.devices import Memory
    from devstral_ls.engine.spec import Options
    from devstral_ls.engine.status import EngineStatus
    from devstral_ls.languages.syntax.tree import Syntax
    from devstral_ls.models.download.pull_progress import OnProgress
    from devstral_ls.retrieval.retriever import ContextRetriever
    from devstral_ls.retrieval.visibility_check import VisibilityCheck
    from devstral_ls.suggest.trace import InlineQuery, Outcome, Trace
    from devstral_ls.text import DocumentChange, Snapshot, Span


class ServedEngine(Engine, Protocol):
    """An engine that finds, starts and restarts its process by itself, and reports its status."""

    def start(self) -> None:
        """Begin to look for a model and to load it. Returns at once; each step is reported as a status."""
        ...

    def reconfigure(self, options: Options) -> None:
        """Use other options from now on."""
        ...

    def restart(self) -> None:
        """Give up the running process and start over."""
        ...

    def halt(self) -> None:
        """Stop loading, if it loads: the user cancelled that."""
        ...

    def check_now(self) -> None:
        """Look for a model now: one may have been installed."""
        ...

    def observe(self, observer: GenerationObserver) -> None:
        """Tell ``observer`` of each generation from now on."""
        ...

    async def aclose(self) -> None:
        """Let go of the process; it may live on for other clients."""
        ...


class Pipeline(Protocol):
    """``suggest.pipeline.Suggester``."""

    async def inline(self, query: InlineQuery, settings: Settings) -> Outcome:
        """Suggestions, or none and the reason.

        Raises:
            DevstralError: the engine failed.
        """
        ...

    def why(self, uri: str) -> Trace | None:
        """The trace of the document's last request."""
        ...

    def accepted(self, suggestion_id: str) -> None:
        """The user accepted the suggestion."""
        ...

    def rejected(self, suggestion_id: str) -> None:
        """The user dismissed the suggestion."""
        ...

    def changed(self, change: DocumentChange) -> None:
        """A document has changed."""
        ...

    def closed(self, uri: str) -> None:
        """A document was closed."""
        ...

    def diagnosed(self, snapshot: Snapshot, diagnostics: Sequence[Diagnostic]) -> None:
        """Other tools report ``diagnostics`` for the document as it is now, and nothing else."""
        ...

    def reported(self, snapshot: Snapshot, span: Span) -> Sequence[Diagnostic]:
        """What other tools report on the lines of ``span``."""
        ...

    def tree(self, snapshot: Snapshot) -> Syntax | None:
        """The syntax tree of the document."""
        ...

    def on_cursor_idle(self, snapshot: Snapshot, offset: int, settings: Settings) -> None:
        """The cursor rests there, without a request."""
        ...

    def model_ready(self) -> None:
        """A model has become ready."""
        ...

    def close(self) -> None:
        """Stop all that still runs."""
        ...


class Background(Protocol):
    """Work that uses the engine in idle time, and stops when a request comes: calibration."""

    def start(self) -> None:
        """Begin to look for idle time."""
        ...

    async def aclose(self) -> None:
        """Stop at once."""
        ...


OnStatus = Callable[["EngineStatus"], None]


def _pull(models: Path, name: str, report: OnProgress) -> object:
    from devstral_ls.models.download.pull import pull

    return pull(models, name, report)


def _memory() -> Memory:
    from devstral_ls.engine.devices import whole_memory

    return whole_memory()


@dataclass(frozen=True, slots=True)
class Fetching:
    """How a model is downloaded. Both functions block, and run in a thread."""

    pull: Callable[[Path, str, OnProgress], object] = _pull
    """``models.download.pull.pull``: folder of the store, name in the catalog, progress."""
    memory: Callable[[], Memory] = _memory
    """The memory of this machine, used or not."""


@dataclass(frozen=True, slots=True)
class Factories:
    """How the engine and the pipeline are made."""

    engine: Callable[[Options, Directories, OnStatus], ServedEngine]
    """Runs in the event loop, may raise a ``DevstralError``."""
    pipeline: Callable[[Engine, ContextRetriever | None], Pipeline]
    background: Callable[[ServedEngine, Callable[[], bool]], Background | None] = lambda engine, enabled: None
    """The work for idle time, if any; it begins only where ``enabled`` says so."""
    retriever: Callable[[VisibilityCheck], ContextRetriever | None] = lambda visibility: None
    """Reads other files, if they are to be read."""
    preload: Callable[[], None] = lambda: None
    """Imports what the others need; runs in a thread."""
    fetching: Fetching = field(default_factory=Fetching)
