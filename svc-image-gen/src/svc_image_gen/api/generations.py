"""`POST /v1/images/generations` in OpenAI's shape; edits and variations are not built yet."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Depends, Request, Response

from servicekit.auth import Identity, identity_of
from servicekit.errors import NotImplementedYet
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
        result = await orders.result(job)
        pictures = [
            await _picture(studio.media, picture, caller.user_id, body.wants_base64)
            for picture in result["pictures"]
        ]
        told = {name: result[name] for name in ("created", "model", "device", "timing", "parameters")}
        return told | {"data": pictures, "job_id": job.id}

    async def later(request: Request) -> NoReturn:
        raise NotImplementedYet(
            f"'{request.url.path}' is not available yet. POST /v1/images/generations draws from a prompt."
        )

    for path in ("/v1/images/edits", "/v1/images/variations"):
        routes.add_api_route(path, later, methods=["POST"], response_model=None, status_code=501)
    return routes


async def _picture(media: MediaStore, picture: dict[str, Any], owner: str, as_base64: bool) -> dict[str, Any]:
    told = {name: picture[name] for name in ("id", "seed", "width", "height", "native_size")}
    if not as_base64:
        return told | {"url": picture["url"]}
    content = await asyncio.to_thread(media.read, picture["id"], owner)
    return told | {"b64_json": base64.b64encode(content).decode()}
