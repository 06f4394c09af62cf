"""Starts our own services as the runner does, each with empty data and a port of its own, credentials checked.

The bench stands in for the gateway in one thing: it publishes the key that signs the callers' identity tokens.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp

from deploy import layout, services
from servicekit.contract import TestKeys
from tests.bench.processes import HttpServer, Processes, free_port

NAME = "svc-chat"
TOKEN_LIFE_S = 4 * 3600


class KeyServer:
    """Publishes the public key on `/.well-known/jwks.json`, as the gateway does."""

    def __init__(self, processes: Processes):
        keys = TestKeys()
        self.token = keys.token("bench", exp=int(time.time()) + TOKEN_LIFE_S)
        published = json.dumps(keys._jwks).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(published)))
                self.end_headers()
                self.wfile.write(published)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the table is what is printed."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        processes.callback(server.server_close)
        processes.callback(server.shutdown)


async def start_chat(processes: Processes, keys: KeyServer, model: Path, threads: int) -> HttpServer:
    """Start svc-chat with `model` as its default."""
    told = {
        "CHAT_MODEL_PATHS": str(model),
        "CHAT_DEFAULT_MODEL": model.stem,
        "THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
    }
    return await _start(processes, keys, NAME, model.stem, told)


async def start_images(processes: Processes, keys: KeyServer) -> HttpServer:
    """Start svc-image-gen with its built-in model."""
    return await _start(processes, keys, "svc-image-gen", "oficina-draw", {})


async def queue(client: aiohttp.ClientSession, server: HttpServer) -> dict[str, int]:
    """Return what a service says of its queue: `running` and `waiting`."""
    async with client.get(f"{server.url}/readyz") as answer:
        return (await answer.json())["queue"]


async def _start(
    processes: Processes, keys: KeyServer, name: str, model: str, told: Mapping[str, str]
) -> HttpServer:
    """Start one service with the runner's own command and environment, but for what is told otherwise."""
    service = next(service for service in services.MODELS if service.name == name)
    stack = layout.load(str(processes.folder / "data"))
    url = f"http://127.0.0.1:{(port := free_port())}"
    env = {
        **stack.env,
        **services.environment(service, stack),
        "PORT": str(port),
        f"{service.prefix}_PORT": str(port),
        "GATEWAY_URL": keys.url,
        "REDIS_URL": "",
        "AUTH": "on",
        **told,
    }
    process = processes.start(name, services.command(service, stack), env)
    await processes.until_ready(name, process, f"{url}/readyz")
    return HttpServer(name, url, model, process, keys.token)
