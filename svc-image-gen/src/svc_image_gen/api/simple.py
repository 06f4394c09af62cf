"""The older document's call: `POST /api/generate-image`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from servicekit.auth import Identity, identity_of
from svc_image_gen.api.orders import IdempotencyKey, Orders, accepted, wants_job
from svc_image_gen.api.schemas import GenerateImageBody
from svc_image_gen.domain.studio import Studio

Caller = Annotated[Identity, Depends(identity_of)]


def router(studio: Studio, orders: Orders) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["simple"])

    @routes.post("/api/generate-image", response_model=None)
    async def generate_image(
        body: GenerateImageBody, request: Request, caller: Caller, idempotency_key: IdempotencyKey = None
    ) -> Response | dict[str, Any]:
        """Draw one picture and answer `{"image_url", "metadata": {"prompt", "parameters"}}`."""
        spec = body.to_domain(studio.engine(body.model), idempotency_key)
        job = await orders.place(spec, caller.user_id, idempotency_key)
        if wants_job(request):
            return accepted(job)
        result = await orders.result(job)
        picture = result["pictures"][0]
        return {
            "image_url": picture["url"],
            "metadata": {
                "prompt": result["prompt"],
                "parameters": result["parameters"] | {"native_size": picture["native_size"]},
            },
            "model": result["model"],
            "device": result["device"],
            "timing": result["timing"],
            "job_id": job.id,
        }

    return routes
