"""Reads the picture, and the mask, that a drawing begins from out of a form. Owns their limits and errors."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from PIL import Image
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from servicekit.errors import BadRequest, UnsupportedMedia
from servicekit.images import FORMATS, MAX_BYTES, InvalidImage, decode
from svc_image_gen.domain.pictures import SIDE_STEP
from svc_image_gen.engine.scaling import fitted, inner_box
from svc_image_gen.errors import MissingImage

Body = TypeVar("Body", bound=BaseModel)
SLIVER = 2 * SIDE_STEP
"""Pixels that would be left free beside a picture, by which it is stretched instead: sides are multiples of eight."""


@dataclass(frozen=True)
class Sent:
    """A picture (RGB), and in greys where it may change (white); None: everywhere."""

    image: Image.Image
    mask: Image.Image | None = None

    def placed(self, size: tuple[int, int]) -> Sent:
        """Return both in the size that is drawn; what is left free beside the picture stays."""
        left, top, right, bottom = inner_box(self.image.size, *size)
        if size[0] - (right - left) <= SLIVER and size[1] - (bottom - top) <= SLIVER:
            return Sent(self.image.resize(size), self.mask and self.mask.resize(size))
        return Sent(fitted(self.image, *size), self.mask and fitted(self.mask, *size, fill=0))


async def read_form(request: Request, schema: type[Body]) -> tuple[Body, Sent]:
    """Return a form's fields and its pictures.

    Raises:
        UnsupportedMedia, RequestValidationError, MissingImage, InvalidImage, and BadRequest for several pictures.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise UnsupportedMedia(f"The content type is '{kind[:80]}'; this call reads 'multipart/form-data'.")
    async with request.form(max_files=20, max_fields=40) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str) and value}
        body = _checked(schema, fields)
        content = await _content(_one_picture(form), "image")
        masked = form.get("mask")
        mask = await _content(masked, "mask") if isinstance(masked, UploadFile) else None
    return body, await asyncio.to_thread(_decoded, content, mask)


def form_of(schema: type[BaseModel], *files: str) -> dict[str, Any]:
    """Return the OpenAPI description of a form with these files; the first one is needed."""
    told = schema.model_json_schema()
    parts = {name: {"type": "string", "format": "binary"} for name in files}
    needed = [files[0], *told.get("required", ())]
    whole = {"type": "object", "properties": {**told["properties"], **parts}, "required": needed}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": whole}}}}


def _checked(schema: type[Body], fields: dict[str, Any]) -> Body:
    try:
        return schema.model_validate(fields)
    except ValidationError as exc:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in exc.errors()]) from exc


def _one_picture(form: FormData) -> UploadFile:
    # the official client calls a list of pictures `image[]`
    sent = [one for name in ("image", "image[]") for one in form.getlist(name) if isinstance(one, UploadFile)]
    if not sent:
        raise MissingImage("The field 'image' is missing. Send a picture as a file.", param="image")
    if len(sent) > 1:
        raise BadRequest(f"{len(sent)} pictures came; a drawing begins from one. Send one.", param="image")
    return sent[0]


async def _content(file: UploadFile, param: str) -> bytes:
    content = await file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InvalidImage(
            f"The picture is over the limit of {MAX_BYTES:,} bytes. Send a smaller one.", param=param
        )
    return content


def _decoded(content: bytes, masking: bytes | None) -> Sent:
    image = decode(content, param="image")
    if masking is None:
        alpha = _alpha(content)
        return Sent(image, alpha if alpha is not None and alpha.size == image.size else None)
    size = decode(masking, param="mask").size
    if size != image.size:
        raise InvalidImage(
            f"The mask has {size[0]} × {size[1]} pixels and the picture {image.width} × {image.height}. "
            "Send both in one size.",
            param="mask",
        )
    alpha = _alpha(masking)
    if alpha is None:
        raise InvalidImage(
            "The mask is opaque everywhere, so nothing may change. Make what may change transparent, in a PNG.",
            param="mask",
        )
    return Sent(image, alpha)


def _alpha(content: bytes) -> Image.Image | None:
    """Return where a picture that was decoded before is transparent (white); None: nowhere."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        if not picture.has_transparency_data:
            return None
        alpha = picture.convert("RGBA").getchannel("A").point([255 - value for value in range(256)])
    return alpha if alpha.getbbox() else None
