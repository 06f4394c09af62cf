"""A service that streams tokens at a steady pace: `uvicorn tests.bench.gateway.token_source:app`.

Raw ASGI, so that it costs little beside whatever is measured. `?tokens=` and `?every_ms=` in the query say how
many and how fast; 0 ms is as fast as it can. The first one goes out at once.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

from tests.bench.gateway.traffic import event

_EVENTS = [event(number) for number in range(1000)]
_READY = b'{"status":"ready","model":"bench","device":"cpu","queue":{"running":0,"waiting":0}}'


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request with tokens; `/readyz` says ready."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/readyz":
        await _head(send, b"application/json")
        await send({"type": "http.response.body", "body": _READY})
        return
    asked = parse_qs(scope["query_string"].decode())
    await _head(send, b"text/event-stream")
    await _stream(send, int(asked["tokens"][0]), float(asked["every_ms"][0]) / 1000)
    await send({"type": "http.response.body", "body": b""})


async def _head(send: Any, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})


async def _stream(send: Any, tokens: int, every_s: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(tokens):
        early_s = began + number * every_s - loop.time()
        if early_s > 0:
            await asyncio.sleep(early_s)
        await send({"type": "http.response.body", "body": _EVENTS[number % 1000], "more_body": True})
