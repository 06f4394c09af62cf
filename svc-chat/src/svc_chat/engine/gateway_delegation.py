"""Asks the gateway for a token with which a run goes on in its caller's name."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import httpx

from servicekit.logs import log_event

_TIMEOUT = httpx.Timeout(3.0, connect=1.0)
log = logging.getLogger(__name__)


class GatewayDelegation:
    """`POST /auth/delegate` of the gateway at `url`."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None):
        self._client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, transport=transport)

    async def for_work(self, bearer: Mapping[str, str], seconds: float) -> Mapping[str, str] | None:
        """Return headers that hold for `seconds`; None without a caller, or while the gateway gives none."""
        if not bearer:
            return None
        try:
            body = {"seconds": max(1, round(seconds))}
            answer = await self._client.post("/auth/delegate", json=body, headers=dict(bearer))
            answer.raise_for_status()
            return {"Authorization": f"Bearer {answer.json()['token']}"}
        except (httpx.HTTPError, KeyError, ValueError) as error:
            log_event(log, "nothing delegated", level=logging.WARNING, reason=type(error).__name__)
            return None

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()
