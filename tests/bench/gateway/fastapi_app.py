"""The gateway that one would write first: FastAPI in front, httpx behind, a key and a count checked.

Run by `uvicorn --factory tests.bench.gateway.fastapi_app:create_app`; UPSTREAM and KEY are in the environment.
"""

from __future__ import annotations

import os
import time
from collections import Counter

import httpx
from fastapi import FastAPI, Header, HTTPException, Request, Response

LIMIT_A_MINUTE = 100_000_000


def create_app() -> FastAPI:
    """Return the app; whole answers, no streams: the quicker way of httpx."""
    app = FastAPI()
    key = f"Bearer {os.environ['KEY']}"
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
    client = httpx.AsyncClient(base_url=os.environ["UPSTREAM"], limits=limits, timeout=300)
    calls: Counter[int] = Counter()

    @app.post("/{path:path}")
    async def forward(path: str, request: Request, authorization: str = Header("")) -> Response:
        if authorization != key:
            raise HTTPException(401)
        minute = int(time.time() // 60)
        calls[minute] += 1
        if calls[minute] > LIMIT_A_MINUTE:
            raise HTTPException(429)
        headers = {"content-type": request.headers["content-type"]}
        answer = await client.post("/" + path, content=await request.body(), headers=headers)
        return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app
