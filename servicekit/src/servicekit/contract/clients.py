"""A service as the contract calls it, whichever framework it stands on, and the routes it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

_PLACE = re.compile(r"\{([^}:]+)(?::[^}]+)?\}|<(?:[^>:]+:)?([^>]+)>")
"""A placeholder of a path: `{id}`, `{id:path}`, `<id>`, `<path:id>`."""


class FlaskClient:
    """Gives Flask's test client the few calls of httpx that the contract uses."""

    def __init__(self, app: Any):
        self._client = app.test_client()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send one request; the answer has `status_code`, `headers`, `json()` and `text`."""
        if "content" in options:
            options["data"] = options.pop("content")
        headers = options.pop("headers", None) or {}
        pairs = headers.items() if isinstance(headers, dict) else headers
        options["headers"] = [tuple(_text(part) for part in pair) for pair in pairs]
        answer = self._client.open(path, method=method, **options)
        return httpx.Response(answer.status_code, headers=list(answer.headers.items()), content=answer.data)

    def get(self, path: str, **options: Any) -> Any:
        """Send a GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        """Send a POST."""
        return self.request("POST", path, **options)

    @property
    def app(self) -> Any:
        """The Flask app."""
        return self._client.application


def _text(part: str | bytes) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else part


def routes_of(client: Any) -> list[tuple[str, str]]:
    """Return (method, path) of every live route, with placeholders as `{name}`, each method for itself."""
    app = client.app
    if hasattr(app, "url_map"):
        rules = [(rule.methods or (), rule.rule) for rule in app.url_map.iter_rules()]
    else:
        rules = [(getattr(route, "methods", None) or (), route.path) for route in _flat(app.routes)]
    found = {
        (method, _PLACE.sub(lambda place: "{" + (place[1] or place[2]) + "}", path))
        for methods, path in rules
        for method in methods
        if method not in ("HEAD", "OPTIONS")
    }
    return sorted(found)


def places_of(path: str) -> list[str]:
    """Return the names of a path's placeholders."""
    return [place[1] for place in _PLACE.finditer(path)]


def filled(path: str, values: dict[str, str], default: str = "x1") -> str:
    """Return a path with its placeholders filled."""
    return _PLACE.sub(lambda place: values.get(place[1], default), path)


def latin(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as bytes: some hold letters that are not ASCII, as the wire allows."""
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def _flat(routes: Any) -> Iterator[Any]:
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from _flat(included.routes) if included is not None else (route,)
