"""`POST /v1/images/generations` in OpenAI's shape."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from servicekit.auth import Identity, identity_of
from servicekit.jobs import Job
from servicekit.media import Links, MediaStore
from svc_image_gen.api.orders import IdempotencyKey, Orders, accepted, wants_job
from svc_image_gen.api.schemas import GenerationBody
from svc_image_gen.domain.studio import Studio

Caller = Annotated[Identity, Depends(identity_of)]
_TOLD = ("id", "seed", "width", "height", "native_size")


def router(studio: Studio, orders: Orders, answers: Answers) -> APIRouter:
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
        return await answers.told(caller, job, body.wants_base64)

    return routes


@dataclass(frozen=True)
class Answers:
    """Wait for what is drawn and tell it as OpenAI's calls do."""

    orders: Orders
    media: MediaStore
    links: Links

    async def told(self, caller: Identity, job: Job, as_base64: bool) -> dict[str, Any]:
        """Return the answer: the pictures themselves, or addresses that open them for an hour.

        Raises as `Orders.result`.
        """
        if not as_base64:
            caller = await self.links.lasting(caller, self.orders.timeout_s)
        result = await self.orders.result(job)
        pictures = result["pictures"]
        if as_base64:
            contents = [await self._base64(picture["id"], caller.user_id) for picture in pictures]
            where = [{"b64_json": content} for content in contents]
        else:
            urls = await self.links.absolute(caller, [picture["url"] for picture in pictures])
            where = [{"url": url} for url in urls]
        told = {name: result[name] for name in ("created", "model", "device", "timing", "parameters")}
        data = [
            {name: picture[name] for name in _TOLD} | at for picture, at in zip(pictures, where, strict=True)
        ]
        return told | {"data": data, "job_id": job.id}

    async def _base64(self, picture_id: str, owner: str) -> str:
        content = await asyncio.to_thread(self.media.read, picture_id, owner)
        return base64.b64encode(content).decode()
