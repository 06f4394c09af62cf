"""The Flask twin of `media.api`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servicekit.auth import flask_identity
from servicekit.media.api import download_name, headers_for
from servicekit.media.store import MediaStore

if TYPE_CHECKING:
    from flask import Blueprint


def blueprint(store: MediaStore) -> Blueprint:
    """Make `GET` and `DELETE /media/{id}` for `store` as a Flask blueprint."""
    from flask import Blueprint, Response, request, send_file

    routes = Blueprint("media", __name__)

    @routes.get("/media/<item_id>")
    def read_media(item_id: str) -> Response:
        item = store.open(item_id, flask_identity().user_id)
        response = send_file(
            item.path, mimetype=item.media_type, download_name=download_name(item), conditional=True
        )
        response.headers.update(headers_for(request.args))
        return response

    @routes.delete("/media/<item_id>")
    def delete_media(item_id: str) -> Response:
        store.delete(item_id, flask_identity().user_id)
        return Response(status=204)

    return routes
