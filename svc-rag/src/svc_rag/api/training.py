"""`POST /training/train`: new texts for the index and, by svc-chat, for the model."""

from __future__ import annotations

import io
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from servicekit.auth import Identity, identity_of
from servicekit.errors import ServiceError
from svc_rag.api.intake import Intake
from svc_rag.api.schemas import TrainRequest
from svc_rag.engine.base import ChatModel

Caller = Annotated[Identity, Depends(identity_of)]


def router(intake: Intake, chat: ChatModel) -> APIRouter:
    """Return the route of training."""
    routes = APIRouter(tags=["training"])

    @routes.post("/training/train", status_code=202)
    async def train(body: TrainRequest, caller: Caller) -> dict[str, Any]:
        """Add texts to the index as documents; questions find them when their jobs are completed.

        `model` says whether svc-chat kept them for its next fine-tuning too; the index does not wait for that.
        """
        taken = []
        for item in body.texts():
            title = item.title.strip() or " ".join(item.text.split())[:60]
            source = io.BytesIO(item.text.encode("utf-8", "replace"))
            taken.append(await intake.add(caller.user_id, source, "training.txt", "text/plain", title))
        for_model = "stored"
        try:
            for item in body.texts():
                await chat.train(item.text, caller.bearer)
        except ServiceError:
            for_model = "unavailable"
        return {
            "message": "Dados de treinamento adicionados com sucesso!",
            "model": for_model,
            "job_id": taken[0][0]["id"],
            "job_ids": [job["id"] for job, _ in taken],
            "document_ids": [document_id for _, document_id in taken],
        }

    return routes
