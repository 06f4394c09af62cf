"""Decides who answers a path: a service, the gateway itself, or the web page.

Owns the table of prefixes. Pure: knows nothing of HTTP connections, users or models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from servicekit.scopes import MODELS, SCOPES


class Kind(Enum):
    """Who answers."""

    OWN = "own"
    SERVICE = "service"
    MODEL = "model"
    """The service that has the model named in the path."""
    PAGE = "page"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. `name` is the bounded label for metrics and logs."""

    kind: Kind
    name: str
    service: str = ""
    scope: str = ""
    open: bool = False
    heavy: bool = False
    cached: bool = False
    keeps_keys: bool = False
    """Whether the service itself makes a call once for each `Idempotency-Key`."""


_PREFIXES: dict[str, tuple[str, ...]] = {
    "chat": (
        "/v1/chat", "/v1/completions", "/v1/responses", "/v1/conversations", "/v1/assistants",
        "/v1/threads", "/v1/files", "/v1/personas", "/v1/fine_tuning", "/chat", "/api/chat", "/train",
    ),
    "image-gen": ("/v1/images", "/api/generate-image"),
    "vision": ("/v1/vision", "/upload_image"),
    "translate": ("/v1/translations", "/translate", "/detect", "/languages"),
    "tts": ("/v1/audio", "/text-to-audio", "/audio"),
    "rag": (
        "/v1/documents", "/v1/search", "/ask/question", "/training/train", "/v1/embeddings",
        "/v1/embedder", "/v1/rerank", "/v1/vector_stores",
    ),
}  # fmt: skip

_HEAVY = (
    "/v1/images",
    "/api/generate-image",
    "/v1/documents",
    "/v1/fine_tuning",
    "/train",
    "/training/train",
)

_KEEPS_KEYS = frozenset({"/v1/images", "/api/generate-image", "/v1/documents"})
"""Calls that become jobs: the job is what the key stands for, and the service finds it again."""

_CACHED = frozenset(
    {
        "/v1/vision/captions", "/v1/vision/detections", "/v1/vision/classifications", "/v1/vision/analysis",
        "/v1/translations", "/translate", "/detect", "/v1/embeddings", "/v1/audio/speech", "/upload_image",
    }
)  # fmt: skip
"""Calls whose answer follows from their body alone. `/text-to-audio` is not one: its URL can expire."""

_DOCS = ("/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css")
OPEN = frozenset(
    {
        ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/openapi.json"),
        ("GET", "/api/health"), ("POST", "/api/memory"), ("GET", "/.well-known/jwks.json"),
        ("POST", "/auth/login"), ("POST", "/auth/link"), ("POST", "/auth/introspect"),
        ("GET", "/auth/methods"), ("GET", "/auth/oidc/login"), ("GET", "/auth/oidc/callback"),
        *(("GET", path) for path in _DOCS),
    }
)  # fmt: skip
"""The gateway's own routes that answer without credentials. The web page is open as well."""

_OWN = (
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/api/health", "/api/memory", "/api/status", "/api/models",
    "/.well-known/jwks.json", "/auth", "/v1/models", "/v1/catalogue", "/v1/jobs", "/v1/pipelines",
    *_DOCS,
)  # fmt: skip
_API_ROOTS = frozenset({"v1", "api", "auth", "media", "audio", ".well-known"})
MEDIA = "/media/{id}"
"""The route of kept pictures and sounds."""
_MEDIA = {"img": "image-gen", "aud": "tts", "upl": "vision"}
_JOB = re.compile(
    r"/v1/jobs/job_(?:svc-)?(chat|image-gen|vision|translate|tts|rag)_[A-Za-z0-9-]{8,64}(/events)?"
)
_MODEL_ACTION = re.compile(r"/v1/models/(.+?)/(load|unload)")


def _table() -> dict[str, Route]:
    table = {path: Route(Kind.OWN, path) for path in _OWN}
    for service, prefixes in _PREFIXES.items():
        for prefix in prefixes:
            table[prefix] = Route(
                Kind.SERVICE, prefix, service, SCOPES[service],
                heavy=prefix in _HEAVY, keeps_keys=prefix in _KEEPS_KEYS,
            )  # fmt: skip
    for path in _CACHED:
        service = next(s for s, ps in _PREFIXES.items() if any(_under(path, p) for p in ps))
        table[path] = Route(Kind.SERVICE, path, service, SCOPES[service], cached=True)
    return table


def _under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


_TABLE = _table()
_PAGE = Route(Kind.PAGE, "page", open=True)
_UNKNOWN = Route(Kind.UNKNOWN, "unmatched", open=False)
_MODEL = Route(Kind.MODEL, "/v1/models/{id}", scope=MODELS)
_MODEL_CALLS = frozenset({"/v1/models/install", "/v1/models/plan"})
_PIPELINE = Route(Kind.OWN, "/v1/pipelines", heavy=True)


def decide(method: str, path: str) -> Route:
    """Return the route of `path`; `method` matters for open routes and the page."""
    route = _TABLE.get(path)
    if route is None:
        route = _by_prefix(path) or _by_id(method, path)
    if route is None:
        return _page_or_unknown(method, path)
    if route.kind is Kind.OWN:
        return _own(method, path, route)
    if route.cached and method != "POST":
        return Route(route.kind, route.name, route.service, route.scope)
    if route.heavy and method in ("GET", "HEAD"):
        return Route(route.kind, route.name, route.service, route.scope)
    return route


def _by_prefix(path: str) -> Route | None:
    """Try `/a/b/c`, `/a/b`, `/a`: the longest prefix wins."""
    end = len(path)
    while (end := path.rfind("/", 0, end)) > 0:
        route = _TABLE.get(path[:end])
        if route is not None:
            return (
                Route(Kind.SERVICE, route.name, route.service, route.scope, heavy=route.heavy)
                if (route.cached)
                else route
            )
    return None


def _by_id(method: str, path: str) -> Route | None:
    if path.startswith("/media/"):
        service = _MEDIA.get(path[7:].partition("_")[0])
        return Route(Kind.SERVICE, MEDIA, service, "") if service else None
    return None


def _own(method: str, path: str, route: Route) -> Route:
    if route.name == "/v1/jobs":
        job = _JOB.fullmatch(path)
        if job:
            return Route(Kind.SERVICE, "/v1/jobs/{id}" + (job[2] or ""), job[1], "")
    if route.name == "/v1/models" and method in ("POST", "DELETE") and path not in _MODEL_CALLS:
        return _MODEL if path != "/v1/models" else route
    if route.name == "/v1/pipelines":
        return _PIPELINE
    if ("GET" if method == "HEAD" else method, path) in OPEN:
        return Route(Kind.OWN, path, open=True)
    return route


def _page_or_unknown(method: str, path: str) -> Route:
    root = path.split("/", 2)[1] if "/" in path else ""
    if method in ("GET", "HEAD") and root not in _API_ROOTS:
        return _PAGE
    return _UNKNOWN


def model_of(path: str) -> str:
    """Return the model id in `/v1/models/{id}`, `…/load` or `…/unload`; ids may hold slashes."""
    action = _MODEL_ACTION.fullmatch(path)
    return action[1] if action else path.removeprefix("/v1/models/")
