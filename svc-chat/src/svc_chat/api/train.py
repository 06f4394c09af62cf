"""`/train`: the documents' own call for training, and the texts that it keeps."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from servicekit.auth import Identity, identity_of
from svc_chat.api.schemas import TrainingData
from svc_chat.domain.tuning.service import TuningService

Caller = Annotated[Identity, Depends(identity_of)]
ADDED = "Dados de treinamento adicionados com sucesso!"


def router(tuning: TuningService) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/train", tags=["simple"])

    @routes.post("")
    async def train(body: TrainingData, caller: Caller) -> dict[str, Any]:
        """Keep a text and train a model on all that you gave: pairs, sentences or JSON lines."""
        kept, job = await tuning.train(caller.user_id, body.training_data)
        return {
            "message": ADDED,
            "id": kept.id,
            "job_id": job.id,
            "status": job.status,
            "examples": job.details["examples"],
            "model": job.model_id,
        }

    @routes.get("")
    async def texts(caller: Caller) -> dict[str, Any]:
        """List the texts that you gave, oldest first."""
        found = await asyncio.to_thread(tuning.store.texts, caller.user_id)
        rows = [
            {"id": t.id, "object": "training_text", "created_at": int(t.created_at), "text": t.text}
            for t in found
        ]
        return {"object": "list", "data": rows}

    @routes.delete("/{text_id}")
    async def delete(text_id: str, caller: Caller) -> dict[str, Any]:
        """Forget a text; models that were trained on it stay until you delete them."""
        await tuning.delete_text(caller.user_id, text_id)
        return {"id": text_id, "object": "training_text", "deleted": True}

    return routes
