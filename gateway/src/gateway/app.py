"""Puts the gateway together: its own routes beside the data path, behind one edge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from gateway.api import auth, errors, health, jobs, keys, memory, models, oidc, pipelines, status, users
from gateway.api.cached import CachedProxy
from gateway.api.edge import Edge
from gateway.api.gate import Gate
from gateway.api.keyed import KeyedProxy
from gateway.api.page import Page
from gateway.api.proxy import Proxy
from gateway.api.telemetry import tell
from gateway.domain.guard import Hosts, Origins
from gateway.parts import Parts, assemble
from gateway.settings import Settings
from servicekit.asgi import add_docs_page
from servicekit.metrics import Metrics
from servicekit.tracing import connect


def create_own(parts: Parts, metrics: Metrics) -> FastAPI:
    """Make the app of the gateway's own routes. Behind the edge only: it checks no credentials itself."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await parts.open()
        yield
        await parts.close()

    app = FastAPI(
        title="Oficina", version="0.1.0", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    errors.install(app)
    for module in (auth, oidc, keys, users, status, memory, models, jobs, pipelines):
        app.include_router(module.router(parts))
    app.include_router(health.router(parts, metrics, app))
    add_docs_page(app)
    return app


def create_edge(parts: Parts) -> Edge:
    """Make the ASGI app that every request enters."""
    settings, metrics, proxy = parts.settings, Metrics("gateway"), Proxy(parts.upstreams, parts.sender)
    cached = CachedProxy(
        proxy,
        parts.cache,
        ttl_s=settings.cache_ttl_s,
        max_body=settings.cache_max_body_bytes,
        edition_of=parts.poller.edition,
    )
    edge = Edge(
        own=create_own(parts, metrics),
        gate=Gate(
            parts.resolver,
            parts.limiter,
            Hosts(settings.allowed_hosts, settings.public_url),
            Origins((*settings.allowed_origins, *settings.cors_origins), settings.public_url),
            auth=settings.auth == "on",
            public_url=settings.public_url,
        ),
        proxy=proxy,
        cached=cached,
        keyed=KeyedProxy(
            proxy,
            parts.keeper,
            wait_s=settings.idempotency_wait_s,
            most_bytes=settings.idempotency_max_bytes,
        ),
        catalogue=parts.catalogue,
        page=Page(proxy, static_dir=settings.static_dir, has_server=bool(settings.upstream_frontend)),
        metrics=metrics,
        max_body_bytes=settings.max_body_bytes,
        upload_limits=settings.upload_limits,
        tracing=connect(settings.service, settings.otel_exporter_otlp_endpoint),
    )
    tell(metrics, parts, edge, cached)
    return edge


def create_app(settings: Settings | None = None) -> ASGIApp:
    """Return the gateway."""
    settings = settings or Settings()
    edge: ASGIApp = create_edge(assemble(settings))
    if not settings.cors_origins:
        return edge
    return CORSMiddleware(
        edge,
        allow_origins=list(settings.cors_origins),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["x-request-id", "x-cache", "retry-after", "x-should-retry", "location"],
    )
