"""The real stack, started once for the end-to-end and browser tests, on ports of its own.

`OFICINA_STACK_DATA` names the data folder of a stack that runs on those ports already, and is then used
and left running: `python -m deploy.run --port-offset 20000 --data-dir FOLDER up`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from deploy import machine

ROOT = Path(__file__).resolve().parents[1]
PORTS = {
    "gateway": 8001,
    "svc-chat": 8002,
    "svc-image-gen": 8003,
    "svc-vision": 8004,
    "svc-translate": 8005,
    "svc-rag": 8006,
    "frontend": 8007,
    "svc-tts": 5000,
}
if machine.sandbox_missing() is None:
    PORTS["svc-code"] = 8008
START_TIMEOUT_S = 480
_GIVEN_OFFSET = 20_000
_OFFSETS = range(11_000, 24_000, 1000)
"""Ports of two suites that run at once differ; all lie below those that a system gives to clients."""


def _free_offset() -> int:
    first = os.getpid() % len(_OFFSETS)
    for offset in (*_OFFSETS[first:], *_OFFSETS[:first]):
        if not any(_listening(port + offset) for port in PORTS.values()):
            return offset
    return _GIVEN_OFFSET


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Stack:
    """A running stack: where it answers and with what key."""

    urls: dict[str, str]
    api_key: str
    link: str = ""
    username: str = ""
    password: str = ""
    data_dir: Path | None = None
    port_offset: int = _GIVEN_OFFSET
    run: tuple[str, ...] = field(default=())
    """The command line that started it, without the command; empty: it was running already."""

    @property
    def url(self) -> str:
        """The gateway."""
        return self.urls["gateway"]

    def client(self, service: str = "gateway", *, key: str | None = None) -> httpx.Client:
        """Return a client of one service with the owner's key."""
        headers = {"Authorization": f"Bearer {key or self.api_key}"}
        return httpx.Client(base_url=self.urls[service], headers=headers, timeout=120)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start everything as `make up` does, with empty data; stop it at the end."""
    if running := os.environ.get("OFICINA_STACK_DATA"):
        yield _started(Path(running), _GIVEN_OFFSET, (sys.executable, "-m", "deploy.run"))
        return
    data_dir = tmp_path_factory.mktemp("stack")
    offset = _free_offset()
    run = (sys.executable, "-m", "deploy.run", "--port-offset", str(offset), "--data-dir", str(data_dir))
    limit = ("--timeout", str(START_TIMEOUT_S))
    environment = {
        **os.environ,
        # nothing is fetched from the real hub, whatever the network of this machine
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "GATEWAY_RATE_LIMIT": "100000/minute",
        "GATEWAY_RATE_LIMIT_HEAVY": "10000/minute",
    }
    started = subprocess.run(
        (*run, *limit, "up"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S + 120,
        env=environment,
    )
    try:
        if started.returncode != 0:
            pytest.fail(f"the stack did not start:\n{started.stdout[-3000:]}\n{started.stderr[-3000:]}")
        yield _started(data_dir, offset, run)
    finally:
        subprocess.run((*run, "down"), cwd=ROOT, capture_output=True, timeout=300, check=False)


def _started(data_dir: Path, offset: int, run: tuple[str, ...]) -> Stack:
    first = json.loads((data_dir / "gateway" / "first-start.json").read_text(encoding="utf-8"))
    urls = {name: f"http://127.0.0.1:{port + offset}" for name, port in PORTS.items()}
    return Stack(
        urls, first["api_key"], first["link"], first["username"], first["password"], data_dir, offset, run
    )
