"""Real processes share a memory budget: an idle model of another service leaves, and nobody needs the gateway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy import services
from deploy.layout import Layout
from tests.e2e.conftest import until
from tests.gateway_process import KEY
from tests.ports import free_port

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
EMBEDDER, EN_PT, PT_EN = "all-MiniLM-L6-v2", "oficina-translate-en-pt", "oficina-translate-pt-en"
BUDGET_MB = 142
"""Room for the embedder (131 MiB) and one translator (7 MiB), not for two."""
WITHIN_S = 90.0


class Three:
    """Gateway, svc-rag and svc-translate, each a process."""

    def __init__(self, folder: Path):
        self.ports = {name: free_port() for name in ("gateway", "svc-rag", "svc-translate")}
        self._folder, self._layout = folder, Layout(ROOT, folder, env=dict(os.environ))
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, name: str, **more: str) -> None:
        service = next(one for one in services.ALL if one.name == name)
        told = {
            **os.environ, **services.environment(service, self._layout), "DATA_DIR": str(self._folder / name),
            "REDIS_URL": "", "GATEWAY_URL": self.url("gateway"), "PORT": str(self.ports[name]),
            f"{service.prefix}_PORT": str(self.ports[name]), "TRANSLATE_APERTIUM": "off", **more,
        }  # fmt: skip
        with (self._folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", service.module], env=told, cwd=ROOT, stdout=log, stderr=log
            )
        until(lambda: self.answers(name), WITHIN_S)

    def answers(self, name: str) -> bool:
        try:
            path = "/healthz" if name == "gateway" else "/readyz"
            return httpx.get(self.url(name) + path, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self, name: str) -> None:
        self.running[name].send_signal(signal.SIGKILL)
        self.running.pop(name).wait(timeout=90)

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(timeout=90)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    started = Three(tmp_path)
    with ExitStack() as end:
        end.callback(started.stop)
        started.start(
            "gateway",
            OWNER_API_KEY=KEY,
            OWNER_PASSWORD="senha-dos-testes",
            GATEWAY_MEMORY_BUDGET_MB=str(BUDGET_MB),
            UPSTREAM_RAG=started.url("svc-rag"),
            UPSTREAM_TRANSLATE=started.url("svc-translate"),
        )
        started.start("svc-rag")
        yield started


def test_an_idle_model_of_another_service_leaves_and_nothing_needs_the_gateway(three: Three) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=three.url("gateway"), headers=headers, timeout=60) as gateway:

        def held() -> dict[str, Any]:
            return {row["model"]: row for row in gateway.get("/api/status").json()["memory"]["held"]}

        def translate(source: str, target: str) -> httpx.Response:
            body = {"text": f"{source} {len(held())} red", "source": source, "target": target}
            return gateway.post("/v1/translations", json=body)

        def embed(text: str) -> httpx.Response:
            body = {"model": EMBEDDER, "input": text}
            return gateway.post("/v1/embeddings", json=body)

        until(lambda: EMBEDDER in held(), WITHIN_S)
        three.start(
            "svc-translate"
        )  # it loads both of its models, and the embedder is the one longest unused
        until(lambda: {EN_PT, PT_EN} <= set(held()) and EMBEDDER not in held(), WITHIN_S)

        until(lambda: embed("a cat").status_code == 200, WITHIN_S)
        until(lambda: EMBEDDER in held() and len(held()) == 2, WITHIN_S)

        three.kill("svc-rag")  # what a dead process held is free again
        until(lambda: EMBEDDER not in held(), WITHIN_S)
        until(lambda: translate("en", "pt").status_code == translate("pt", "en").status_code == 200, WITHIN_S)
        assert set(held()) == {EN_PT, PT_EN}

    three.kill("gateway")  # a service that starts alone loads by the machine's free memory
    three.start("svc-rag")
    memory = httpx.get(f"{three.url('svc-rag')}/readyz", timeout=60).json()["memory"]
    assert [row["model"] for row in memory["held"]] == [EMBEDDER]
