"""The real server over an engine that takes no time and knows the typed code: ``python -m benchmarks.null_engine_server``.

At one place of three it continues the code of ``source.TYPED``, at the others it says something else, so that keys are
typed through suggestions and against them. Deterministic.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from dataclasses import replace
from typing import Any

from benchmarks.source import TYPED
from benchmarks.tracing import MemoryTrace
from devstral_ls.generation import GenerationRequest
from devstral_ls.platform.paths import directories
from devstral_ls.server.app import serve_stdio
from devstral_ls.testing.scripted_engine import plain
from devstral_ls.testing.scripted_server import Rig, scripted

_N_KNOWN = 12
"""Characters before the cursor that identify the place."""

_N_SAID = 8

_WRONG = "other_total = compute(first, second)"


def _answers() -> dict[str, str]:
    """Answers by the characters before the cursor: the next few of the line, or something that is not typed."""
    found = {}
    for code in TYPED.values():
        for at in range(_N_KNOWN, len(code)):
            rest = code[at : at + 1] + code[at + 1 : at + _N_SAID].split("\n")[0]
            found[code[at - _N_KNOWN : at]] = rest if at % 3 == 0 else _WRONG
    return found


_ANSWERS = _answers()


def goes_on(request: GenerationRequest) -> str:
    """The answer to ``request``; takes no time."""
    return _ANSWERS.get((plain(request) + request.begins_with)[-_N_KNOWN:], _WRONG)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", action="store_true")
    options = parser.parse_args()
    rig = Rig(real_pipeline=True, index=options.index)
    server = scripted(rig, directories=replace(directories()))

    @server.features.feature("test/knows")
    async def knows(ls: object, _params: object) -> None:
        """Let the engine know the typed code from now on."""
        await server.pipeline()
        assert rig.engine is not None
        rig.engine.says = goes_on
        rig.engine.requests = deque(maxlen=1)  # type: ignore[assignment]  # or this engine is what grows

    trace = MemoryTrace()

    @server.features.feature("test/held")
    async def held(ls: object, _params: object) -> dict[str, Any]:
        """Memory of this process, and its growth since the last request."""
        return trace.now()

    @server.features.feature("test/key")
    async def key(ls: object, params: Any) -> dict[str, Any]:
        """Reason code of the document's last request, and CPU seconds of this process so far."""
        return {"reason": rig.pipeline.why(params["uri"]).reason.value, "cpu": time.process_time()}

    @server.features.feature("test/index")
    async def index(ls: object, _params: object) -> dict[str, Any]:
        """How far the index is; empty without one."""
        return dict(await server.workspace.index.state()) if server.workspace.index is not None else {}

    @server.features.feature("test/lookup")
    async def lookup(ls: object, params: Any) -> dict[str, Any]:
        """How long the index takes to find a name for a document, and how many definitions it found."""
        assert server.workspace.index is not None
        begun = time.perf_counter()
        found = await server.workspace.index.find([params["name"]], params["uri"])
        return {"ms": 1000 * (time.perf_counter() - begun), "found": len(found.definitions), "answered": found.answered}

    return serve_stdio(server)


if __name__ == "__main__":
    sys.exit(main())
