"""`POST /v1/pipelines/describe`: image → caption → translation → audio, as events or as one JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field, ValidationError

from gateway.domain.describe import Image, Order, Told, describe
from gateway.domain.routing import decide
from gateway.engine.abilities import ServiceAbilities
from gateway.parts import Parts
from servicekit import sse
from servicekit.asgi import from_validation
from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from servicekit.errors import BadRequest, Forbidden, InvalidBody, NotFound, PayloadTooLarge, UnsupportedMedia
from servicekit.fetch.client import MAX_URL_CHARS
from servicekit.scopes import SCOPES

_MAX_IMAGE = 20 * 1024 * 1024
_KEEP_ALIVE_S = 5.0
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(;[^,]*)?,", re.ASCII)


class Describe(BaseModel):
    """What to describe: a picture, or a text to start from."""

    image_url: str | None = Field(default=None, min_length=1, max_length=_MAX_IMAGE * 4 // 3 + 100)
    image: str | None = Field(default=None, min_length=1, max_length=_MAX_IMAGE * 4 // 3 + 100)
    target: str = Field(default="pt", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    voice: str | None = Field(default=None, max_length=100)
    caption_model: str | None = Field(default=None, max_length=300)
    caption: str | None = Field(default=None, min_length=1, max_length=5000)
    translation: str | None = Field(default=None, min_length=1, max_length=5000)
    stream: bool = True


def router(parts: Parts) -> APIRouter:
    """Make the routes of `/v1/pipelines`."""
    routes = APIRouter(prefix="/v1/pipelines", tags=["pipelines"])

    @routes.post("/describe", openapi_extra=_body_schema())
    async def describe_image(request: Request, caller: Identity = Depends(identity_of)) -> Response:
        """Caption a picture, translate the caption and speak it; any step's text may be given instead."""
        _check_scopes(caller)
        asked, uploaded = await _read(request)
        image = uploaded or await _image(asked, request, caller)
        if image is None and asked.caption is None and asked.translation is None:
            raise InvalidBody("Send 'image_url', 'image', 'caption' or 'translation'.", param="image_url")
        order = Order(
            image, asked.target, asked.voice or None, asked.caption, asked.translation, asked.caption_model or None
        )  # fmt: skip
        abilities = ServiceAbilities(
            parts.calls, parts.cache, caller, parts.settings.cache_ttl_s, parts.poller.edition
        )
        told = Told()
        steps = describe(order, abilities, told)
        if asked.stream:
            return StreamingResponse(_events(steps, told), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
        await unless_disconnected(request, _finish(steps))
        failure = told.failure
        return JSONResponse(
            told.whole(), failure.status if failure else 200, headers=failure.headers() if failure else None
        )

    async def _image(asked: Describe, request: Request, caller: Identity) -> Image | None:
        if asked.image:
            return _inline(asked.image, "image")
        if not asked.image_url or asked.caption is not None or asked.translation is not None:
            return None
        if asked.image_url.startswith("data:"):
            return _inline(asked.image_url, "image_url")
        if len(asked.image_url) > MAX_URL_CHARS:
            raise BadRequest(
                f"'image_url' has {len(asked.image_url)} characters, {MAX_URL_CHARS} at most are read. "
                "A picture itself is sent as a data URL or in 'image'.",
                param="image_url",
            )
        url = urlsplit(asked.image_url)
        own = ("", request.headers.get("host"), urlsplit(parts.settings.public_url).netloc)
        if url.path.startswith("/media/") and url.netloc in own:
            return await _own_media(url.path, caller)
        if url.scheme not in ("http", "https") or not url.netloc:
            raise BadRequest("'image_url' must be http, https, data, or '/media/…' here.", param="image_url")
        return Image(url=asked.image_url)

    async def _own_media(path: str, caller: Identity) -> Image:
        service = decide("GET", path).service
        if not service or path.count("/") != 2 or ".." in path or "%" in path:
            raise BadRequest(f"'{path[:80]}' is no media of this gateway.", param="image_url")
        got = await parts.calls.raw(service, "GET", path, token=caller.token, timeout_s=30)
        if got.status == 404:
            raise NotFound("There is no such picture, or it was removed after its time.", param="image_url")
        if got.status != 200:
            raise got.error(service)
        return Image(got.content, got.content_type)

    return routes


def _check_scopes(caller: Identity) -> None:
    needed = {SCOPES[name] for name in ("vision", "translate", "tts")}
    if "*" not in caller.scopes and not needed <= caller.scopes:
        raise Forbidden(f"This key lacks a scope; describing needs {', '.join(sorted(needed))}.")


async def _read(request: Request) -> tuple[Describe, Image | None]:
    """Return the fields, and the picture when it was uploaded as `image`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    image: Image | None = None
    if kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=10) as form:
            given: Any = {name: value for name, value in form.items() if isinstance(value, str)}
            file = form.get("image")
            if file is not None and not isinstance(file, str):
                image = Image(await file.read(), file.content_type or "application/octet-stream")
    elif kind in ("application/json", ""):
        try:
            given = await request.json()
        except (ValueError, RecursionError) as error:
            raise InvalidBody("The body is not valid JSON.") from error
    else:
        raise UnsupportedMedia(f"The content type is '{kind[:80]}'; send 'application/json' or a form.")
    try:
        asked = Describe.model_validate(given)
    except ValidationError as error:
        raise from_validation(error.errors(), kind) from error
    if image is not None and not image.content:
        raise BadRequest("The uploaded 'image' is empty.", param="image")
    if image is not None and len(image.content) > _MAX_IMAGE:
        raise PayloadTooLarge(f"The image is over the limit of {_MAX_IMAGE} bytes.", param="image")
    return asked, image


def _inline(text: str, param: str) -> Image:
    """Decode base64 or a data URL."""
    media_type, encoded = "application/octet-stream", text
    found = _DATA_URL.match(text)
    try:
        if found:
            media_type, encoded = found[1] or media_type, text[found.end() :]
            if ";base64" not in (found[2] or ""):
                return Image(unquote_to_bytes(encoded), media_type)
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"'{param}' is not valid base64.", param=param) from error
    if len(content) > _MAX_IMAGE:
        raise PayloadTooLarge(f"The image is over the limit of {_MAX_IMAGE} bytes.", param=param)
    return Image(content, media_type)


async def _finish(steps: AsyncIterator[dict[str, Any]]) -> None:
    async for _ in steps:
        pass


async def _events(steps: AsyncIterator[dict[str, Any]], told: Told) -> AsyncIterator[bytes]:
    """Write the steps as events, with a sign of life while one takes long."""
    coming: asyncio.Future[dict[str, Any]] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(steps))  # type: ignore[arg-type]
            await asyncio.wait([coming], timeout=_KEEP_ALIVE_S)
            if not coming.done():
                yield sse.KEEP_ALIVE
                continue
            try:
                step = coming.result()
            except StopAsyncIteration:
                break
            coming = None
            yield sse.event(step, name="step")
        yield sse.event(told.done(), name="done")
    finally:
        if coming is not None:
            coming.cancel()


def _body_schema() -> dict[str, Any]:
    schema = Describe.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
