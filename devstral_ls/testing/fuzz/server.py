"""The scripted server with a request for its internal state: ``python -m devstral_ls.testing.fuzz.server``.

``test/state`` takes ``{"hold": ...}`` as ``test/script`` does, and returns the documents and the tasks and futures left.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import deque
from dataclasses import replace
from typing import Any

from devstral_ls.platform.paths import directories
from devstral_ls.server.app import DevstralServer, serve_stdio
from devstral_ls.testing.scripted_server import Rig, scripted
from devstral_ls.text import line_starts

SAYS = "return x\n    y = f(😀)\n"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--real-pipeline", action="store_true")
    rig = Rig(real_pipeline=parser.parse_args().real_pipeline)
    server = scripted(rig, directories=replace(directories()))

    @server.features.feature("test/state")
    async def state(ls: DevstralServer, params: Any) -> dict[str, Any]:
        """Set ``hold``, and return the state."""
        await ls.pipeline()
        engine = rig.engine
        assert engine is not None
        if not isinstance(engine.requests, deque):
            engine.requests = deque(maxlen=8)  # hours of requests would look like a leak
            engine.says = SAYS
        if params["hold"]:
            engine.hold()
        else:
            engine.let_go()
        snapshots = ls.documents.all()
        traces = [rig.pipeline.why(snapshot.uri) for snapshot in snapshots]
        return {
            "reasons": [trace.reason.value for trace in traces if trace is not None],
            "texts": {snapshot.uri: snapshot.text for snapshot in snapshots},
            "wrongLines": [one.uri for one in snapshots if one.line_starts != line_starts(one.text)],
            "tasks": len(asyncio.all_tasks()),
            "futures": ls.connection.n_open,
        }

    return serve_stdio(server)


if __name__ == "__main__":
    sys.exit(main())
