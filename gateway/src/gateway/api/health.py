"""Alive, ready, metrics, the public keys and the merged API description."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from gateway.parts import Parts
from servicekit import __version__
from servicekit.docs_page import with_bearer
from servicekit.metrics import Metrics


def router(parts: Parts, metrics: Metrics, app: FastAPI) -> APIRouter:
    """Make the routes that answer without credentials."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Alive; touches nothing."""
        return {"status": "ok", "service": "gateway", "version": __version__}

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        """Ready, or 503 with the reason."""
        states = await parts.poller.look()
        waiting = [
            f"svc-{name} is {states[name].status}"
            for name in parts.settings.required_services
            if name in states and states[name].status not in ("ready", "slow")
        ]
        body: dict[str, Any] = {
            "status": "not_ready" if waiting else "ready",
            "reason": "; ".join(waiting) or None,
            "service": "gateway",
            "version": __version__,
            "model": None,
            "device": None,
            "queue": {"running": sum(map(parts.upstreams.in_flight, states)), "waiting": 0},
        }
        return JSONResponse(body, 503 if waiting else 200, headers={"Retry-After": "2"} if waiting else None)

    @routes.get("/metrics")
    async def metrics_text() -> Response:
        """Prometheus metrics."""
        return Response(metrics.render(), media_type=metrics.content_type)

    @routes.get("/.well-known/jwks.json")
    async def jwks() -> JSONResponse:
        """The public keys with which services verify identity tokens."""
        return JSONResponse(parts.signer.jwks(), headers={"Cache-Control": "public, max-age=300"})

    @routes.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        """The API of the gateway and of every service that answers; `x-missing` names those that do not."""
        own = get_openapi(title=app.title, version=app.version, routes=app.routes)
        return with_bearer(await parts.descriptions.merged(own))

    return routes
