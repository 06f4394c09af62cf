"""`POST /v1/images/generations` in OpenAI's shape."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from servicekit.auth import Identity, identity_of
from servicekit.media import MediaStore
from svc_image_gen.api.orders import IdempotencyKey, Orders, accepted, wants_job
from svc_image_gen.api.schemas import GenerationBody
from svc_image_gen.domain.studio import Studio

Caller = Annotated[Identity, Depends(identity_of)]


def router(studio: Studio, orders: Orders) -> APIRouter:
    """Return the routes of pictures."""
    routes = APIRouter(tags=["images"])

    @routes.post("/v1/images/generations", response_model=None)
    async def generate(
        body: GenerationBody, request: Request, caller: Caller, idempotency_key: IdempotencyKey = None
    ) -> Response | dict[str, Any]:
        """Draw pictures; with `Prefer: respond-async` answer 202 with the job at once."""
        spec = body.to_domain(studio.engine(body.model), idempotency_key)
        job = await orders.place(spec, caller.user_id, idempotency_key)
        if wants_job(request):
            return accepted(job)
        return await answered(
            studio.media, caller.user_id, job.id, await orders.result(job), body.wants_base64
        )

    return routes


async def answered(
    media: MediaStore, owner: str, job_id: str, result: dict[str, Any], as_base64: bool
) -> dict[str, Any]:
    """Return what a job drew, as OpenAI's calls answer."""
    pictures = [await _picture(media, picture, owner, as_base64) for picture in result["pictures"]]
    told = {name: result[name] for name in ("created", "model", "device", "timing", "parameters")}
    return told | {"data": pictures, "job_id": job_id}


async def _picture(media: MediaStore, picture: dict[str, Any], owner: str, as_base64: bool) -> dict[str, Any]:
    told = {name: picture[name] for name in ("id", "seed", "width", "height", "native_size")}
    if not as_base64:
        return told | {"url": picture["url"]}
    content = await asyncio.to_thread(media.read, picture["id"], owner)
    return told | {"b64_json": base64.b64encode(content).decode()}
