"""svc-rag over HTTP, in the name of the caller: where the text of files is searched. Knows no runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from servicekit.errors import BadRequest, Forbidden, NotFound, NotReady, UpstreamFailed
from svc_chat.engine.tools_base import Passage

READING_S = 60.0
"""How long a search waits for files that are still being read."""
_POLL_S = 0.25
_AWAY = "The service that searches files (svc-rag) does not answer. Try again in a moment."


class RagService:
    """Asks svc-rag at `url`."""

    def __init__(self, url: str, client: httpx.AsyncClient):
        self._url, self._client = url.rstrip("/"), client

    async def forget(self, file_id: str, bearer: Mapping[str, str]) -> None:
        """Remove a file from all of its caller's indexes; see FileIndex."""
        await self._ask("DELETE", "/v1/documents", bearer, params={"file_id": file_id})

    async def search(
        self, store_ids: Sequence[str], query: str, limit: int, threshold: float, bearer: Mapping[str, str]
    ) -> list[Passage]:
        """Return the best passages of all stores; see FileSearch."""
        found: list[Passage] = []
        for store_id in store_ids:
            await self._read(store_id, bearer)
            body = {
                "query": query,
                "max_num_results": limit,
                "ranking_options": {"score_threshold": threshold},
            }
            answer = await self._ask("POST", f"{_store(store_id)}/search", bearer, json=body)
            found += [_passage(hit) for hit in answer["data"]]
        return sorted(found, key=lambda passage: -passage.score)[:limit]

    async def make_store(
        self, file_ids: Sequence[str], options: Mapping[str, Any], bearer: Mapping[str, str]
    ) -> str:
        """Make a vector store of some files; see FileSearch."""
        wanted = {name: options.get(name) for name in ("metadata", "chunking_strategy", "expires_after")}
        body = {"file_ids": list(file_ids), **{name: value for name, value in wanted.items() if value}}
        return str((await self._ask("POST", "/v1/vector_stores", bearer, json=body))["id"])

    async def add_file(self, store_id: str, file_id: str, bearer: Mapping[str, str]) -> bool:
        """Add a file to a store; see FileSearch."""
        new = False
        try:
            await self._ask("GET", _file(store_id, file_id), bearer)
        except NotFound:
            new = True
        await self._ask("POST", f"{_store(store_id)}/files", bearer, json={"file_id": file_id})
        return new

    async def remove_file(self, store_id: str, file_id: str, bearer: Mapping[str, str]) -> None:
        """Take a file out of a store; see FileSearch."""
        with contextlib.suppress(NotFound):
            await self._ask("DELETE", _file(store_id, file_id), bearer)

    async def delete_store(self, store_id: str, bearer: Mapping[str, str]) -> None:
        """Remove a store; see FileSearch."""
        with contextlib.suppress(NotFound):
            await self._ask("DELETE", _store(store_id), bearer)

    async def _read(self, store_id: str, bearer: Mapping[str, str]) -> None:
        """Wait until the files of a store are read, as OpenAI does, but not for ever."""
        until = asyncio.get_running_loop().time() + READING_S
        while True:
            store = await self._ask("GET", _store(store_id), bearer)
            late = asyncio.get_running_loop().time() > until
            if late or not store["file_counts"]["in_progress"]:
                return
            await asyncio.sleep(_POLL_S)

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
        if answer.status_code in (401, 403):
            raise Forbidden("Your key may not search files: it needs the scope 'documents'.")
        if answer.status_code == 404:
            raise NotFound(_message(answer))
        if answer.status_code == 400:
            raise BadRequest(_message(answer))
        if answer.status_code >= 400:
            raise UpstreamFailed(f"svc-rag could not do what was asked (status {answer.status_code}).")
        try:
            return answer.json()
        except ValueError as error:
            raise UpstreamFailed("svc-rag gave an answer that cannot be used.") from error


def _store(store_id: str) -> str:
    return f"/v1/vector_stores/{quote(store_id, safe='')}"


def _file(store_id: str, file_id: str) -> str:
    return f"{_store(store_id)}/files/{quote(file_id, safe='')}"


def _message(answer: httpx.Response) -> str:
    """Return what svc-rag says: it is a service of this house, and says what is wrong."""
    try:
        return str(answer.json()["error"]["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return "svc-rag refused what was asked."


def _passage(hit: Mapping[str, Any]) -> Passage:
    text = "\n".join(part["text"] for part in hit["content"])
    return Passage(hit["file_id"], hit["filename"], float(hit["score"]), text)
