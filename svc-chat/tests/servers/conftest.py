"""A server of another make on a free port: it speaks OpenAI's and Ollama's protocols, and misbehaves when told to."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from svc_chat.engine import modellist
from svc_chat.engine.base import Engine
from svc_chat.engine.ollama import OllamaEngine
from svc_chat.engine.openai_server import OpenAIServerEngine

SECRET = "/srv/secret/path"


def chunk(delta: dict, index: int = 0, reason: str | None = None, **more: Any) -> dict:
    """A piece of a stream in OpenAI's shape."""
    return {"choices": [{"index": index, "delta": delta, "finish_reason": reason, **more}]}


USED = {
    "choices": [],
    "usage": {"prompt_tokens": 5, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}},
}
OLLAMA_END = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 4,
              "load_duration": 2_000_000_000, "total_duration": 5_000_000_000}  # fmt: skip


class Other:
    """A server of another make. `mode` says how it misbehaves; `asked` is what it was told."""

    chunk = staticmethod(chunk)
    USED, OLLAMA_END = USED, OLLAMA_END
    OPENAI_TEXT = (chunk({"role": "assistant", "content": "Hel"}), chunk({"content": "lo"}),
                   chunk({}, reason="stop"), USED)  # fmt: skip
    OLLAMA_TEXT = (
        {"message": {"content": "Hel"}},
        {"message": {"content": "lo"}},
        {"message": {}, **OLLAMA_END},
    )

    def __init__(self) -> None:
        self.mode, self.asked, self.left = "", list[dict](), threading.Event()
        self.listed, self.port = 0, 0
        self.pieces: list[dict] = []
        routes = [
            Route("/v1/models", self.models),
            Route("/api/tags", self.models),
            Route("/api/show", self.show, methods=["POST"]),
            Route("/{path:path}", self.answer, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    def openai(self, **options: Any) -> OpenAIServerEngine:
        """An engine that speaks OpenAI's protocol with it."""
        return OpenAIServerEngine(f"{self.url}/v1", "key", httpx.AsyncClient(timeout=60), **options)

    def ollama(self, **options: Any) -> OllamaEngine:
        """An engine that speaks Ollama's protocol with it."""
        return OllamaEngine(self.url, httpx.AsyncClient(timeout=60), **options)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def models(self, request: Request) -> Response:
        self.listed += 1
        if self.mode == "slow list":
            await asyncio.sleep(3)
        if self.mode in ("no list", "garbage"):
            return Response("<html>", status_code=200 if self.mode == "garbage" else 500)
        if request.url.path.startswith("/api"):
            return JSONResponse({"models": [{"name": "big", "size": 7}, {"name": "llava:7b"}]})
        eyes = {"id": "eyes", "architecture": {"input_modalities": ["text", "image"]}}
        return JSONResponse({"object": "list", "data": [{"id": "big"}, eyes]})

    async def show(self, request: Request) -> Response:
        model = (await request.json())["model"]
        return JSONResponse({"capabilities": ["completion"] + (["vision"] if "llava" in model else [])})

    async def answer(self, request: Request) -> Response:
        self.asked.append({**(await request.json()), "path": request.url.path})
        if self.mode.isdigit():
            body = {"error": {"message": SECRET, "code": "context_length_exceeded"}}
            return JSONResponse(body, int(self.mode), headers={"Retry-After": "7"})
        if self.mode == "slow start":
            await asyncio.sleep(30)
        ollama = request.url.path.startswith("/api")
        kind = "application/x-ndjson" if ollama else "text/event-stream"
        return StreamingResponse(self.lines(ollama), media_type=kind)

    async def lines(self, ollama: bool) -> AsyncIterator[bytes]:
        try:
            for place, piece in enumerate(self.pieces):
                text = json.dumps(piece).encode()
                yield text + b"\n" if ollama else b"data: " + text + b"\n\n"
                if place == 0 and self.mode:
                    async for line in self.misbehaving(ollama):
                        yield line
            yield b"" if ollama else b"data: [DONE]\n\n"
        finally:
            self.left.set()

    async def misbehaving(self, ollama: bool) -> AsyncIterator[bytes]:
        if self.mode == "hangs":
            await asyncio.sleep(30)
        elif self.mode == "cut":
            raise RuntimeError("cut")
        elif self.mode == "garbage":
            yield b"{]\n" if ollama else b"data: {]\n\n"
        elif self.mode == "nonsense":
            yield b"[1]\n" if ollama else b'data: {"choices": [7]}\n\n'
        elif self.mode == "error":
            error = json.dumps({"error": SECRET if ollama else {"message": SECRET}}).encode()
            yield error + b"\n" if ollama else b"data: " + error + b"\n\n"
        elif self.mode == "endless line":
            for _ in range(80):
                yield b"x" * 100_000


@pytest.fixture
def other() -> Iterator[Other]:
    server = Other()
    config = uvicorn.Config(server.app, port=0, log_level="critical", lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not running.started and time.monotonic() < deadline:
        time.sleep(0.01)
    server.port = running.servers[0].sockets[0].getsockname()[1]
    yield server
    running.should_exit = running.force_exit = True
    thread.join(60)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for lists than in earnest: the machine of the tests may be busy."""
    monkeypatch.setattr(modellist, "PATIENCE_S", 20.0)


@pytest.fixture(params=["openai", "ollama"])
def kind(request: pytest.FixtureRequest, other: Other) -> Callable[..., Engine]:
    other.pieces = list(other.OPENAI_TEXT if request.param == "openai" else other.OLLAMA_TEXT)
    return other.openai if request.param == "openai" else other.ollama
