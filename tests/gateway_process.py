"""A gateway in a process of its own, that can be killed, started again on the same data, and measured."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import aiohttp

from tests.ports import free_port

KEY = "ofi_test_0123456789abcdefghij"
AUTH = {"Authorization": f"Bearer {KEY}"}
START_TIMEOUT_S = 60


class GatewayProcess:
    """`python -m gateway` whose svc-chat and svc-image-gen are at `upstream`; `env` tells it more."""

    def __init__(self, upstream: str, folder: Path, **env: str):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = os.environ | {
            "GATEWAY_DATA_DIR": str(folder / "data"), "GATEWAY_PORT": str(self.port), "REDIS_URL": "",
            "GATEWAY_OWNER_API_KEY": KEY, "GATEWAY_UPSTREAM_CHAT": upstream, "GATEWAY_UPSTREAM_IMAGE_GEN": upstream,
            "GATEWAY_UPSTREAM_TRANSLATE": upstream, "GATEWAY_RATE_LIMIT": "1000000/minute",
        } | env  # fmt: skip
        self._started: list[subprocess.Popen] = []

    @property
    def pid(self) -> int:
        """The process that was started last."""
        return self._started[-1].pid

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self._spawn()
        async with aiohttp.ClientSession() as client:
            async with asyncio.timeout(START_TIMEOUT_S):
                while True:
                    try:
                        async with client.get(self.url + "/healthz"):
                            return
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.05)

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "gateway"]
        self._started.append(subprocess.Popen(command, env=self._env, stdout=subprocess.DEVNULL))

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._started[-1].kill()
        self._started[-1].wait()

    async def __aenter__(self) -> GatewayProcess:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()
            process.wait()
