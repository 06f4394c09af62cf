"""One other server: its answers line by line, within limits, and its failures as ours. Knows no protocol.

What another server says of its failures is never passed on: it may hold paths, keys or other people's text.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx

from servicekit.errors import (
    BadRequest,
    DeadlineExceeded,
    ModelNotFound,
    NotReady,
    ServiceError,
    TooBusy,
    UpstreamFailed,
)
from svc_chat.errors import OtherContextTooLong

MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_RETRY_AFTER_S = 120.0


class OutOfTime(Exception):
    """The request's own deadline passed: what was written so far is the answer."""


class Server:
    """Asks one server.

    Args:
        name: what callers know it by.
        client: made with a connect time-out; closed by `close`.
        timeout_s: seconds that one answer may take as a whole.
        remedy: what to do when it refuses our key.
    """

    def __init__(
        self,
        name: str,
        client: httpx.AsyncClient,
        *,
        timeout_s: float = 300.0,
        headers: Mapping[str, str] | None = None,
        remedy: str = "Check its settings.",
    ):
        self.name, self._client, self._timeout_s = name, client, timeout_s
        self._headers, self._remedy = dict(headers or {}), remedy
        self.running = 0

    async def get(self, url: str) -> Any:
        """Return the JSON at `url`; raises httpx.HTTPError or ValueError."""
        answer = await self._client.get(url, headers=self._headers)
        answer.raise_for_status()
        return answer.json()

    async def post(self, url: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON that `url` answers; raises httpx.HTTPError or ValueError."""
        answer = await self._client.post(url, json=dict(body), headers=self._headers)
        answer.raise_for_status()
        return answer.json()

    async def lines(
        self, url: str, body: Mapping[str, Any], timeout_s: float | None = None
    ) -> AsyncGenerator[str, None]:
        """Yield the lines of a streamed answer; closing this closes the connection.

        Raises:
            OutOfTime: `timeout_s`, the caller's own limit, has passed.
            ServiceError: the server failed, refused or took longer than it may.
        """
        start = time.monotonic()
        own = timeout_s is not None and timeout_s < self._timeout_s
        loop_deadline = asyncio.get_running_loop().time() + min(timeout_s or self._timeout_s, self._timeout_s)
        self.running += 1
        answer: httpx.Response | None = None
        try:
            request = self._client.build_request("POST", url, json=dict(body), headers=self._headers)
            async with asyncio.timeout_at(loop_deadline):
                answer = await self._client.send(request, stream=True)
                if answer.status_code >= 400:
                    raise self._refusal(answer, await _beginning(answer))
            async for line in _split(answer, loop_deadline, self.name):
                yield line
        except TimeoutError as error:
            if own:
                raise OutOfTime from error
            raise DeadlineExceeded(
                f"The server '{self.name}' took longer than {time.monotonic() - start:.0f} seconds. "
                "Ask for a shorter answer, or raise its time-out."
            ) from error
        except httpx.TimeoutException as error:
            raise DeadlineExceeded(f"The server '{self.name}' took too long. Try again.") from error
        except httpx.TransportError as error:
            how = (
                "cannot be reached. Is it running?"
                if answer is None
                else "broke off in the middle. Try again."
            )
            raise UpstreamFailed(f"The server '{self.name}' {how}") from error
        finally:
            self.running -= 1
            if answer is not None:
                await answer.aclose()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def broken(self, what: str) -> UpstreamFailed:
        """Return the error that says the server sent something that cannot be used."""
        return UpstreamFailed(f"The server '{self.name}' {what}. Try again.")

    def _refusal(self, answer: httpx.Response, text: bytes) -> ServiceError:
        status, name = answer.status_code, self.name
        if status in (401, 403):
            return UpstreamFailed(
                f"The server '{name}' refused this service's key (status {status}). {self._remedy}"
            )
        if status == 404:
            return ModelNotFound(
                f"The server '{name}' does not have this model any more. GET /v1/models lists what is there.",
                param="model",
            )
        if status == 429:
            return TooBusy(f"The server '{name}' is busy. Try again.", retry_after_s=_retry_after(answer))
        if status == 503:
            return NotReady(
                f"The server '{name}' is not ready. Try again.", retry_after_s=_retry_after(answer)
            )
        if status in (408, 504):
            return DeadlineExceeded(f"The server '{name}' took too long. Try again.")
        if status < 500:
            if _code(text) == OtherContextTooLong.code:
                return OtherContextTooLong(name)
            return BadRequest(
                f"The server '{name}' refused this request with status {status}. "
                "Its model may not know one of the fields that were sent."
            )
        return UpstreamFailed(f"The server '{name}' answered with status {status}.")


async def _beginning(answer: httpx.Response) -> bytes:
    """Return at most 64 KiB of an error's body."""
    text = b""
    async for chunk in answer.aiter_bytes():
        text += chunk
        if len(text) > 65_536:
            break
    return text


async def _split(answer: httpx.Response, deadline: float, name: str) -> AsyncGenerator[str, None]:
    held = b""
    chunks = answer.aiter_bytes()
    while True:
        async with asyncio.timeout_at(deadline):
            chunk = await anext(chunks, None)
        *whole, held = (held + (chunk or b"")).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
        if chunk is None:
            if held:
                yield held.decode("utf-8", "replace")
            return
        if len(held) > MAX_LINE_BYTES:
            raise UpstreamFailed(f"The server '{name}' sent a line without end.")


def _retry_after(answer: httpx.Response) -> float:
    try:
        return min(max(float(answer.headers.get("retry-after", "2")), 1.0), MAX_RETRY_AFTER_S)
    except ValueError:  # a date, or nonsense
        return 2.0


def _code(text: bytes) -> Any:
    """Return the code of an error in OpenAI's shape, or None."""
    try:
        return json.loads(text)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return None
