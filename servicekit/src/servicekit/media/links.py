"""Absolute addresses of kept media, as OpenAI's clients expect them: whoever holds one reads the file for an hour.

Owns asking the gateway for the permissions in them. Knows nothing about what the files are.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import httpx

from servicekit.auth import Identity
from servicekit.logs import log_event
from servicekit.public import origin
from servicekit.tracing import pass_on

_TIMEOUT = httpx.Timeout(3.0, connect=1.0)
log = logging.getLogger(__name__)


class Links:
    """Asks `POST /auth/media` of the gateway at `url`."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None):
        self._client = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, transport=transport, event_hooks={"request": [pass_on]}
        )

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
            answer = await self._client.post(
                "/auth/media", json={"paths": list(paths)}, headers=caller.bearer
            )
            answer.raise_for_status()
            urls = [str(url) for url in answer.json()["urls"]]
            if len(urls) != len(paths):
                raise ValueError("another number of addresses")
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            log_event(log, "media not signed", level=logging.WARNING, reason=type(error).__name__)
            return paths
        return urls

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()
