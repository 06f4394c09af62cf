"""The models of all services, as the gateway lists them. Asked only about names that nothing here answers to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from servicekit.tracing import pass_on
from svc_chat.engine.base import OtherModel

_TIMEOUT = httpx.Timeout(2.0, connect=0.5)
MAX_NAME_CHARS = 200
"""What a search of a catalogue takes."""
IN_BROWSERS = "browser-text"
"""The task of chat models that the page runs by itself."""
MISSED_S, MISSES = 5.0, 256
"""For so long a name that no other service has is not asked for again, and so many of them are remembered."""


class GatewayModels:
    """`GET /v1/models/{id}` and `/v1/catalogue` of the gateway at `url`."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None):
        self._missed: dict[tuple[Any, ...], float] = {}
        """Name and bearer → until when nobody is asked again; what is remembered last stands last."""
        self._client = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, transport=transport, event_hooks={"request": [pass_on]}
        )

    async def find(self, name: str, bearer: Mapping[str, str]) -> OtherModel | None:
        """Find a model of another service; see Neighbours."""
        if not name.strip() or len(name) > MAX_NAME_CHARS or "\\" in name or ".." in name or "//" in name:
            return None
        asked = (name, *sorted(bearer.items()))
        if time.monotonic() < self._missed.get(asked, 0.0):
            return None
        found = await self._ask(name, bearer)
        if found is None:
            self._missed.pop(asked, None)
            self._missed[asked] = time.monotonic() + MISSED_S
            while len(self._missed) > MISSES:
                del self._missed[next(iter(self._missed))]
        return found

    async def _ask(self, name: str, bearer: Mapping[str, str]) -> OtherModel | None:
        here, known = await asyncio.gather(
            self._json(f"/v1/models/{quote(name)}", {}, bearer),
            self._json("/v1/catalogue", {"q": name}, bearer),
        )
        rows = known.get("data")
        entries = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        named = [row for row in entries if name in (row.get("id"), row.get("repo"))]
        tasks = [_tasks(entry) for entry in (here, *named)]
        if any("chat" in of_one for of_one in tasks):
            return None
        # what runs in browsers is often made of a model that does more elsewhere
        told = (place for place, of_one in enumerate(tasks) if of_one and IN_BROWSERS not in of_one)
        place = next(told, None)
        return None if place is None else OtherModel(name, tasks[place], installed=place == 0)

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


def _tasks(entry: Mapping[str, Any]) -> tuple[str, ...]:
    tasks = entry.get("tasks")
    return tuple(str(task) for task in tasks) if isinstance(tasks, list) else ()
