"""`POST /training/train`: new texts for the index."""

from __future__ import annotations

import io
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from servicekit.auth import Identity, identity_of

from svc_rag.api.intake import Intake
from svc_rag.api.schemas import TrainRequest

Caller = Annotated[Identity, Depends(identity_of)]


def router(intake: Intake) -> APIRouter:
    """Return the route of training."""
    routes = APIRouter(tags=["training"])

    @routes.post("/training/train", status_code=202)
    async def train(body: TrainRequest, caller: Caller) -> dict[str, Any]:
        """Add texts to the index as documents; questions find them when their jobs are completed."""
        taken = []
        for item in body.texts():
            title = item.title.strip() or " ".join(item.text.split())[:60]
            source = io.BytesIO(item.text.encode("utf-8", "replace"))
            taken.append(await intake.add(caller.user_id, source, "training.txt", "text/plain", title))
        return {
            "message": "Dados de treinamento adicionados com sucesso!",
            "job_id": taken[0][0]["id"],
            "job_ids": [job["id"] for job, _ in taken],
            "document_ids": [document_id for _, document_id in taken],
        }

    return routes
