"""`/docs`: the calls of a service as a page to try them on (Swagger UI), with all its files from here.

FastAPI's own page loads them from a CDN: it stays white without internet, and tells strangers who is reading.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from fastapi.openapi.docs import get_swagger_ui_html

PAGE = "/docs"
_SCRIPT, _STYLE = f"{PAGE}/swagger-ui-bundle.js", f"{PAGE}/swagger-ui.css"
_TYPES = {_SCRIPT: "text/javascript; charset=utf-8", _STYLE: "text/css; charset=utf-8"}
PATHS = (PAGE, _SCRIPT, _STYLE)
"""What `answer` answers, all of it without credentials."""
_NO_ICON = "data:,"
_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """Body and headers of one of `PATHS`."""

    body: bytes
    headers: dict[str, str]


@cache
def answer(path: str, title: str) -> Answer:
    """Return the page of the service called `title`, or a file of it.

    Raises: KeyError, when `path` is none of `PATHS`.
    """
    if path == PAGE:
        return _page(title)
    file = resources.files("fastapi_offline") / "static" / path.rpartition("/")[2]
    return Answer(file.read_bytes(), {"Content-Type": _TYPES[path], "Cache-Control": "max-age=3600"})


def with_bearer(document: dict[str, Any]) -> dict[str, Any]:
    """Say in an OpenAPI document that calls need a key, so that the page asks for one; returns `document`."""
    schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["key"] = {"type": "http", "scheme": "bearer", "description": "An API key (`ofi_…`) or a token."}
    document["security"] = [{"key": []}]
    return document


def _page(title: str) -> Answer:
    html = bytes(
        get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=title,
            swagger_js_url=_SCRIPT,
            swagger_css_url=_STYLE,
            swagger_favicon_url=_NO_ICON,
            swagger_ui_parameters={"persistAuthorization": False},
        ).body
    )
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in _INLINE.findall(html))
    policy = (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return Answer(html, headers)


def _digest(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode()
