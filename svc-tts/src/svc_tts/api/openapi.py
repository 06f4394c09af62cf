"""`/openapi.json`: Flask has none of its own, so the calls are described from their schemas."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from servicekit.docs_page import with_bearer
from svc_tts.api.schemas import SpeechRequest, TextToAudio

_CALLS: tuple[tuple[str, str, str, str | None], ...] = (
    ("get", "/healthz", "Alive; touches nothing", None),
    ("get", "/readyz", "Ready, or 503 with the reason", None),
    ("get", "/metrics", "Prometheus metrics", None),
    ("post", "/v1/audio/speech", "Speak a text", "SpeechRequest"),
    ("get", "/v1/audio/voices", "List the voices", None),
    ("post", "/text-to-audio", "Speak a text and keep the sound", "TextToAudio"),
    ("get", "/audio/{name}", "A kept sound", None),
    ("get", "/media/{item_id}", "A kept sound, by its media id", None),
    ("delete", "/media/{item_id}", "Remove a kept sound", None),
    ("get", "/v1/models", "List the models", None),
    ("get", "/v1/catalogue", "List public models", None),
    ("post", "/v1/models/plan", "Say what installing a model takes", None),
    ("post", "/v1/models/install", "Install a voice from the hub as a job", None),
    ("delete", "/v1/models/{model_id}", "Remove an installed voice", None),
    ("get", "/v1/jobs", "List your jobs", None),
    ("get", "/v1/jobs/{job_id}", "Look at a job", None),
    ("get", "/v1/jobs/{job_id}/events", "Follow a job", None),
    ("delete", "/v1/jobs/{job_id}", "Cancel a job", None),
    ("post", "/v1/models/{model_id}/load", "Load a model", None),
    ("post", "/v1/models/{model_id}/unload", "Unload a model", None),
)


def blueprint(version: str) -> Blueprint:
    """Return the route of the description."""
    routes = Blueprint("openapi", __name__)
    description = document(version)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(description)

    return routes


def document(version: str) -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, Any] = {}
    for method, path, summary, schema in _CALLS:
        call: dict[str, Any] = {"summary": summary, "responses": {"200": {"description": "OK"}}}
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        if names:
            call["parameters"] = [
                {"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names
            ]
        if schema:
            reference = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
            call["requestBody"] = {"required": True, "content": {"application/json": reference}}
        paths.setdefault(path, {})[method] = call
    schemas = {
        model.__name__: model.model_json_schema(ref_template="#/components/schemas/{model}")
        for model in (SpeechRequest, TextToAudio)
    }
    info = {"title": "svc-tts", "version": version}
    described = {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}
    return with_bearer(described)
