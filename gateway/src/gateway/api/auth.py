"""Login, logout, the one-time link, and telling services whose a key is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError, field_validator

from gateway.api.gate import CSRF_COOKIE, SESSION_COOKIE, session_cookie
from gateway.api.session import is_https, open_session, set_cookies, set_csrf
from gateway.errors import WrongPassword
from gateway.parts import Parts
from servicekit.auth import Identity, bearer_of, identity_of
from servicekit.errors import InvalidBody, Unauthorized, UnsupportedMedia
from servicekit.signed import SignedPath, is_item, with_token


class Login(BaseModel):
    """A user name and a password."""

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class Token(BaseModel):
    """An API key, a token, or the token of a one-time link."""

    token: str = Field(min_length=1, max_length=4096)


class Presented(Token):
    """What came with a call; the token of a medium's address counts for that `path` alone."""

    path: str | None = Field(default=None, max_length=200)


class Opening(BaseModel):
    """Media that others are to read."""

    paths: list[str] = Field(min_length=1, max_length=16)

    @field_validator("paths")
    @classmethod
    def _items(cls, paths: list[str]) -> list[str]:
        for path in paths:
            if not is_item(path):
                raise ValueError(f"'{path[:80]}' is no path of a picture or sound, such as /media/img_…")
        return paths


class Delegation(BaseModel):
    """For how long somebody's work goes on."""

    seconds: int = Field(ge=1, le=10**9)


def router(parts: Parts) -> APIRouter:
    """Make the routes under `/auth` that concern the caller alone."""
    routes = APIRouter(prefix="/auth", tags=["auth"])

    @routes.post("/login")
    async def login(request: Request) -> Response:
        """Exchange name and password (JSON or form) for an access token; sets the page's cookies."""
        asked = await _read_login(request)
        buckets = (f"user {asked.username.casefold()}", f"address {_address(request)}")
        for bucket in buckets:
            parts.limiter.take("guesses", bucket)
        user = await parts.resolver.in_thread(parts.accounts.by_name, asked.username)
        # an account that logs in through a provider has no password: its empty hash fits nothing
        known = user.password_hash or None if user and user.active else None
        if not await parts.passwords.matches(known, asked.password) or user is None:
            raise WrongPassword("User name and password do not belong together.")
        for bucket in buckets:  # a password that is right was no guess
            parts.limiter.give_back("guesses", bucket)
        return await _logged_in(request, user.id)

    @routes.post("/link")
    async def use_link(request: Request, asked: Token) -> Response:
        """Log in with the one-time link that the gateway printed when it started."""
        user_id = await parts.resolver.in_thread(parts.credentials.use_link, asked.token)
        if user_id is None:
            raise Unauthorized("This link was used already or is too old. Restart for a new one, or log in.")
        return await _logged_in(request, user_id)

    @routes.post("/logout", status_code=204)
    async def logout(request: Request) -> Response:
        """End this login: its cookie and every token made from it stop working."""
        credential_id = request.scope.get("oficina.credential", "")
        if credential_id.startswith("ses_"):
            await parts.resolver.in_thread(parts.credentials.end_session, credential_id)
            parts.resolver.forget()
        response = Response(status_code=204)
        for name in (SESSION_COOKIE, CSRF_COOKIE):
            response.delete_cookie(name, path="/")
        return response

    @routes.get("/me")
    async def me(request: Request, caller: Identity = Depends(identity_of)) -> JSONResponse:
        """Tell who is calling; renews the page's CSRF cookie."""
        body = {
            "id": caller.user_id,
            "username": caller.username,
            "role": caller.role,
            "scopes": sorted(caller.scopes),
            "auth": parts.settings.auth,
        }
        response = JSONResponse(body)
        secret = session_cookie(request.headers.get("cookie", ""))
        if secret and "authorization" not in request.headers:
            set_csrf(response, secret, is_https(parts, request))
        return response

    @routes.post("/introspect")
    async def introspect(request: Request, asked: Presented) -> dict[str, Any]:
        """Tell a service whose an API key or token is, or whose the medium that an address opens.

        No identity token goes out with the answer: services take those on their signature alone, so
        whoever holds one could go on for minutes after being suspended.
        """
        try:
            if asked.path is not None:  # strangers hold it: whose medium it is, and nothing else
                reader = await parts.resolver.by_address(SignedPath(asked.path, asked.token))
                return {"active": True, "claims": {"sub": reader.identity.user_id}}
            caller = await parts.resolver.by_bearer(asked.token)
        except Unauthorized:
            parts.limiter.take("open", f"introspect {_address(request)}")
            raise
        claims = parts.signer.verify(caller.identity.token)
        if _claims(parts, asked.token).get("admitted"):
            claims["admitted"] = True
        return {"active": True, "claims": claims}

    @routes.post("/delegate")
    async def delegate(request: Request, asked: Delegation) -> dict[str, Any]:
        """Give a token for work that outlives the call: it ends with its time, or with the credential behind it.

        A service that asks with the identity token of a call goes on with what that call was let in for.
        """
        credential_id = request.scope.get("oficina.credential", "")
        credential = await parts.resolver.in_thread(parts.credentials.find_by_id, credential_id)
        if credential is None:
            raise Unauthorized("This call has no key or login behind it to go on with. Log in.")
        life_s = min(asked.seconds, parts.settings.delegated_token_s)
        claims = _claims(parts, bearer_of(request.headers.get("authorization")) or "")
        admitted = claims.get("typ") == "identity" or claims.get("admitted") is True
        token, _ = parts.signer.sign(credential, "delegated", life_s, admitted=admitted)
        return {"token": token, "expires_in": life_s}

    @routes.post("/media")
    async def open_media(request: Request, asked: Opening) -> dict[str, Any]:
        """Give addresses that open the caller's pictures or sounds to whoever has them.

        They end with their time, or with the key or login behind them; what is not the caller's they do not open.
        """
        life_s, credential_id = parts.settings.media_token_s, request.scope.get("oficina.credential", "")
        if parts.settings.auth == "off":  # everybody reads everything anyway
            return {"urls": asked.paths, "expires_in": life_s}
        urls = [with_token(path, parts.signer.permit(credential_id, path, life_s)) for path in asked.paths]
        return {"urls": urls, "expires_in": life_s}

    async def _logged_in(request: Request, user_id: str) -> Response:
        session, credential = await open_session(parts, user_id)
        life_s = parts.settings.access_token_s
        token, _ = parts.signer.sign(credential, "access", life_s)
        response = JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": life_s})
        set_cookies(parts, request, response, session)
        return response

    return routes


def _claims(parts: Parts, bearer: str) -> dict[str, Any]:
    return parts.signer.verify(bearer) if bearer.count(".") == 2 else {}


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


async def _read_login(request: Request) -> Login:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form(max_fields=10, max_files=0) as form:
            given: Any = {name: str(value) for name, value in form.items()}
    elif kind in ("application/json", ""):
        try:
            given = await request.json()
        except (ValueError, RecursionError) as error:
            raise InvalidBody("The body is not valid JSON.") from error
    else:
        raise UnsupportedMedia(f"The content type is '{kind[:80]}'; this call reads JSON or a form.")
    try:
        return Login.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(map(str, first["loc"])) or None
        raise InvalidBody(f"'{param or 'body'}': {first['msg']}.", param=param) from error
