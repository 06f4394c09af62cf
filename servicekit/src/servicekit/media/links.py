"""Absolute addresses of kept media, as OpenAI's clients expect them: whoever holds one reads the file for an hour.

Owns asking the gateway for the permissions in them. Knows nothing about what the files are.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Any

import httpx

from servicekit.auth import Identity
from servicekit.logs import log_event
from servicekit.public import origin
from servicekit.tracing import pass_on

_TIMEOUT = httpx.Timeout(3.0, connect=1.0)
_SIGNING_S = 60
"""Seconds left for signing after work that took all its time."""
_NO_ANSWER = (httpx.HTTPError, KeyError, TypeError, ValueError)
log = logging.getLogger(__name__)


class Links:
    """Asks `POST /auth/media`, and before long work `POST /auth/delegate`, of the gateway at `url`."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None):
        self._client = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, transport=transport, event_hooks={"request": [pass_on]}
        )

    async def lasting(self, caller: Identity, seconds: float) -> Identity:
        """Return `caller` with a token that signs after `seconds` of work; the one of a call ends within minutes.

        While the gateway gives none, it is the one that came.
        """
        if not caller.bearer:
            return caller
        try:
            told = await self._ask("/auth/delegate", caller, {"seconds": ceil(seconds) + _SIGNING_S})
            return replace(caller, token=str(told["token"]))
        except _NO_ANSWER as error:
            log_event(log, "signing not delegated", level=logging.WARNING, reason=type(error).__name__)
            return caller

    async def absolute(self, caller: Identity, paths: Sequence[str]) -> list[str]:
        """Return the addresses of `paths` under the origin of the current request.

        Without the gateway, and where nobody asks for credentials, they hold no permission: work that is done is
        not lost for that, and the owner's credentials open them all the same.
        """
        begin = origin()
        return [begin + path for path in await self._signed(caller, paths)]

    async def _signed(self, caller: Identity, paths: Sequence[str]) -> Sequence[str]:
        if not caller.bearer or not paths:
            return paths
        try:
            told = await self._ask("/auth/media", caller, {"paths": list(paths)})
            urls = [str(url) for url in told["urls"]]
            if len(urls) != len(paths):
                raise ValueError("another number of addresses")
        except _NO_ANSWER as error:
            log_event(log, "media not signed", level=logging.WARNING, reason=type(error).__name__)
            return paths
        return urls

    async def _ask(self, path: str, caller: Identity, body: dict[str, Any]) -> Any:
        answer = await self._client.post(path, json=body, headers=caller.bearer)
        answer.raise_for_status()
        return answer.json()

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()
