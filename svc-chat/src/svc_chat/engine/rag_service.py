"""svc-rag over HTTP, in the name of the caller: where the text of files is searched. Knows no runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from servicekit.errors import NotReady, ServiceError, UpstreamFailed

_AWAY = "The service that searches files (svc-rag) does not answer. Try again in a moment."


class RagService:
    """Asks svc-rag at `url`."""

    def __init__(self, url: str, client: httpx.AsyncClient):
        self._url, self._client = url.rstrip("/"), client

    async def forget(self, file_id: str, bearer: Mapping[str, str]) -> None:
        """Remove a file from all of its caller's indexes; see FileIndex."""
        await self._ask("DELETE", "/v1/documents", bearer, params={"file_id": file_id})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, bearer: Mapping[str, str], **options: Any) -> Any:
        try:
            answer = await self._client.request(method, self._url + path, headers=dict(bearer), **options)
        except httpx.HTTPError as error:
            raise NotReady(_AWAY) from error
        if answer.status_code in (429, 503, 504):
            raise NotReady(_AWAY)
        if answer.status_code >= 400:
            raise _failure(answer)
        try:
            return answer.json()
        except ValueError as error:
            raise UpstreamFailed("svc-rag gave an answer that cannot be used.") from error


def _failure(answer: httpx.Response) -> ServiceError:
    return UpstreamFailed(f"svc-rag could not do what was asked (status {answer.status_code}).")
