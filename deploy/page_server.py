"""Serves the built page from a folder: `python -m deploy.page_server`. Knows nothing of the API.

Paths without a file extension that are no file answer `index.html`, because the page routes itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

HASHED = "public, max-age=31536000, immutable"
"""Vite puts a hash of the content into the names below `assets/`."""
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
        "style-src 'self' 'unsafe-inline'; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    ),
}
_CSP = "content-security-policy"
WORKER = {
    **SECURITY,
    _CSP: SECURITY[_CSP].replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'"),
}
"""For the scripts of web workers, which alone may compile WebAssembly; the gateway says the same."""


def create_app(folder: Path) -> Starlette:
    """Return the application that serves `folder`."""
    root = folder.resolve()

    async def health(_: Request) -> Response:
        built = (root / "index.html").is_file()
        status = "ready" if built else "not_ready"
        reason = None if built else "the page is not built; run make up"
        return JSONResponse(
            {"status": status, "reason": reason, "service": "frontend"}, 200 if built else 503
        )

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def page(request: Request) -> Response:
        wanted = (root / request.path_params["path"]).resolve()
        if not wanted.is_relative_to(root):
            return JSONResponse({"error": {"message": "no such page", "code": "not_found"}}, 404)
        if not wanted.is_file():
            if wanted.suffix or not (root / "index.html").is_file():
                return JSONResponse({"error": {"message": "no such page", "code": "not_found"}}, 404)
            wanted = root / "index.html"
        keep = HASHED if wanted.is_relative_to(root / "assets") else "no-cache"
        security = WORKER if wanted.is_relative_to(root / "assets" / "worker") else SECURITY
        return FileResponse(wanted, headers={**security, "cache-control": keep})

    return Starlette(
        routes=[
            Route("/healthz", alive),
            Route("/readyz", health),
            Route("/{path:path}", page),
        ]
    )


def main() -> None:
    """Serve the folder that STATIC_DIR names on HOST and PORT."""
    folder = Path(os.environ.get("STATIC_DIR", "frontend/dist"))
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8007"))
    uvicorn.run(create_app(folder), host=host, port=port, log_level="warning", server_header=False)


if __name__ == "__main__":
    main()
