"""`/v1/vision/captions`, `detections`, `classifications`, `questions` and `texts`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from servicekit.disconnect import unless_disconnected
from servicekit.media import MediaStore
from servicekit.timing import Timing
from svc_vision.api.copies import copied
from svc_vision.api.picture import Picture, PictureReader
from svc_vision.api.schemas import picture_body
from svc_vision.domain.vision import VisionService


def router(
    service: VisionService, reader: PictureReader, store: MediaStore, default_threshold: float
) -> APIRouter:
    """Make the routes. A picture fetched from another site is kept, and `image_url` says where."""
    routes = APIRouter(prefix="/v1/vision", tags=["vision"])

    @routes.post("/captions", openapi_extra=picture_body())
    async def caption(request: Request) -> dict[str, Any]:
        """Say in a sentence what the picture shows."""
        picture, timing = await reader.read(request), Timing()
        work = service.caption(picture.image, model=picture.options.model, timing=timing)
        made = await unless_disconnected(request, work)
        captions = [{"text": made.text, "language": made.language}]
        kept = await _kept(picture, store, request)
        return {"captions": captions, "text": made.text, **kept, **_how(service, made.model, timing)}

    @routes.post("/detections", openapi_extra=picture_body())
    async def detect(request: Request) -> dict[str, Any]:
        """Find things; boxes are in pixels of the upright picture, inside its bounds."""
        picture, timing = await reader.read(request), Timing()
        options, image = picture.options, picture.image
        threshold = default_threshold if options.threshold is None else options.threshold
        work = service.detect(image, model=options.model, threshold=threshold, timing=timing)
        made = await unless_disconnected(request, work)
        rows = [
            {"label": item.label, "score": round(item.score, 4), "box": list(item.box)} for item in made.found
        ]
        size = {"width": image.width, "height": image.height}
        kept = await _kept(picture, store, request)
        return {"detections": rows, **size, **kept, **_how(service, made.model, timing)}

    @routes.post("/classifications", openapi_extra=picture_body())
    async def classify(request: Request) -> dict[str, Any]:
        """Name what the picture shows; `derived_from` says when a detector gave the labels."""
        picture, timing = await reader.read(request), Timing()
        options = picture.options
        work = service.classify(picture.image, model=options.model, top_k=options.top_k, timing=timing)
        made = await unless_disconnected(request, work)
        rows = [{"label": item.label, "score": round(item.score, 4)} for item in made.found]
        how = _how(service, made.model, timing)
        return {"classifications": rows, "derived_from": made.derived_from, **how}

    routes.include_router(_words(service, reader))
    return routes


def _words(service: VisionService, reader: PictureReader) -> APIRouter:
    """Make the routes that answer with what is said or written; without a model for it they are 503 `no_model`."""
    routes = APIRouter()

    @routes.post("/questions", openapi_extra=picture_body("question"))
    async def ask(request: Request) -> dict[str, Any]:
        """Answer a question about the picture."""
        picture, timing = await reader.read(request), Timing()
        options = picture.options
        work = service.ask(picture.image, options.question, model=options.model, timing=timing)
        made = await unless_disconnected(request, work)
        return {"answer": made.text, "question": made.question, **_how(service, made.model, timing)}

    @routes.post("/texts", openapi_extra=picture_body())
    async def read(request: Request) -> dict[str, Any]:
        """Read the writing in the picture; boxes are in pixels of the upright picture."""
        picture, timing = await reader.read(request), Timing()
        image = picture.image
        work = service.read(image, model=picture.options.model, timing=timing)
        made = await unless_disconnected(request, work)
        lines = [{"text": line.text, "box": list(line.box)} for line in made.lines]
        size = {"width": image.width, "height": image.height}
        return {"text": made.text, "lines": lines, **size, **_how(service, made.model, timing)}

    return routes


async def _kept(picture: Picture, store: MediaStore, request: Request) -> dict[str, str]:
    return await copied(picture, store, request) if picture.fetched else {}


def _how(service: VisionService, model: str, timing: Timing) -> dict[str, Any]:
    return {"model": model, "device": service.device, "timing": timing.as_dict()}
