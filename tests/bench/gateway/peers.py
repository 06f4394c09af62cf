"""Starts the gateways that ours is compared with besides nginx: LiteLLM's proxy, and FastAPI with httpx."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from deploy import install, layout
from tests.bench.gateway.traffic import KEY, MODEL
from tests.bench.processes import HttpServer, Processes, free_port

LITELLM, FASTAPI = "LiteLLM proxy", "FastAPI + httpx"
LITELLM_VERSION = "1.108.7"


class _PeerLayout(layout.Layout):
    """The repository's package sources, with another virtual environment."""

    @property
    def venv(self) -> Path:
        """The environment in the cache."""
        return self.data_dir / f"litellm-{LITELLM_VERSION}-venv"


async def start_litellm(processes: Processes, service: HttpServer, cache: Path) -> HttpServer:
    """Start LiteLLM's proxy, installing it into `cache` first when it is not there: one worker, one key, no database."""
    python = await asyncio.to_thread(_installed, cache)
    port = free_port()
    behind = {"model": f"openai/{MODEL}", "api_base": f"{service.url}/v1", "api_key": "none"}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": behind}],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"telemetry": False, "set_verbose": False},
    }
    file = processes.folder / "litellm.json"
    file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    command = [str(python.with_name("litellm")), "--config", str(file), "--host", "127.0.0.1"]
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "PYTHONPATH": ""}
    env["PATH"] = f"{python.parent}:{env.get('PATH', '')}"
    process = processes.start("litellm", [*command, "--port", str(port), "--num_workers", "1"], env)
    url = f"http://127.0.0.1:{port}"
    await processes.until_ready("litellm", process, f"{url}/health/liveliness")
    return HttpServer(LITELLM, url, MODEL, process, KEY)


async def start_fastapi(processes: Processes, service: HttpServer) -> HttpServer:
    """Start the small app under uvicorn with uvloop and httptools, one worker."""
    port = free_port()
    app = ["--factory", "tests.bench.gateway.fastapi_app:create_app"]
    quiet = ["--no-access-log", "--log-level", "warning", "--port", str(port)]
    env = {**os.environ, "UPSTREAM": service.url, "KEY": KEY, "PYTHONPATH": _python_path()}
    process = processes.start("fastapi", [sys.executable, "-m", "uvicorn", *app, *quiet], env)
    url = f"http://127.0.0.1:{port}"
    await processes.until_ready("fastapi", process, f"{url}/healthz")
    return HttpServer(FASTAPI, url, MODEL, process, KEY)


async def start_token_source(processes: Processes) -> HttpServer:
    """Start the service that streams."""
    port = free_port()
    quiet = ["--no-access-log", "--log-level", "warning", "--port", str(port)]
    command = [sys.executable, "-m", "uvicorn", "tests.bench.gateway.token_source:app", *quiet]
    process = processes.start("token-source", command, {**os.environ, "PYTHONPATH": _python_path()})
    url = f"http://127.0.0.1:{port}"
    await processes.until_ready("token-source", process, f"{url}/readyz")
    return HttpServer("direct", url, MODEL, process)


def _python_path() -> str:
    root = str(Path(__file__).resolve().parents[3])
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))


def _installed(cache: Path) -> Path:
    """Return the Python of an environment with LiteLLM's proxy, under its own pins and not ours."""
    here = layout.load()
    peer = _PeerLayout(here.root, cache, env=here.env)
    marker = peer.venv / ".installed"
    if not marker.is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(peer.venv)], check=True)
        install.install(peer, install.find_uv(here), [f"litellm[proxy]=={LITELLM_VERSION}"], pinned=False)
        marker.touch()
    return peer.python
