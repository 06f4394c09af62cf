"""`POST /v1/images/edits` and `/v1/images/variations` in OpenAI's shape: drawing on from a picture."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from servicekit.auth import Identity, identity_of
from svc_image_gen.api.generations import Answers
from svc_image_gen.api.orders import IdempotencyKey, Orders, accepted, wants_job
from svc_image_gen.api.schemas import EditBody, VariationBody
from svc_image_gen.api.sources import Sent, form_of, read_form
from svc_image_gen.domain.studio import Studio

Caller = Annotated[Identity, Depends(identity_of)]


def router(studio: Studio, orders: Orders, answers: Answers) -> APIRouter:
    """Return the routes of pictures that begin from others."""
    routes = APIRouter(tags=["images"])

    async def drawn(
        request: Request, caller: Identity, key: str | None, body: EditBody, sent: Sent
    ) -> Response | dict[str, Any]:
        engine = studio.engine(body.model)
        placed = await asyncio.to_thread(sent.placed, body.size_for(sent.image))
        source = await asyncio.to_thread(studio.keep, placed.image, caller.user_id)
        mask = await asyncio.to_thread(studio.keep, placed.mask, caller.user_id) if placed.mask else None
        spec = body.redrawn(engine, key, placed.image.size, source, mask)
        job = await orders.place(spec, caller.user_id, key)
        if wants_job(request):
            return accepted(job)
        return await answers.told(caller, job, body.wants_base64)

    @routes.post("/v1/images/edits", response_model=None, openapi_extra=form_of(EditBody, "image", "mask"))
    async def edit(
        request: Request, caller: Caller, idempotency_key: IdempotencyKey = None
    ) -> Response | dict[str, Any]:
        """Change a picture as the prompt says: where `mask` (or the picture itself) is transparent, or all of it."""
        body, sent = await read_form(request, EditBody)
        return await drawn(request, caller, idempotency_key, body, sent)

    @routes.post("/v1/images/variations", response_model=None, openapi_extra=form_of(VariationBody, "image"))
    async def vary(
        request: Request, caller: Caller, idempotency_key: IdempotencyKey = None
    ) -> Response | dict[str, Any]:
        """Draw pictures that are like one."""
        body, sent = await read_form(request, VariationBody)
        return await drawn(request, caller, idempotency_key, body, Sent(sent.image))

    return routes
