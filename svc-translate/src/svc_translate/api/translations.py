"""`/v1/translations`: translate texts, list the directions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from servicekit.disconnect import unless_disconnected
from servicekit.timing import Timing
from svc_translate.api.schemas import TranslationsRequest
from svc_translate.domain.languages import normalise
from svc_translate.domain.translation import Translation, TranslationService


def router(service: TranslationService) -> APIRouter:
    """Make the routes."""
    routes = APIRouter(tags=["translations"])

    @routes.post("/v1/translations")
    async def translate(body: TranslationsRequest, request: Request) -> dict[str, Any]:
        """Translate one text or many; each sentence by the model that knows its words."""
        texts = [body.text] if isinstance(body.text, str) else body.text
        timing = Timing()
        work = service.translate(texts, body.source, body.target, model=body.model, timing=timing)
        done = await unless_disconnected(request, work)
        used = list(dict.fromkeys(model for translation in done for model in translation.models))
        return {
            "translations": [as_dict(translation) for translation in done],
            "model": used[0] if used else None,
            "device": service.device_of(used),
            "timing": timing.as_dict(),
        }

    @routes.get("/v1/translations/languages")
    async def languages(source: str | None = None) -> dict[str, Any]:
        """List directions and the models that go them.

        Models of many languages would be tens of thousands of rows; they stand in `any`, each with its languages, of
        which any goes into any other. With `source`, `data` holds every direction from that language instead.
        """
        if source is not None:
            code = normalise(source, service.codes, param="source")
            data = [{"source": code, "target": to, "model": m.id} for to, m in service.targets(code)]
        else:
            data = [{"source": p.source, "target": p.target, "model": m.id} for p, m in service.pairs]
        many = [{"model": m.id, "languages": sorted(m.any_of)} for m in service.models if m.any_of]
        return {"object": "list", "data": data, "any": many}

    return routes


def as_dict(translation: Translation) -> dict[str, Any]:
    """Give one translation. `model` is null when the text came back as it was."""
    body: dict[str, Any] = {
        "text": translation.text,
        "source": translation.source,
        "target": translation.target,
        "model": translation.models[0] if translation.models else None,
    }
    if len(translation.models) > 1:
        body["models"] = list(translation.models)
    if translation.detected is not None:
        body["confidence"] = translation.detected.confidence
    if translation.warnings:
        body["warnings"] = list(translation.warnings)
    return body
