"""FileSource: the files that svc-chat keeps, by HTTP. Knows no vector stores."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, BinaryIO, cast
from urllib.parse import quote

import httpx

from servicekit.errors import Forbidden, NotFound, NotReady, UpstreamFailed
from svc_rag.engine.vector_base import RemoteFile

_FOR_INDEX = {"x-oficina-index": "1"}
"""Tells svc-chat that its deletion of the file has to reach this service."""


class ChatFiles:
    """Asks `{url}/v1/files` as the caller."""

    def __init__(self, url: str, timeout_s: float, transport: httpx.BaseTransport | None = None):
        timeout = httpx.Timeout(timeout_s, connect=2.0)
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=timeout, transport=transport)

    def look(self, file_id: str, bearer: Mapping[str, str]) -> RemoteFile:
        """Return what is known of a file; see FileSource."""
        answer = self._send(file_id, "", bearer)
        try:
            answer.read()
            found = answer.json()
            return RemoteFile(str(found["filename"]), int(found["bytes"]), found.get("expires_at"))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise UpstreamFailed("svc-chat told of the file in a way that cannot be used.") from error
        finally:
            answer.close()

    def open(self, file_id: str, bearer: Mapping[str, str]) -> BinaryIO:
        """Open a file's content; see FileSource."""
        content = _Content(self._send(file_id, "/content", {**bearer, **_FOR_INDEX}))
        return cast(BinaryIO, io.BufferedReader(content, 1 << 20))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, file_id: str, call: str, headers: Mapping[str, str]) -> httpx.Response:
        url = f"/v1/files/{quote(file_id, safe='')}{call}"
        request = self._client.build_request("GET", url, headers=dict(headers))
        try:
            answer = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise NotReady("The service that keeps files (svc-chat) does not answer. Try again.") from error
        if answer.status_code == 200:
            return answer
        answer.close()
        if answer.status_code == 404:
            raise NotFound(f"There is no file '{file_id[:80]}'. GET /v1/files lists yours.", param="file_id")
        if answer.status_code in (401, 403):
            raise Forbidden("Your key may not read the files that svc-chat keeps: it needs the scope 'chat'.")
        if answer.status_code in (429, 503, 504):
            raise NotReady("The service that keeps files (svc-chat) is not ready. Try again.")
        raise UpstreamFailed(f"svc-chat did not give the file (status {answer.status_code}).")


class _Content(io.RawIOBase):
    """The body of an answer as a file that is read once."""

    def __init__(self, answer: httpx.Response):
        self._answer, self._parts, self._rest = answer, answer.iter_bytes(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._parts)
            except StopIteration:
                return 0
            except httpx.HTTPError as error:
                raise NotReady("svc-chat broke off while it sent the file. Try again.") from error
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def close(self) -> None:
        self._answer.close()
        super().close()
