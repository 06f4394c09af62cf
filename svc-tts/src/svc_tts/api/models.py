"""`/v1/models` and `/v1/catalogue` for Flask, in the shapes of `servicekit.models.router`."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from servicekit.models import CatalogueQuery, ServiceModels


def blueprint(models: ServiceModels) -> Blueprint:
    """Return the routes of models."""
    routes = Blueprint("models", __name__)

    @routes.get("/v1/models")
    def list_models() -> Response:
        return jsonify(models.listing())

    @routes.get("/v1/catalogue")
    def list_catalogue() -> Response:
        return jsonify(models.catalogue_listing(CatalogueQuery.read(request.args)))

    @routes.post("/v1/models/<path:model_id>/load")
    def load_model(model_id: str) -> Response:
        return jsonify(models.describe(models.load(model_id)))

    @routes.post("/v1/models/<path:model_id>/unload")
    def unload_model(model_id: str) -> Response:
        return jsonify(models.describe(models.unload(model_id)))

    @routes.get("/v1/models/<path:model_id>")
    def get_model(model_id: str) -> Response:
        entry = models.resolve(model_id)
        return jsonify(models.describe(entry, alias=model_id if model_id != entry.id else None))

    return routes
