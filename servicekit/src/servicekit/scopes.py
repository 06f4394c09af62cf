"""Which scope an API key needs for a call: the same at the gateway and on a service's own port. Pure."""

from __future__ import annotations

SCOPES = {
    "chat": "chat",
    "image-gen": "images",
    "vision": "vision",
    "translate": "translate",
    "tts": "speech",
    "rag": "documents",
}
"""The scope of each service's calls, by its name without `svc-` (`*` is all of them)."""
_ON_OWN_PORT = {**SCOPES, "code": SCOPES["chat"]}
"""svc-code is not behind the gateway: it runs what a model writes in a chat."""
MODELS = "models"
"""The scope of loading, unloading and removing models."""
_EVERYBODYS = ("/v1/jobs", "/v1/catalogue", "/media", "/v1/models")
"""What needs no scope: everybody sees their own jobs and media alone, and which models there are."""


def needed_on_own_port(service: str, method: str, path: str) -> str:
    """Return the scope that a call of `service` (such as `svc-chat`) needs; empty: none.

    A service that is not listed needs all of them.
    """
    if any(path == prefix or path.startswith(prefix + "/") for prefix in _EVERYBODYS):
        changes_models = path.startswith("/v1/models/") and method not in ("GET", "HEAD", "OPTIONS")
        return MODELS if changes_models else ""
    return _ON_OWN_PORT.get(service.removeprefix("svc-"), "*")
