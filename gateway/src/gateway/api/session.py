"""Opening a login: the session in the database and its two cookies on an answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request, Response

from gateway.api.gate import CSRF_COOKIE, SESSION_COOKIE
from gateway.engine.credentials import Credential, Session
from gateway.engine.resolver import csrf_of
from gateway.parts import Parts


async def open_session(parts: Parts, user_id: str) -> tuple[Session, Credential]:
    """Log `user_id` in; return the session and the credential that it is."""
    user = await parts.resolver.in_thread(parts.accounts.get, user_id)
    session = await parts.resolver.in_thread(
        parts.credentials.open_session, user.id, parts.settings.session_s
    )
    return session, Credential(session.id, user.id, user.username, user.role, ("*",))


def set_cookies(parts: Parts, request: Request, response: Response, session: Session) -> None:
    """Put the session's cookie and its CSRF twin on an answer that nobody may keep."""
    secure = is_https(parts, request)
    response.set_cookie(
        SESSION_COOKIE, session.secret, max_age=parts.settings.session_s, path="/", httponly=True,
        samesite="lax", secure=secure,
    )  # fmt: skip
    set_csrf(response, session.secret, secure)
    response.headers["Cache-Control"] = "no-store"


def set_csrf(response: Response, session_secret: str, secure: bool) -> None:
    """Set the cookie that the page sends back in `X-CSRF-Token`."""
    response.set_cookie(CSRF_COOKIE, csrf_of(session_secret), path="/", samesite="lax", secure=secure)


def is_https(parts: Parts, request: Request) -> bool:
    """Tell whether browsers reach the gateway by https."""
    return request.url.scheme == "https" or urlsplit(parts.settings.public_url).scheme == "https"
