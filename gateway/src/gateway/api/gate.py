"""Decides whether a request comes in: Host, path, origin, credentials, CSRF, scope, rate.

Owns the order of the checks. The rules are in `domain.guard`, the credentials in `engine.resolver`.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from gateway.api.exchange import Exchange
from gateway.domain.guard import METHODS, SAFE_METHODS, Hosts, Origins, safe_path
from gateway.domain.routing import MEDIA, Kind, Route
from gateway.engine.credentials import Credential
from gateway.engine.limiter import Limiter
from gateway.engine.resolver import Caller, Resolver, csrf_of
from gateway.errors import BadHost, BadOrigin, BadPath, CsrfMissing
from servicekit.auth import LOCAL_OWNER, bearer_of
from servicekit.errors import Forbidden, MethodNotAllowed, TooBusy, Unauthorized
from servicekit.signed import signed_path

SESSION_COOKIE, CSRF_COOKIE = "oficina_session", "oficina_csrf"
_EVERYBODY = Credential(
    "local", LOCAL_OWNER.user_id, LOCAL_OWNER.username, LOCAL_OWNER.role, tuple(LOCAL_OWNER.scopes)
)
_FOR_SERVICES = frozenset({"/auth/media", "/auth/delegate"})
"""What services ask in the name of who called them: counted apart, so that work that was let in is not spoilt."""
_NO_CREDENTIALS = "Send 'Authorization: Bearer <token or API key>', or log in."


class Gate:
    """The checks before anything is answered."""

    def __init__(
        self,
        resolver: Resolver,
        limiter: Limiter,
        hosts: Hosts,
        origins: Origins,
        *,
        auth: bool = True,
        public_url: str = "",
    ):
        self._resolver, self._limiter = resolver, limiter
        self._hosts, self._origins, self._auth = hosts, origins, auth
        public = urlsplit(public_url)
        self._public = (public.scheme, public.netloc) if public.netloc else None

    def check_address(self, x: Exchange) -> None:
        """Refuse foreign hosts, odd methods and ambiguous paths."""
        host = x.header(b"host")
        if not self._hosts.allow(host):
            raise BadHost(f"The Host '{host[:80]}' is not one of this gateway. Add it to ALLOWED_HOSTS.")
        x.public = self._public or x.public
        if x.method not in METHODS:
            raise MethodNotAllowed(f"The method {x.method[:20]} is not answered here.")
        if not safe_path(x.path) or "%2f" in x.target.partition("?")[0].lower():
            raise BadPath("The path holds '..', '//', a backslash or an encoded slash. Write it plainly.")

    async def admit(self, x: Exchange, route: Route) -> Caller | None:
        """Return the caller; None where the route is open.

        Raises:
            Unauthorized, Forbidden (origin, CSRF, scope), TooBusy (rate).
        """
        if route.open:
            if route.kind is Kind.OWN and x.method not in SAFE_METHODS:
                if x.path != "/auth/introspect":  # services ask much; only wrong keys are counted there
                    self._limiter.take("open", x.client)
                self._check_origin(x)
            return None
        if self._auth and route.name == MEDIA and (reader := await self._by_address(x)) is not None:
            return reader
        caller = await self._caller(x)
        if not caller.may(route.scope):
            raise Forbidden(f"This key lacks the scope '{route.scope}'. Make a key that has it.")
        user = caller.identity.user_id
        who = f"{x.path} {user}" if x.path in _FOR_SERVICES else user
        self._limiter.take("heavy" if route.heavy else "calls", who)
        return caller

    async def _by_address(self, x: Exchange) -> Caller | None:
        """Return whose medium the address itself opens; None when it does not, and credentials came that may."""
        signed = signed_path(x.method, x.path, x.scope["query_string"])
        if signed is None:
            return None
        x.drop_query()
        try:
            # Strangers read it: they use up neither what its owner may call, nor the logins from their address.
            self._limiter.take("open", f"media {x.client}")
            reader = await self._resolver.by_address(signed)
        except (TooBusy, Unauthorized):
            if x.header(b"authorization") or session_cookie(x.header(b"cookie")):
                return None
            raise
        x.shared = True
        return reader

    async def _caller(self, x: Exchange) -> Caller:
        if not self._auth:
            self._check_origin(x)
            return self._resolver.caller_for(_EVERYBODY)
        header = x.header(b"authorization")
        if header:
            bearer = bearer_of(header)
            if bearer is None:
                raise Unauthorized(_NO_CREDENTIALS)
            return self._resolver.remembered(bearer) or await self._resolver.by_bearer(bearer)
        secret = session_cookie(x.header(b"cookie"))
        if not secret:
            raise Unauthorized(_NO_CREDENTIALS)
        caller = await self._resolver.by_cookie(secret)
        if x.method not in SAFE_METHODS:
            self._check_origin(x)
            if not hmac.compare_digest(x.header(b"x-csrf-token").encode(), csrf_of(secret).encode()):
                raise CsrfMissing("Send the cookie 'oficina_csrf' back in the header 'X-CSRF-Token'.")
        return caller

    def _check_origin(self, x: Exchange) -> None:
        if x.method in SAFE_METHODS:
            return
        origin, site = x.header(b"origin"), x.header(b"sec-fetch-site")
        scheme = x.scope.get("scheme", "http")
        if origin and not self._origins.allow(origin, x.header(b"host"), scheme):
            raise BadOrigin(f"Pages of '{origin[:80]}' may not do this. Add it to ALLOWED_ORIGINS.")
        if not origin and site not in ("", "same-origin", "none"):
            raise BadOrigin("Pages of other sites may not do this.")


def session_cookie(header: str) -> str:
    """Return the session's secret from a Cookie header, or an empty string."""
    if SESSION_COOKIE not in header:
        return ""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == SESSION_COOKIE:
            return value
    return ""
