"""Measures the gateway's data path beside the same service called directly.

`python gateway/bench/proxy_bench.py [seconds] [connections]` starts a bare ASGI service, a gateway in
front of it, and prints requests a second and requests per processor-second of the gateway; on a busy
machine only the second number means something.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import psutil

KEY = "ofi_bench_0123456789abcdefgh"
BODY = b'{"messages":[{"role":"user","content":"' + b"x" * 1200 + b'"}]}'
ANSWER = b'{"text":"' + b"y" * 1290 + b'"}'


async def service(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer every request with 1.3 KB of JSON, and `/v1/responses` with 200 events."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    kind = b"text/event-stream" if scope["path"] == "/v1/responses" else b"application/json"
    headers = [(b"content-type", kind)]
    if kind == b"application/json":
        headers.append((b"content-length", str(len(ANSWER)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if kind == b"text/event-stream":
        for n in range(200):
            await send({"type": "http.response.body", "body": b"data: {%d}\n\n" % n, "more_body": True})
            await asyncio.sleep(0.002)
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": ANSWER})


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], env: dict[str, str]) -> Iterator[psutil.Process]:
    """Run a process while measuring."""
    process = subprocess.Popen(command, env=os.environ | env, stdout=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


async def load(url: str, seconds: float, connections: int) -> tuple[int, float, float]:
    """Return (requests, p50 ms, p99 ms) of POSTs on so many connections."""
    times: list[float] = []
    end = time.monotonic() + seconds
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": f"Bearer {KEY}"}
    ) as session:

        async def worker() -> None:
            while time.monotonic() < end:
                start = time.perf_counter()
                async with session.post(
                    url, data=BODY, headers={"Content-Type": "application/json"}
                ) as answer:
                    await answer.read()
                    assert answer.status == 200, answer.status
                times.append(time.perf_counter() - start)

        await asyncio.gather(*(worker() for _ in range(connections)))
    cuts = statistics.quantiles(times, n=100)
    return len(times), cuts[49] * 1000, cuts[98] * 1000


async def ready(url: str) -> None:
    """Wait until the server answers."""
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status < 500:
                        return
            await asyncio.sleep(0.1)
    raise TimeoutError(url)


def measure(name: str, url: str, process: psutil.Process, seconds: float, connections: int) -> None:
    """Print one row."""
    before = sum(process.cpu_times()[:2])
    start = time.monotonic()
    done, p50, p99 = asyncio.run(load(url, seconds, connections))
    took, cpu = time.monotonic() - start, sum(process.cpu_times()[:2]) - before
    rates = f"{done / took:8.0f}/s {done / max(cpu, 0.01):8.0f}/cpu-s"
    sys.stdout.write(f"{name:34} {rates}  p50 {p50:7.2f}  p99 {p99:7.2f} ms\n")


def main() -> None:
    """Run all rows."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    back, front = free_port(), free_port()
    folder = os.path.dirname(os.path.abspath(__file__))
    serve = [
        sys.executable,
        "-m",
        "uvicorn",
        "--app-dir",
        folder,
        "--port",
        str(back),
        "--log-level",
        "error",
    ]
    env = {
        "GATEWAY_PORT": str(front), "GATEWAY_OWNER_API_KEY": KEY, "GATEWAY_RATE_LIMIT": "100000000/minute",
        "GATEWAY_DATA_DIR": tempfile.mkdtemp(), "GATEWAY_UPSTREAM_CHAT": f"http://127.0.0.1:{back}",
    }  # fmt: skip
    with (
        running([*serve, "proxy_bench:service"], {}) as direct,
        running([sys.executable, "-m", "gateway"], env) as gateway,
    ):
        asyncio.run(ready(f"http://127.0.0.1:{back}/"))
        asyncio.run(ready(f"http://127.0.0.1:{front}/healthz"))
        json_path, sse_path = "/v1/chat/completions", "/v1/responses"
        for n in (connections, 1):
            measure(f"direct, {n} connections", f"http://127.0.0.1:{back}{json_path}", direct, seconds, n)
            measure(f"gateway, {n} connections", f"http://127.0.0.1:{front}{json_path}", gateway, seconds, n)
        measure(
            "direct, SSE of 200 chunks", f"http://127.0.0.1:{back}{sse_path}", direct, seconds, connections
        )
        measure(
            "gateway, SSE of 200 chunks", f"http://127.0.0.1:{front}{sse_path}", gateway, seconds, connections
        )


if __name__ == "__main__":
    main()
