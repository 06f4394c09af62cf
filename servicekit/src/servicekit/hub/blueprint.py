"""The routes of `api` for Flask."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from pydantic import ValidationError

from servicekit.auth import Identity
from servicekit.errors import InvalidBody
from servicekit.hub.api import Wanted
from servicekit.hub.installs import Installs
from servicekit.jobs import JobQueue


def blueprint(installs: Installs, queue: JobQueue) -> Blueprint:
    """Make the routes of one service."""
    routes = Blueprint("hub", __name__)

    @routes.post("/v1/models/plan")
    def plan_model() -> Response:
        asked = _wanted()
        return jsonify(installs.plan(asked.id, asked.revision).as_dict())

    @routes.post("/v1/models/install")
    def install_model() -> tuple[Response, int, dict[str, str]]:
        asked, caller = _wanted(), _caller()
        job = installs.begin(asked.id, asked.revision, caller.user_id, caller.role, queue)
        return jsonify(job.as_dict()), 202, {"Location": f"/v1/jobs/{job.id}"}

    @routes.delete("/v1/models/<path:model_id>")
    def delete_model(model_id: str) -> Response:
        installs.remove(model_id, _caller().role, queue)
        return jsonify({"id": model_id, "object": "model", "deleted": True})

    return routes


def _wanted() -> Wanted:
    try:
        body: Any = request.get_json(silent=True)
        return Wanted.model_validate(body)
    except RecursionError as error:
        raise InvalidBody('The body is nested too deeply. Send {"id": "owner/name"}.') from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidBody(
            f'\'{where}\': {first["msg"]}. Send {{"id": "owner/name"}}.', param=where
        ) from error


def _caller() -> Identity:
    caller = g.identity
    assert isinstance(caller, Identity)
    return caller
