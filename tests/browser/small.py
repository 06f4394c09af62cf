"""A small stack for tests of the chat: the real gateway, svc-chat and page, and a model whose pace a test sets.

The model is another server that speaks OpenAI's API, so that svc-chat treats it like any other. What it writes
is in the question, because everything between it and the page is what is tested:

- `diga: TEXT` is answered with TEXT, a few letters at a time;
- `conte N a cada MS` with the numbers from 1 to N, one every MS milliseconds;
- `falhe depois de N` with N numbers and a broken connection; `cheio` with status 429.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from deploy import services
from deploy.layout import Layout
from servicekit.hub.fake_hub import FakeHub, repository_of
from tests.browser.browser import Site
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 180
MODEL = "ritmo"
FOR_THE_PAGE = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""A repository of the stack's hub; its files are those of the built-in model."""
PASSWORD = "senha-dos-testes"
PIECE = 12
COUNT = re.compile(r"conte (\d+) a cada (\d+)")
FAIL = re.compile(r"falhe depois de (\d+)")


def counted(number: int) -> str:
    """Return what `conte N` is answered with."""
    return " ".join(str(n) for n in range(1, number + 1))


def pieces_of(question: str) -> Iterator[tuple[str, float]]:
    """Yield the pieces of the answer to `question`, each with the seconds before it."""
    if found := COUNT.search(question):
        for n in range(1, int(found[1]) + 1):
            yield ("" if n == 1 else " ") + str(n), int(found[2]) / 1000
    elif found := FAIL.search(question):
        for n in range(1, int(found[1]) + 1):
            yield f"{n} ", 0.05
        raise ConnectionAbortedError
    else:
        text = question.removeprefix("diga: ")
        for at in range(0, len(text), PIECE):
            yield text[at : at + PIECE], 0.0


class Model(BaseHTTPRequestHandler):
    """Answers `GET /v1/models` and `POST /v1/chat/completions`; `asked` are the bodies, in order."""

    asked: list[dict[str, Any]]

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List the one model."""
        self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        """Write an answer at the pace that the question names."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(body)
        question = body["messages"][-1]["content"]
        if question == "cheio":
            return self._send(429, {"error": {"message": "busy"}})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        written = 0
        try:
            for text, pause_s in pieces_of(question):
                time.sleep(pause_s)
                self._event({"choices": [{"index": 0, "delta": {"content": text}}]})
                written += 1
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self._event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": written}})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:  # the caller left, or the question wants a broken connection
            self.close_connection = True
        return None

    def _event(self, chunk: dict[str, Any]) -> None:
        told = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": MODEL, **chunk}
        self.wfile.write(f"data: {json.dumps(told)}\n\n".encode())
        self.wfile.flush()

    def _send(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class SmallStack:
    """Gateway, svc-chat and model as they run; `asked` is what the model was sent.

    Args:
        data_dir: of both.
        chat: environment of svc-chat, over what it is told else.
        name: another service in svc-chat's place, with what it is `told`; then the model is nobody's.
    """

    def __init__(
        self,
        data_dir: Path,
        chat: Mapping[str, str] | None = None,
        *,
        name: str = "svc-chat",
        told: dict[str, str] | None = None,
    ):
        self._chat, self._name, self._extra = dict(chat or {}), name, told
        self.asked: list[dict[str, Any]] = []
        handler = type("Model", (Model,), {"asked": self.asked})
        self._model = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._hub = FakeHub({FOR_THE_PAGE: repository_of(ROOT / "frontend/public/models/oficina-chat")})
        self._layout = Layout(ROOT, data_dir, env=dict(os.environ))
        self._ports = {"gateway": free_port(), name: free_port()}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.site = Site(f"http://127.0.0.1:{self._ports['gateway']}", None, "owner", PASSWORD)

    @property
    def chat_url(self) -> str:
        """The own port of svc-chat."""
        return f"http://127.0.0.1:{self._ports['svc-chat']}"

    def start(self) -> None:
        """Start everything and wait until it answers."""
        threading.Thread(target=self._model.serve_forever, daemon=True).start()
        self._hub.__enter__()
        self.start_service("gateway")
        self.start_service(self._name)
        self._until("/readyz", "gateway")

    @property
    def data_dir(self) -> Path:
        """The folder of the service's data."""
        return self._layout.data_dir / self._name

    @property
    def api_key(self) -> str:
        """The owner's key."""
        first = self._layout.data_dir / "gateway" / "first-start.json"
        return str(json.loads(first.read_text(encoding="utf-8"))["api_key"])

    def start_service(self, name: str, *, ready: bool = True) -> None:
        """Start one process and, unless told otherwise, wait until it is ready."""
        service = _service(name)
        folder = self._layout.data_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            **services.environment(service, self._layout),
            **self._told(name, folder),
        }
        with (self._layout.data_dir / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", service.module], env=environment, cwd=ROOT, stdout=log, stderr=log
            )
        if ready:
            self._until("/healthz" if name == "gateway" else "/readyz", name)

    def until_ready(self, name: str) -> None:
        """Wait until a service says that it is ready."""
        self._until("/readyz", name)

    def send(self, name: str, number: int) -> None:
        """Send a signal to one process."""
        self._running[name].send_signal(number)

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        """End one process and wait until it has."""
        self.send(name, number)
        self._running.pop(name).wait(timeout=90)

    def stop(self) -> None:
        """End everything."""
        for process in self._running.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._running.values():
            process.wait(timeout=90)
        self._hub.__exit__()
        self._model.shutdown()
        self._model.server_close()

    def _until(self, path: str, name: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{self._ports[name]}{path}", timeout=10).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        raise TimeoutError(
            f"{name} is not ready: {(self._layout.data_dir / f'{name}.log').read_text()[-2000:]}"
        )

    def _told(self, name: str, folder: Path) -> dict[str, str]:
        told = {
            "DATA_DIR": str(folder),
            "PORT": str(self._ports[name]),
            "REDIS_URL": "",
            "GATEWAY_URL": self.site.url,
        }
        if name == "gateway":
            own = {
                "GATEWAY_PORT": told["PORT"],
                f"UPSTREAM_{_service(self._name).prefix}": f"http://127.0.0.1:{self._ports[self._name]}",
                "UPSTREAM_FRONTEND": "",
                "STATIC_DIR": str(self._layout.page),
                "REQUIRED_SERVICES": self._name.removeprefix("svc-"),
                "OWNER_USERNAME": "owner",
                "OWNER_PASSWORD": PASSWORD,
                "RATE_LIMIT": "100000/minute",
            }
        elif self._extra is not None:
            own = {f"{_service(name).prefix}_PORT": told["PORT"], **self._extra}
        else:
            own = {
                "CHAT_PORT": told["PORT"],
                "OPENAI_BASE_URL": f"http://127.0.0.1:{self._model.server_port}/v1",
                "CHAT_MODEL_PATH": str(folder / "none.gguf"),
                "HF_ENDPOINT": self._hub.url,
                **self._chat,
            }
        return {**told, **own}


@contextmanager
def small_stack(
    data_dir: Path,
    chat: Mapping[str, str] | None = None,
    *,
    name: str = "svc-chat",
    told: dict[str, str] | None = None,
) -> Iterator[SmallStack]:
    """Run a small stack; see SmallStack."""
    stack = SmallStack(data_dir, chat, name=name, told=told)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def _service(name: str) -> services.Service:
    return next(one for one in services.ALL if one.name == name)
