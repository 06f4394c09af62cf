"""Loads a server from a process of its own and says what came of it: wrk for calls, our reader for streams."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.bench.gateway.traffic import KEY
from tests.bench.processes import HttpServer, cpu_s

_SCRIPT = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT {{"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"mean_us":%d,"errors":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.mean,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Calls:
    """What many calls came to."""

    per_s: float
    per_cpu_s: float
    """Calls for each processor second of the server."""
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Tokens:
    """What many streams came to."""

    per_s: float
    cpu_us: float
    """Processor microseconds of the server for each token."""
    first_ms: list[float]


class Wrk:
    """wrk, with its script for one body."""

    def __init__(self, folder: Path, name: str, body: bytes):
        self._script, self._body = folder / f"{name}.lua", body
        self._script.write_text(_SCRIPT.format(body=body.decode(), key=KEY), encoding="utf-8")
        found = shutil.which("wrk")
        if found is None:
            raise SystemExit("wrk is needed: sudo apt-get install wrk nginx-light")
        self._wrk = found

    async def warm_up(self, server: HttpServer, path: str) -> None:
        """Have one call answered, so that what is made at the first call is made, however long that takes."""
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers) as client:
            for _ in range(3):
                async with client.post(f"{server.url}{path}", data=self._body) as answer:
                    await answer.read()
                    if answer.status != 200:
                        raise RuntimeError(f"{server.name} answered {answer.status}")

    async def load(self, server: HttpServer, path: str, *, connections: int, seconds: float) -> Calls:
        """POST on so many connections for so long, one thread.

        Raises:
            RuntimeError: anything but answers of 200 came, or many connections got none.
        """
        options = ["-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s", "--timeout", "30s"]
        command = [self._wrk, *options, "-s", str(self._script), f"{server.url}{path}"]
        used_s = cpu_s(server.process.pid)
        said = await _output(command)
        used_s = cpu_s(server.process.pid) - used_s
        told = json.loads(next(line[7:] for line in said.splitlines() if line.startswith("RESULT ")))
        if told["errors"] or not told["requests"]:
            raise RuntimeError(f"{server.name} did not answer every call: {told}")
        answered = told["requests"] / told["us"] * told["mean_us"]  # Little's law: calls under way at a time
        if answered < connections / 3:
            raise RuntimeError(f"{server.name} answered on {answered:.0f} of {connections} connections only")
        return Calls(
            told["requests"] / (told["us"] / 1e6),
            told["requests"] / max(used_s, 0.01),
            told["p50_us"] / 1000,
            told["p99_us"] / 1000,
        )


async def streams(
    server: HttpServer, path: str, *, streams: int, tokens: int, every_ms: float, times: int = 1
) -> Tokens:
    """Read so many streams at once of so many tokens each; `times` one after another."""
    url = f"{server.url}{path}?tokens={tokens}&every_ms={every_ms:g}"
    options = ["--streams", str(streams), "--tokens", str(tokens), "--times", str(times)]
    used_s = cpu_s(server.process.pid)
    said = await _output([sys.executable, "-m", "tests.bench.gateway.stream_client", url, *options])
    used_s = cpu_s(server.process.pid) - used_s
    told = json.loads(said)
    return Tokens(told["tokens"] / told["seconds"], 1e6 * used_s / told["tokens"], told["first_ms"])


async def _output(command: list[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    said, complained = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {complained.decode(errors='replace')[-800:]}")
    return said.decode()
