"""Calls of OpenAI's API that are not built yet: they answer 501 in the error shape."""

from __future__ import annotations

from typing import NoReturn

from fastapi import APIRouter, Request

from servicekit.errors import NotImplementedYet

LATER = ("fine_tuning",)


def router() -> APIRouter:
    """Return routes for every path below the calls that are not built yet."""
    routes = APIRouter(prefix="/v1", include_in_schema=False)
    methods = ["GET", "POST", "DELETE", "PATCH"]

    async def later(request: Request) -> NoReturn:
        call = request.url.path.split("/")[2]
        raise NotImplementedYet(
            f"'/v1/{call}' is not available yet. Use /v1/responses and /v1/conversations."
        )

    for call in LATER:
        routes.add_api_route(f"/{call}", later, methods=methods, response_model=None)
        routes.add_api_route(f"/{call}/{{rest:path}}", later, methods=methods, response_model=None)
    return routes
