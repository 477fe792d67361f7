"""A real server process over a scripted engine: ``python -m devstral_ls.testing.scripted_server``.

The test sets the engine with requests of its own, ``test/...``. The server is the real one; so is the pipeline, with
``--real-pipeline``, else one that sends the text before the cursor to the engine.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from devstral_ls.engine.spec import EngineOptions
from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import EngineUnavailable
from devstral_ls.generation import Chunk, GenerationRequest, Text
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.platform.paths import directories
from devstral_ls.server.app import DevstralServer, create_server, serve_stdio, serve_tcp
from devstral_ls.server.factories import FACTORIES
from devstral_ls.server.protocols import Factories, Fetching
from devstral_ls.suggest.trace import InlineQuery, Outcome, Reason, Suggestion, Trace
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine
from devstral_ls.text import Span

READY = {"state": "ready", "model": "scripted", "engine": "scripted", "message": "ready"}


class Engine(ScriptedEngine):
    """A ``ServedEngine`` whose status the test sets."""

    def __init__(self, options: EngineOptions, on_status: Any, status: Mapping[str, Any]) -> None:
        super().__init__("says")
        self.observers: list[Any] = []
        self.on_status = on_status
        self.options = [options]
        self.n_restarts = 0
        self.pulled = False
        self.hangs_at_close = False
        self.set_status(status, say=False)

    def set_status(self, status: Mapping[str, Any], *, say: bool = True) -> None:
        self.status = EngineStatus(**status)
        self._model = QWEN if self.status.state == "ready" else None
        if say:
            self.on_status(self.status)

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        for observer in self.observers:
            observer.started(request)
        try:
            async with super().generate(request) as chunks:
                yield chunks
        finally:
            for observer in self.observers:
                observer.finished(request)

    def observe(self, observer: Any) -> None:
        self.observers.append(observer)

    def hold(self) -> None:
        self._go.clear()

    def start(self) -> None:
        self.on_status(self.status)

    def reconfigure(self, options: EngineOptions) -> None:
        self.options.append(options)

    def restart(self) -> None:
        self.n_restarts += 1

    def check_now(self) -> None:
        if self.pulled:
            self.set_status(READY)

    def halt(self) -> None:
        self.set_status({"state": "failed", "message": "loading was cancelled"})

    async def aclose(self) -> None:
        if self.hangs_at_close:
            await asyncio.sleep(3600)


class PlainPipeline:
    """Sends the text before the cursor at once, and suggests the answer."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._ids = itertools.count(1)
        self.traces: dict[str, Trace] = {}
        self.diagnostics: tuple[Any, ...] = ()
        self.heard: list[tuple[str, str]] = []

    async def inline(self, query: InlineQuery, settings: Any) -> Outcome:
        trace = self.traces[query.snapshot.uri] = Trace()
        if self._engine.model is None:
            trace.reason = Reason.NOT_READY
            return Outcome((), trace)
        if not settings.inline.enable:
            trace.reason = Reason.DISABLED
            return Outcome((), trace)
        text = ""
        trace.asked_model, trace.layout = True, "plain"
        request = GenerationRequest((Text(query.snapshot.text[: query.offset]),), 16)
        async with self._engine.generate(request) as chunks:
            async for chunk in chunks:
                text += chunk.text
                trace.usage = chunk.usage or trace.usage
        trace.reason = Reason.SHOWN
        replaces = Span(query.offset, query.offset)
        return Outcome((Suggestion(f"s{next(self._ids)}", text, replaces),), trace)

    def why(self, uri: str) -> Trace | None:
        return self.traces.get(uri)

    def on_cursor_idle(self, snapshot: Any, offset: int, settings: Any) -> None:
        self.rested = (snapshot.uri, offset)

    def model_ready(self) -> None:
        return

    def changed(self, change: Any) -> None:
        return

    def closed(self, uri: str) -> None:
        self.traces.pop(uri, None)

    def diagnosed(self, snapshot: Any, diagnostics: Any) -> None:
        self.diagnostics = tuple(diagnostics)

    def reported(self, snapshot: Any, span: Any) -> Any:
        return self.diagnostics

    def tree(self, snapshot: Any) -> Any:
        return parse_once(snapshot)

    def close(self) -> None:
        return

    def accepted(self, suggestion_id: str) -> None:
        self.heard.append(("accepted", suggestion_id))

    def rejected(self, suggestion_id: str) -> None:
        self.heard.append(("rejected", suggestion_id))


class Rig:
    """The parts of a scripted server that a test sets and reads."""

    def __init__(
        self,
        *,
        status: Mapping[str, Any] = READY,
        real_pipeline: bool = False,
        fetching: Fetching | None = None,
        index: bool = False,
    ) -> None:
        self.index = index
        self.status = status
        self.real_pipeline = real_pipeline
        self.engine: Any = None
        self.pipeline: Any = None
        self.fetching = fetching or Fetching()

    def factories(self) -> Factories:
        def engine(options: Any, _directories: Any, on_status: Any) -> Any:
            self.engine = Engine(options, on_status, self.status)
            return self.engine

        def pipeline(engine: Any, retriever: Any) -> Any:
            self.pipeline = FACTORIES.pipeline(engine, retriever) if self.real_pipeline else PlainPipeline(engine)
            return self.pipeline

        retriever = FACTORIES.retriever if self.index else lambda visibility: None
        return Factories(engine, pipeline, retriever=retriever, fetching=self.fetching)


def scripted(rig: Rig, **options: Any) -> DevstralServer:
    """A server over ``rig``, with the test's own requests registered."""
    server = create_server(rig.factories(), **options)

    set_: dict[str, Callable[[Any, Any], None]] = {
        "says": lambda engine, says: setattr(engine, "says", says),
        "status": lambda engine, status: engine.set_status(status),
        "error": lambda engine, text: setattr(engine, "error", text and EngineUnavailable(text, hint="Try again.")),
        "bug": lambda engine, text: setattr(engine, "error", ZeroDivisionError(text)),
        "hold": lambda engine, hold: engine.hold() if hold else engine.let_go(),
        "hangsAtClose": lambda engine, hangs: setattr(engine, "hangs_at_close", hangs),
    }

    @server.features.feature("test/script")
    async def script(ls: DevstralServer, params: Any) -> dict[str, Any]:
        """Set the given values, and return the state."""
        await ls.pipeline()
        engine = rig.engine
        for name, value in (params or {}).items():
            set_[name](engine, value)
        return {
            "asked": ["".join(part.text for part in r.prompt if isinstance(part, Text)) for r in engine.requests],
            "cancelled": engine.n_cancelled,
            "restarts": engine.n_restarts,
            "models": [options.model for options in engine.options],
            "heard": getattr(rig.pipeline, "heard", None),
            "diagnosed": [
                (snapshot.of(one.span), one.severity, one.message)
                for snapshot in ls.documents.all()
                for one in rig.pipeline.reported(snapshot, Span(0, len(snapshot.text)))
            ],
        }

    @server.features.feature("test/asked")
    async def asked(ls: DevstralServer, _params: Any) -> None:
        """Answer as soon as the engine has had a request since the last call."""
        await ls.pipeline()
        await rig.engine.asked.wait()
        rig.engine.asked.clear()

    @server.features.feature("test/flush")
    async def flush(ls: DevstralServer, _params: Any) -> None:
        """Write the statistics, as the server does every 15 seconds."""
        await ls.statistics.flush()

    @server.features.feature("test/print")
    def print_(ls: DevstralServer, _params: Any) -> None:
        print("stray")
        sys.stdout.write("output")
        assert sys.__stdout__ is not None
        sys.__stdout__.write("of a library")
        sys.__stdout__.flush()

    @server.features.feature("test/raise")
    async def raise_(ls: DevstralServer, params: Any) -> None:
        raise KeyError(params["text"])

    @server.features.feature("test/unjsonable")
    async def unjsonable(ls: DevstralServer, _params: Any) -> object:
        return {"value": b"bytes"}

    @server.features.feature("test/stubborn")
    async def stubborn(ls: DevstralServer, _params: Any) -> None:
        """Does not end soon when it is cancelled."""
        rig.engine.asked.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)

    return server


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--real-pipeline", action="store_true")
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--state", default="ready")
    parser.add_argument("--tcp", type=int)
    parser.add_argument("--client-process-id", type=int)
    options = parser.parse_args()
    status = READY if options.state == "ready" else {"state": options.state}
    rig = Rig(status=status, real_pipeline=options.real_pipeline, index=options.index)
    server = scripted(rig, directories=replace(directories()), client_process_id=options.client_process_id)
    return serve_stdio(server) if options.tcp is None else serve_tcp(server, "127.0.0.1", options.tcp)


if __name__ == "__main__":
    sys.exit(main())
