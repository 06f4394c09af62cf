"""Reads the picture of a request: a multipart file `image`, or JSON with `image_url`.

Owns the limits of the input and its errors. Knows nothing about models.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from PIL.Image import Image
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from servicekit.auth import identity_of
from servicekit.errors import InvalidBody, UnsupportedMedia
from servicekit.fetch import fetch
from servicekit.images import decode
from servicekit.media import OwnMedia
from svc_vision.api.schemas import Options
from svc_vision.errors import ImageTooLarge, MissingImage
from svc_vision.settings import Settings

_NAMES_AN_IMAGE = "Send a file in the field 'image', or JSON with 'image_url'."


@dataclass(frozen=True)
class Picture:
    """A decoded picture: RGB and upright, the bytes it came as, its file name, what else was asked."""

    image: Image
    content: bytes
    name: str | None
    options: Options
    fetched: bool = False
    """Whether it came from another site, where a page of ours may not show it from."""


class PictureReader:
    """Reads pictures within the limits of `settings`."""

    def __init__(self, settings: Settings, own: OwnMedia) -> None:
        self._max_bytes = settings.max_image_bytes
        self._timeout_s = settings.fetch_timeout_s
        self._allow_hosts = settings.fetch_allow_hosts
        self._own = own

    async def read(self, request: Request, *, url_allowed: bool = True) -> Picture:
        """Read the request's picture.

        Raises:
            MissingImage, ImageTooLarge, InvalidImage, UnsupportedMedia, InvalidBody, and for URLs
            what `servicekit.fetch` raises, or `servicekit.media.OwnMedia` for pictures kept here.
        """
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "multipart/form-data":
            return await self._from_form(request)
        if url_allowed and (kind in ("", "application/json") or kind.endswith("+json")):
            return await self._from_json(request)
        reads = "'multipart/form-data' or 'application/json'" if url_allowed else "'multipart/form-data'"
        raise UnsupportedMedia(f"The content type is '{kind[:80]}'; this call reads {reads}.")

    async def _from_form(self, request: Request) -> Picture:
        async with request.form(max_files=4, max_fields=32) as form:
            options = _options(_texts(form))
            sent = form.get("image")
            if sent is None and options.image_url:
                return await self._from_url(request, options)
            if not isinstance(sent, UploadFile):
                raise MissingImage(f"The field 'image' is missing. {_NAMES_AN_IMAGE}", param="image")
            content = await sent.read(self._max_bytes + 1)
            name = sent.filename
        if not content:
            raise MissingImage(f"The file in 'image' is empty. {_NAMES_AN_IMAGE}", param="image")
        return await self._decoded(content, name, options, "image")

    async def _from_json(self, request: Request) -> Picture:
        try:
            fields = orjson.loads(await request.body())
        except orjson.JSONDecodeError as exc:
            raise InvalidBody("The body is not valid JSON.") from exc
        if not isinstance(fields, dict):
            raise InvalidBody("The body must be a JSON object.")
        options = _options(fields)
        if not options.image_url:
            raise MissingImage(f"The field 'image_url' is missing. {_NAMES_AN_IMAGE}", param="image_url")
        return await self._from_url(request, options)

    async def _from_url(self, request: Request, options: Options) -> Picture:
        assert options.image_url
        if (path := self._own.path_of(options.image_url)) is not None:
            bearer = identity_of(request).bearer
            kept = await self._own.read(
                path, bearer, param="image_url", most_bytes=self._max_bytes, kind="image/*"
            )
            return await self._decoded(kept.content, None, options, "image_url")
        fetched = await fetch(
            options.image_url,
            max_bytes=self._max_bytes,
            timeout_s=self._timeout_s,
            allow_hosts=self._allow_hosts,
            media_types=("image/*",),
            param="image_url",
        )
        picture = await self._decoded(fetched.content, None, options, "image_url")
        return replace(picture, fetched=not options.image_url.startswith("data:"))

    async def _decoded(self, content: bytes, name: str | None, options: Options, param: str) -> Picture:
        if len(content) > self._max_bytes:
            raise ImageTooLarge(
                f"The picture is over the limit of {self._max_bytes:,} bytes. Send a smaller file.",
                param=param,
            )
        image = await asyncio.to_thread(decode, content, param=param)
        return Picture(image, content, name, options)


def _texts(form: FormData) -> dict[str, Any]:
    return {key: value for key, value in form.items() if isinstance(value, str)}


def _options(fields: dict[str, Any]) -> Options:
    try:
        return Options.model_validate(fields)
    except ValidationError as exc:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in exc.errors()]) from exc
