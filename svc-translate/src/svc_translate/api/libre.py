"""LibreTranslate's calls: `/translate`, `/detect`, `/languages`; JSON or a form.

Confidences are from 0 to 100 here, as LibreTranslate's are.
"""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from servicekit.disconnect import unless_disconnected
from servicekit.errors import InvalidBody, UnsupportedMedia
from servicekit.timing import Timing
from svc_translate.api.schemas import DetectRequest, LibreRequest
from svc_translate.domain.languages import NAMES, Detected
from svc_translate.domain.translation import AUTO, TranslationService

Body = TypeVar("Body", bound=BaseModel)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def router(service: TranslationService) -> APIRouter:
    """Make the routes."""
    routes = APIRouter(tags=["libretranslate"])

    @routes.post("/translate", openapi_extra=_documented(LibreRequest))
    async def translate(request: Request) -> dict[str, Any]:
        """Translate `q`, a text or a list; the answer has the shape of `q`."""
        body = await read_body(request, LibreRequest)
        texts = [body.q] if isinstance(body.q, str) else body.q
        timing = Timing()
        work = service.translate(texts, body.source, body.target, timing=timing, param="q")
        done = await unless_disconnected(request, work)
        single = isinstance(body.q, str)
        made = [translation.text for translation in done]
        answer: dict[str, Any] = {"translatedText": made[0] if single else made}
        if body.source.strip().lower() == AUTO:
            found = [_detected(t.detected) for t in done if t.detected is not None]
            answer["detectedLanguage"] = found[0] if single else found
        return answer

    @routes.post("/detect", openapi_extra=_documented(DetectRequest))
    async def detect(request: Request) -> list[dict[str, Any]]:
        """Rank the languages of `q`; empty if it holds no letters."""
        body = await read_body(request, DetectRequest)
        ranked = await unless_disconnected(request, service.detect(body.q))
        return [_detected(guess) for guess in ranked if guess.confidence >= 0.01]

    @routes.get("/languages")
    async def languages() -> list[dict[str, Any]]:
        """List the languages and where each can be translated to."""
        return [
            {
                "code": code,
                "name": NAMES.get(code, code),
                "targets": sorted({code, *(to for to, _ in service.targets(code))}),
            }
            for code in sorted(service.codes)
        ]

    return routes


async def read_body(request: Request, shape: type[Body]) -> Body:
    """Read JSON or a form into `shape`.

    Raises:
        InvalidBody: not JSON, or not an object. UnsupportedMedia: neither JSON nor a form.
    """
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind in _FORMS:
        form = await request.form()
        fields: Any = {}
        for key in form:
            values = form.getlist(key)
            fields[key] = values[0] if len(values) == 1 else values
    elif kind == "application/json" or kind.endswith("+json"):
        try:
            fields = orjson.loads(await request.body())
        except orjson.JSONDecodeError as exc:
            raise InvalidBody("The body is not valid JSON.") from exc
        if not isinstance(fields, dict):
            raise InvalidBody("The body must be a JSON object.")
    else:
        raise UnsupportedMedia(
            f"The content type is '{kind[:80]}'; this call reads 'application/json' or a form."
        )
    try:
        return shape.model_validate(fields)
    except ValidationError as exc:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in exc.errors()]) from exc


def _detected(guess: Detected | None) -> dict[str, Any]:
    if guess is None:
        return {"language": "", "confidence": 0.0}
    return {"language": guess.language, "confidence": round(guess.confidence * 100, 1)}


def _documented(shape: type[BaseModel]) -> dict[str, Any]:
    content = {"schema": shape.model_json_schema()}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}
