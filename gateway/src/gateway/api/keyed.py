"""Calls with an `Idempotency-Key`: made once, however often they are sent (docs/decisions/idempotency.md).

The call goes on when its client leaves, because a key says that the client will ask again. Its outcome is in the
database before any client gets the answer's end.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from gateway.api.exchange import Exchange, Headers
from gateway.api.proxy import Proxy, call_of
from gateway.api.recording import Recording
from gateway.domain import cacheable, idempotency
from gateway.engine.keeper import Keeper
from gateway.engine.ledger import Outcome
from gateway.engine.sender import Call
from gateway.errors import KeyBusy, KeyedBodyTooLarge, OutcomeNotKept
from servicekit.errors import KeyReused

_REPLAYED: Headers = [(b"idempotent-replayed", b"true")]
_LOOK_AGAIN_S = 0.25


@dataclass(frozen=True)
class _Asked:
    """One key as it was sent."""

    record_id: str
    user_id: str
    fingerprint: str


class KeyedProxy:
    """The proxy that makes a call once for each key.

    Args:
        wait_s: how long a call waits for an equal one that is under way to begin its answer.
        most_bytes: largest body of a request, and of an answer that is kept.
    """

    def __init__(self, proxy: Proxy, keeper: Keeper, *, wait_s: float, most_bytes: int):
        self._proxy, self._keeper = proxy, keeper
        self._wait_s, self._most_bytes = wait_s, most_bytes
        self._running: dict[str, tuple[_Asked, Recording]] = {}

    async def answer(self, x: Exchange, service: str, user_id: str, token: str) -> None:
        """Make the call, follow it if it is under way, or tell its outcome again.

        Raises:
            BadRequest: no key at all. KeyReused: it was sent with another request. KeyBusy: it takes too long.
            KeyedBodyTooLarge, OutcomeNotKept: what was sent or answered is too large to be kept.
        """
        key = idempotency.read_key(x.header(b"idempotency-key"))
        body = await self._read(x)
        asked = _Asked(
            idempotency.record_id(user_id, x.path, key),
            user_id,
            cacheable.digest((x.method,), x.scope["query_string"], x.header(b"content-type"), body),
        )
        known = self._running.get(asked.record_id)
        if known is None:
            call = call_of(x, service, token, body)
            call.repeatable, call.silence_s = True, None
            recording = self._begin(asked, call)
            await recording.tell(x, lambda: _REPLAYED if recording.replayed else [])
            return
        if known[0] != asked:
            raise KeyReused()
        if not known[1].joinable:
            raise OutcomeNotKept()
        try:
            await known[1].tell(x, lambda: _REPLAYED, start_within_s=self._wait_s)
        except TimeoutError as error:
            raise KeyBusy() from error

    async def _read(self, x: Exchange) -> bytes:
        if (x.declared_length or 0) > self._most_bytes:
            raise KeyedBodyTooLarge(self._most_bytes)
        parts: list[bytes] = []
        size = 0
        if not x.has_body:
            x.watch()
            return b""
        async for part in x.chunks():
            size += len(part)
            if size > self._most_bytes:
                raise KeyedBodyTooLarge(self._most_bytes)
            parts.append(part)
        return b"".join(parts)

    def _begin(self, asked: _Asked, call: Call) -> Recording:
        settled = False

        async def settle(recording: Recording) -> None:
            nonlocal settled
            settled = True
            await self._keeper.finish(asked.record_id, _outcome(recording))

        async def make() -> None:
            found = await self._claim(asked)
            if found is not None:
                await _play(recording, found)
                return
            try:
                await self._proxy.run(call, recording, [])
            finally:
                if not settled:
                    await asyncio.shield(self._keeper.finish(asked.record_id, None))

        recording = Recording(self._most_bytes, outlives=True, settle=settle)
        self._running[asked.record_id] = (asked, recording)
        recording.run(make, lambda: self._running.pop(asked.record_id, None))
        return recording

    async def _claim(self, asked: _Asked) -> Outcome | None:
        """Return the outcome if there is one, or None when the call is ours to make."""
        end = time.monotonic() + self._wait_s
        while True:
            found = await self._keeper.claim(asked.record_id, asked.user_id, asked.fingerprint)
            if found is not False:
                return None if found is True else found
            if time.monotonic() >= end:
                raise KeyBusy()
            await asyncio.sleep(_LOOK_AGAIN_S)


def _outcome(recording: Recording) -> Outcome | None:
    if not idempotency.is_kept(recording.status):
        return None
    headers = idempotency.kept_headers(recording.headers)
    return Outcome(recording.status, headers, recording.body if recording.whole else None)


async def _play(recording: Recording, outcome: Outcome) -> None:
    if outcome.body is None:
        raise OutcomeNotKept()
    recording.replayed = True
    length = (b"content-length", str(len(outcome.body)).encode())
    await recording.respond(outcome.status, [*outcome.headers, length], outcome.body)
