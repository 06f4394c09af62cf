"""The web page: files of a folder, or the frontend's server. Open to everybody; holds no secrets."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Message

from gateway.api.exchange import Exchange
from gateway.api.proxy import Proxy
from gateway.domain.headers import page_security
from servicekit.errors import NotFound

FRONTEND = "frontend"
_FOR_EVER = b"public, max-age=31536000, immutable"


class Page:
    """Answers every path that is not the API's."""

    def __init__(self, proxy: Proxy, *, static_dir: str = "", has_server: bool = False):
        self._proxy, self._has_server = proxy, has_server
        folder = Path(static_dir) if static_dir else None
        self._files = StaticFiles(directory=folder, check_dir=False) if folder else None

    async def answer(self, x: Exchange) -> None:
        """Send the file; a path that is none gets `index.html`, as the page routes itself."""
        if self._has_server:
            await self._proxy.forward(x, FRONTEND, "", page=True)
            return
        if self._files is None:
            raise NotFound("The web page is not installed here. The API is; see /openapi.json.")
        path = x.path.lstrip("/") or "index.html"
        try:
            response = await self._files.get_response(path, x.scope)
        except HTTPException as error:
            if error.status_code != 404 or "." in path.rsplit("/", 1)[-1]:
                raise NotFound("There is no such file.") from error
            path = "index.html"
            response = await self._index(x)
        is_asset = path.startswith("assets/")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                cache = _FOR_EVER if is_asset else b"no-cache"
                headers = [(n, v) for n, v in message["headers"] if n != b"cache-control"]
                headers += [
                    (b"x-request-id", x.request_id.encode()),
                    (b"cache-control", cache),
                    *page_security(x.path),
                ]
                await x.start(message["status"], headers)
            else:
                await x.send_body(message.get("body", b""), more=message.get("more_body", False))

        await response(x.scope, x.receive, send)

    async def _index(self, x: Exchange):  # type: ignore[no-untyped-def]
        assert self._files is not None
        try:
            return await self._files.get_response("index.html", x.scope)
        except HTTPException as error:
            raise NotFound("The web page is not built yet. The API is here; see /openapi.json.") from error
