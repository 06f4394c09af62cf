"""A service with a known capacity, as a bare ASGI app: `CAPACITY` calls at once, each `WORK_S` seconds long.

More calls than that wait for their turn, as they do in a service whose model has so many places.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

CAPACITY, WORK_S = int(os.environ.get("CAPACITY", "4")), float(os.environ.get("WORK_S", "0.04"))
_ANSWER = b'{"text":"' + b"y" * 200 + b'"}'
_READY = b'{"status":"ready","model":"tiny","device":"cpu","queue":{"running":0,"waiting":0}}'
_room = asyncio.Semaphore(CAPACITY)
calls = 0


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer `/readyz` at once, `/count` with how many calls there were, and everything else in its turn."""
    global calls
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/readyz":
        content = _READY
    elif scope["path"] == "/v1/personas":
        content = b'{"calls":%d}' % calls
    else:
        calls += 1
        async with _room:
            await asyncio.sleep(WORK_S)
        content = _ANSWER
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
