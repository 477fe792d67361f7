"""What a daemon between the language server and a remote engine would cost: time to first token, and one more process.

``python -m benchmarks.studies.remote_hop [--pairs N]``. A fake llama-server on loopback answers at once, so that only
the way is measured: from this process as ``RemoteEngine`` goes, and through the daemon's HTTP in a process of its own
with the same backend behind it. Server, daemon and client are three processes; straight and through alternate.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
from aiohttp import web
from devstral_ls.engine.daemon.statistics import Statistics

from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.daemon.app import App
from devstral_ls.engine.daemon.backend_engine import BackendEngine, queue_for
from devstral_ls.engine.daemon.backends.remote.backend import RemoteBackend
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.daemon.neighbours import Neighbours
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.tuning.rates import Rates
from devstral_ls.generation import Engine, GenerationRequest, Text

_N_EVENTS = 16
_EVENT = b'data: {"index": 0, "content": "tok", "tokens": [5], "stop": false, "tokens_predicted": 1}\n\n'
_END = (
    b'data: {"content": "", "stop": true, "stop_type": "eos", "timings": '
    b'{"cache_n": 1, "prompt_n": 2, "prompt_ms": 3, "predicted_n": 2, "predicted_ms": 4}}\n\n'
)
_EVENT_SECONDS = 0.002
_PROMPT = (Text("x = 1\n" * 1000),)
"""As many characters as a suggestion in a long file has."""

_KEY = "key"
_WARM_UP = 5

Times = tuple[float, float]
"""Milliseconds to the first token and to the last."""


async def _complete(request: web.Request) -> web.StreamResponse:
    await request.read()
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(_N_EVENTS):
        await response.write(_EVENT)
        await asyncio.sleep(_EVENT_SECONDS)
    await response.write(_END)
    return response


async def _tokenize(request: web.Request) -> web.Response:
    return web.json_response({"tokens": [ord(character) for character in (await request.json())["content"]][::4]})


async def _page(_request: web.Request) -> web.Response:
    props = {"default_generation_settings": {"n_ctx": 8192}, "total_slots": 2, "model_path": "m.gguf", "data": []}
    return web.json_response(props)


async def _serve_remote(port: int, _path: str) -> None:
    app = web.Application()
    app.router.add_post("/completion", _complete)
    app.router.add_post("/tokenize", _tokenize)
    app.router.add_get("/{page:.*}", _page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def _serve_daemon(port: int, path: str) -> None:
    await _until_listening(lambda: asyncio.open_connection("127.0.0.1", port))
    backend = await _started(port)
    queue = queue_for(backend)
    usage = Statistics(backend.info, queue, Rates(Path(path).with_name("rates")), None)
    generator = BackendEngine(backend, queue, on_usage=usage.add)
    await App(generator, usage, Neighbours(queue, on_processor=False), _KEY, lambda: None).listen(Path(path))
    await asyncio.Event().wait()


async def _started(port: int) -> RemoteBackend:
    backend = RemoteBackend(Endpoint(f"http://127.0.0.1:{port}", ""), RemoteOptions())
    await backend.start()
    return backend


async def _until_listening(connect: Callable[[], Coroutine[Any, Any, tuple[Any, asyncio.StreamWriter]]]) -> None:
    while True:
        try:
            _, writer = await connect()
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def _one(engine: Engine) -> Times:
    begin = time.perf_counter()
    first = 0.0
    async with engine.generate(GenerationRequest(_PROMPT, _N_EVENTS)) as chunks:
        async for _ in chunks:
            first = first or time.perf_counter() - begin
    return first * 1000, (time.perf_counter() - begin) * 1000


async def _measure(port: int, path: str, n_pairs: int) -> list[tuple[Times, Times]]:
    await _until_listening(lambda: asyncio.open_unix_connection(path))
    backend = await _started(port)
    straight = BackendEngine(backend, model=backend.probed.model)
    through = EngineClient(Endpoint(f"unix:{path}", _KEY), backend.probed.model)
    pairs = [(await _one(straight), await _one(through)) for _ in range(n_pairs + _WARM_UP)]
    await through.aclose()
    await backend.stop()
    return pairs[_WARM_UP:]


def _run(serve: Callable[[int, str], Coroutine[Any, Any, None]], port: int, path: str) -> None:
    asyncio.run(serve(port, path))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s")
        processes = [
            context.Process(target=_run, args=(serve, port, path), daemon=True)
            for serve in (_serve_remote, _serve_daemon)
        ]
        for process in processes:
            process.start()
        pairs = asyncio.run(_measure(port, path, options.pairs))
        own_bytes = psutil.Process(processes[1].pid).memory_full_info().uss
        for process in processes:
            process.terminate()
    for at, name in enumerate(("first", "last")):
        added = sorted(through[at] - straight[at] for straight, through in pairs)
        usual = statistics.median(straight[at] for straight, _ in pairs)
        sys.stdout.write(
            f"{name} token: straight {usual:.2f} ms, the daemon adds p50 {statistics.median(added):+.2f} ms, "
            f"p95 {added[int(len(added) * 0.95)]:+.2f} ms\n"
        )
    sys.stdout.write(f"the daemon's own memory: {own_bytes / 1e6:.0f} MB\n")


if __name__ == "__main__":
    main()
