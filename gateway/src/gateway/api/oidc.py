"""Login through an OpenID Connect provider: to the provider, and back with a session or a reason.

Owns the two redirects and the cookie that ties them to one browser. Every end is a redirect to the page,
which shows `#login_error=<code>` in the reader's language.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from gateway.api.session import open_session, set_cookies
from gateway.domain.external import username_of
from gateway.engine.accounts import User
from gateway.errors import AccountSuspended, LoginDenied, LoginExpired, LoginRefused
from gateway.parts import Parts
from servicekit.errors import Conflict, NotFound, ServiceError
from servicekit.logs import log_event

if TYPE_CHECKING:
    from gateway.engine.oidc import Provider

BROWSER_COOKIE = "oficina_oidc"
_PATH = "/auth/oidc"
_MAX_CHARS = 4096
log = logging.getLogger(__name__)


def router(parts: Parts) -> APIRouter:
    """Make the routes of `/auth/methods` and `/auth/oidc`."""
    routes = APIRouter(prefix="/auth", tags=["auth"])

    @routes.get("/methods")
    async def methods() -> dict[str, Any]:
        """Tell the login page which ways in there are."""
        return {"password": True, "oidc": {"name": parts.settings.oidc_name} if parts.provider else None}

    @routes.get("/oidc/login")
    async def begin(request: Request) -> Response:
        """Send the browser to the provider."""
        provider = _provider(parts)
        try:
            parts.limiter.take("open", _address(request))
            redirect_uri = _base(parts, request) + _PATH + "/callback"
            begun = await parts.resolver.in_thread(parts.external.begin, redirect_uri)
            url = await provider.authorize_url(begun.state, begun.nonce, begun.verifier, redirect_uri)
        except ServiceError as error:
            return _refused(error)
        response = _redirect(url)
        response.set_cookie(
            BROWSER_COOKIE, begun.browser, max_age=600, path=_PATH, httponly=True, samesite="lax",
            secure=redirect_uri.startswith("https:"),
        )  # fmt: skip
        return response

    @routes.get("/oidc/callback")
    async def callback(request: Request) -> Response:
        """Take the provider's answer, check it, and open a session."""
        provider = _provider(parts)
        try:
            parts.limiter.take("open", _address(request))
            claims = await _claims(parts, provider, request)
            user = await parts.resolver.in_thread(_account, parts, claims)
            session, _ = await open_session(parts, user.id)
            response = _redirect("/#/chat")
            set_cookies(parts, request, response, session)
        except ServiceError as error:
            response = _refused(error)
        response.delete_cookie(BROWSER_COOKIE, path=_PATH)
        return response

    return routes


def _provider(parts: Parts) -> Provider:
    if parts.provider is None:
        raise NotFound("No OpenID Connect provider is set here. Log in with name and password.")
    return parts.provider


async def _claims(parts: Parts, provider: Provider, request: Request) -> dict[str, Any]:
    told = request.query_params
    state, browser = told.get("state", ""), request.cookies.get(BROWSER_COOKIE, "")
    if not state or not browser or len(state) > _MAX_CHARS or len(browser) > _MAX_CHARS:
        raise LoginExpired("This login is over or was begun elsewhere. Begin again.")
    begun = await parts.resolver.in_thread(parts.external.take, state, browser)
    if "iss" in told and told["iss"] != parts.settings.oidc_issuer:  # RFC 9207: whose answer this is
        raise LoginRefused("The answer came from another provider. Begin again.")
    code = told.get("code", "")
    if "error" in told or not 0 < len(code) <= _MAX_CHARS:
        raise LoginDenied("The provider did not let this login through.")
    return await provider.claims(code, begun.verifier, begun.nonce, begun.redirect_uri)


def _account(parts: Parts, claims: dict[str, Any]) -> User:
    """Return the account of verified claims, with the role that they give. Blocking."""
    parts.admission.check(claims)
    role = parts.admission.role(claims)
    user = parts.external.account(
        parts.settings.oidc_issuer, claims["sub"], username_of(claims), role or "member"
    )
    if not user.active:
        raise AccountSuspended("This account is suspended. Ask the owner.")
    if role is not None and role != user.role:
        try:
            user = parts.accounts.change(user.id, role=role)
            parts.resolver.forget()
        except Conflict:  # the last owner stays one, whatever the provider says
            log_event(log, "role kept", level=logging.WARNING, user=user.id, reason="last owner")
    return user


def _refused(error: ServiceError) -> Response:
    cause = type(error.__cause__).__name__ if error.__cause__ else None
    log_event(log, "login through the provider refused", level=logging.WARNING, code=error.code, cause=cause)
    return _redirect(f"/#login_error={error.code}")


def _redirect(url: str) -> Response:
    return RedirectResponse(url, 303, headers={"Cache-Control": "no-store"})


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _base(parts: Parts, request: Request) -> str:
    """Return the address under which the browser reached us; its Host was checked by the gate."""
    public = parts.settings.public_url.rstrip("/")
    if public:
        return public
    url = urlsplit(str(request.base_url))
    return f"{url.scheme}://{url.netloc}"
