"""Turns what a request carries into a caller, quickly.

A valid credential is remembered for less than half a second: a revocation in another process of the
gateway, asked about by a service that remembers too, still counts within one. In this process it counts
at once. The identity token of a credential is used for a minute.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.engine.credentials import Credential, Credentials
from gateway.engine.signer import Signer
from servicekit.auth import Identity
from servicekit.errors import Unauthorized
from servicekit.signed import SignedPath

T = TypeVar("T")
_REMEMBER_S = 0.4
"""With `servicekit.auth.INTROSPECTION_TTL_S` less than the second that is promised."""
_TOKEN_S = 60.0
_MAX = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: the identity (with its token for services) and its credential."""

    identity: Identity
    credential_id: str

    def may(self, scope: str) -> bool:
        """Tell whether the caller has `scope` (no scope is everybody's)."""
        return not scope or "*" in self.identity.scopes or scope in self.identity.scopes


class Resolver:
    """Finds callers by bearer or cookie."""

    def __init__(self, credentials: Credentials, signer: Signer, identity_token_s: float):
        self._credentials, self._signer, self._token_s = credentials, signer, identity_token_s
        self._known: OrderedDict[str, tuple[float, Caller]] = OrderedDict()
        self._tokens: OrderedDict[Credential, tuple[float, Caller]] = OrderedDict()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="accounts")
        self._looking: dict[str, tuple[float, asyncio.Task[Credential | None]]] = {}

    async def in_thread(self, work: Callable[..., T], *args: Any) -> T:
        """Run a blocking call of the database in this resolver's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    def remembered(self, secret: str) -> Caller | None:
        """Return the caller if `secret` was found valid a moment ago. Never blocks."""
        entry = self._known.get(secret)
        return entry[1] if entry and time.monotonic() < entry[0] else None

    async def by_bearer(self, bearer: str) -> Caller:
        """Return who a bearer (API key, access token or identity token) stands for.

        Raises:
            Unauthorized: unknown, forged, expired, revoked, or of a suspended account.
        """
        caller = self.remembered(bearer)
        if caller is not None:
            return caller
        if bearer.count(".") == 2:
            claims = self._signer.verify(bearer)
            found = await self._look(bearer, self._credentials.find_by_id, claims["cid"])
        else:
            found = await self._look(bearer, self._credentials.find_key, bearer)
        return self._accept(bearer, *found)

    async def by_address(self, signed: SignedPath) -> Caller:
        """Return whose medium a signed path opens; raises Unauthorized. For reading that one path alone.

        Looked up each time and apart from the others: what is remembered of a bearer opens everything.
        """
        credential_id = self._signer.permitted(signed)
        found = await self.in_thread(self._credentials.find_by_id, credential_id)
        if found is None:
            raise Unauthorized("The key or login behind this address is not valid any more.")
        return self.caller_for(found)

    async def by_cookie(self, secret: str) -> Caller:
        """Return whose session cookie this is, or raise Unauthorized."""
        remembered = self.remembered("cookie " + secret)
        if remembered is not None:
            return remembered
        found = await self._look("cookie " + secret, self._credentials.find_session, secret)
        return self._accept("cookie " + secret, *found)

    async def _look(
        self, name: str, find: Callable[[str], Credential | None], secret: str
    ) -> tuple[Credential | None, float]:
        """Look a credential up once for all calls that wait for it: a flood of them must not fill the queue.

        Returns it with the time of asking: from then on it may have been revoked.
        """
        looking = self._looking.get(name)
        if looking is None:
            looking = time.monotonic(), asyncio.create_task(self.in_thread(find, secret))
            self._looking[name] = looking
            looking[1].add_done_callback(lambda _: self._looking.pop(name, None))
        return await asyncio.shield(looking[1]), looking[0]

    def _accept(self, secret: str, found: Credential | None, asked_at: float) -> Caller:
        if found is None:
            self._known.pop(secret, None)
            raise Unauthorized("This key or login is not valid, or was revoked. Log in again.")
        caller = self.caller_for(found)
        self._known[secret] = (asked_at + _REMEMBER_S, caller)
        while len(self._known) > _MAX:
            self._known.popitem(last=False)
        return caller

    def caller_for(self, credential: Credential) -> Caller:
        """Return the caller of a valid credential, with an identity token that is at most a minute old."""
        entry = self._tokens.get(credential)
        now = time.monotonic()
        if entry and now < entry[0]:
            return entry[1]
        token, claims = self._signer.sign(credential, "identity", self._token_s)
        identity = Identity(claims["sub"], claims["name"], claims["role"], frozenset(claims["scopes"]), token)
        caller = Caller(identity, credential.id)
        self._tokens[credential] = (now + min(_TOKEN_S, self._token_s / 2), caller)
        while len(self._tokens) > _MAX:
            self._tokens.popitem(last=False)
        return caller

    def forget(self) -> None:
        """Forget every remembered credential: something was revoked or changed."""
        self._known.clear()

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def csrf_of(session_secret: str) -> str:
    """Return the CSRF token that belongs to a session: derived, so that it cannot be planted."""
    return hmac.new(session_secret.encode(), b"oficina csrf", hashlib.sha256).hexdigest()[:32]
