"""`/v1/vision/analysis`, `pictures` and the first document's `/upload_image`: pixels, no model."""

from __future__ import annotations

import asyncio
import io
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from PIL import Image

from servicekit.auth import Identity, identity_of
from servicekit.media import MediaStore
from servicekit.timing import Timing
from svc_vision.api.copies import copied
from svc_vision.api.picture import Picture, PictureReader
from svc_vision.api.schemas import picture_body
from svc_vision.domain.analysis import analyse, pixel_mean

Caller = Annotated[Identity, Depends(identity_of)]
_RECEIVED = "Imagem recebida com sucesso!"


def router(reader: PictureReader, store: MediaStore) -> APIRouter:
    """Make the routes."""
    routes = APIRouter(tags=["vision"])

    @routes.post("/v1/vision/analysis", openapi_extra=picture_body())
    async def analysis(request: Request) -> dict[str, Any]:
        """Give size, means, histogram, dominant colours and the EXIF that tells no place."""
        picture, timing = await reader.read(request), Timing()
        with timing.measure("run"):
            made = await asyncio.to_thread(analyse, picture.image, picture.content)
        return {**asdict(made), "model": None, "device": "cpu", "timing": timing.as_dict()}

    @routes.post("/v1/vision/pictures", openapi_extra=picture_body())
    async def pictures(request: Request) -> dict[str, Any]:
        """Keep a copy of a picture, for a page that may not load pictures of other sites."""
        picture = await reader.read(request)
        size = {"width": picture.image.width, "height": picture.image.height}
        return {**await copied(picture, store, request), **size}

    @routes.post("/upload_image")
    async def upload_image(request: Request, caller: Caller) -> dict[str, str]:
        """Keep a picture under a name of our own and tell the mean of its pixels."""
        picture = await reader.read(request, url_allowed=False)
        mean = await asyncio.to_thread(pixel_mean, picture.image)
        await asyncio.to_thread(_keep, store, picture, caller.user_id)
        text = f"A média dos valores dos pixels da imagem é: {mean:.2f}"
        return {"message": _RECEIVED, "analysis": text}

    return routes


def _keep(store: MediaStore, picture: Picture, owner: str) -> None:
    """Keep the bytes as they came; the type is what the content says, never what the caller says."""
    media_type = _media_type(picture.content)
    store.put(picture.content, media_type, owner, name=picture.name)


def _media_type(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as opened:
        return Image.MIME.get(opened.format or "", "application/octet-stream")
