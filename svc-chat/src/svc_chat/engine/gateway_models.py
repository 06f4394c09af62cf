"""The models of all services, as the gateway lists them. Asked only about names that nothing here answers to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from servicekit.tracing import pass_on
from svc_chat.engine.base import OtherModel

_TIMEOUT = httpx.Timeout(2.0, connect=0.5)
MAX_NAME_CHARS = 200
"""What a search of a catalogue takes."""


class GatewayModels:
    """`GET /v1/models/{id}` and `/v1/catalogue` of the gateway at `url`."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None):
        self._client = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, transport=transport, event_hooks={"request": [pass_on]}
        )

    async def find(self, name: str, bearer: Mapping[str, str]) -> OtherModel | None:
        """Find a model of another service; see Neighbours."""
        if not name.strip() or len(name) > MAX_NAME_CHARS or "\\" in name or ".." in name or "//" in name:
            return None
        here, known = await asyncio.gather(
            self._json(f"/v1/models/{quote(name)}", {}, bearer),
            self._json("/v1/catalogue", {"q": name}, bearer),
        )
        rows = known.get("data")
        entries = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        named = next((row for row in entries if name in (row.get("id"), row.get("repo"))), {})
        return _other(name, here, installed=True) or _other(name, named, installed=False)

    async def _json(self, path: str, asked: Mapping[str, str], bearer: Mapping[str, str]) -> dict[str, Any]:
        try:
            answer = await self._client.get(path, params=asked or None, headers=dict(bearer))
            body = answer.json() if answer.status_code == 200 else {}
        except (httpx.HTTPError, ValueError):
            return {}
        return body if isinstance(body, dict) else {}

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def _other(name: str, entry: Mapping[str, Any], *, installed: bool) -> OtherModel | None:
    tasks = entry.get("tasks")
    if not isinstance(tasks, list) or not tasks or "chat" in tasks:
        return None
    return OtherModel(name, tuple(str(task) for task in tasks), installed)
