"""Calls of OpenAI's API that are not built yet: they answer 501 in the error shape."""

from __future__ import annotations

from typing import NoReturn

from fastapi import APIRouter

from servicekit.errors import NotImplementedYet


def router() -> APIRouter:
    """Return routes for every path below the calls that are not built yet."""
    routes = APIRouter(prefix="/v1", include_in_schema=False)

    async def later() -> NoReturn:
        raise NotImplementedYet("'/v1/vector_stores' is not available yet. Use /v1/documents and /v1/search.")

    methods = ["GET", "POST", "DELETE", "PATCH"]
    routes.add_api_route("/vector_stores", later, methods=methods, response_model=None)
    routes.add_api_route("/vector_stores/{rest:path}", later, methods=methods, response_model=None)
    return routes
