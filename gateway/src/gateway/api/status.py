"""How the whole installation is, truthfully and in less than half a second."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import psutil
from fastapi import APIRouter, Depends

from gateway.parts import Parts
from servicekit import __version__
from servicekit.auth import Identity, identity_of


def upstreams(parts: Parts, service: str) -> list[dict[str, Any]]:
    """Tell of each URL of a service, in the order of the settings, without naming it."""
    return [
        {"circuit": endpoint.state, "ready": endpoint.ready, "in_flight": endpoint.in_flight}
        for endpoint in parts.upstreams.endpoints[service]
    ]


def router(parts: Parts) -> APIRouter:
    """Make the routes under `/api` that tell of health and models."""
    routes = APIRouter(prefix="/api", tags=["status"])

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Say that the gateway is alive."""
        return {"status": "healthy", "timestamp": datetime.now(UTC).isoformat(), "version": __version__}

    @routes.get("/status")
    async def status() -> dict[str, Any]:
        """Tell how every service is now."""
        states, gpu = await asyncio.gather(parts.poller.look(), parts.graphics.usage())
        return {
            "ollama_status": "connected" if states["chat"].status in ("ready", "slow") else "disconnected",
            "stable_diffusion_status": "loaded"
            if states["image-gen"].status in ("ready", "slow")
            else "not_loaded",
            "system_info": {
                "cpu_usage": psutil.cpu_percent(interval=None),
                "memory_usage": psutil.virtual_memory().percent,
                "gpu_usage": gpu,
            },
            "memory": parts.memory.public(),
            "services": {
                name: state.public() | {"upstreams": upstreams(parts, name)} for name, state in states.items()
            },
        }

    @routes.get("/models")
    async def model_names(caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """List the names of all installed models and aliases."""
        return {"models": [entry["id"] for entry in (await parts.catalogue.models(caller)).entries]}

    @routes.get("/models/detailed")
    async def model_details(caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """List all installed models with task, licence and size."""
        return {"models": (await parts.catalogue.models(caller)).entries}

    return routes
