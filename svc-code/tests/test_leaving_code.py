"""Who leaves a stream stops the code, also before the first word of it is sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from svc_code.app import create_app
from svc_code.build import limits_of
from svc_code.engine.fake import FakeHost, FakeSandbox
from svc_code.settings import Settings

HEADERS = [(b"host", b"testserver"), (b"content-type", b"application/json")]


async def executing(host: FakeHost) -> FakeSandbox:
    """Wait until code sleeps in a sandbox."""
    async with asyncio.timeout(60):
        while True:
            for sandbox in host.started:
                if sandbox._stop is not None:
                    return sandbox
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("how", ["the connection ends", "the time is over"])
async def test_code_stops_whose_caller_has_left_before_the_stream_begins(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    settings = settings.model_copy(update={"auth": "off"})
    host = FakeHost(limits_of(settings))
    app = create_app(settings, host)
    if how == "the time is over":
        monkeypatch.setattr("svc_code.api.sessions.AT_ONCE_S", 600.0)
    sent = [{"type": "http.request", "body": json.dumps({"code": "sleep", "stream": True}).encode()}]
    beginning = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await beginning.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        beginning.set()
        await asyncio.Event().wait()

    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
             "method": "POST", "path": "/v1/sessions/t/execute", "raw_path": b"/v1/sessions/t/execute",
             "query_string": b"", "headers": HEADERS, "scheme": "http", "server": ("testserver", 80),
             "client": ("test", 1), "root_path": ""}  # fmt: skip
    async with app.router.lifespan_context(app):
        asking = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
        sandbox = await executing(host)
        if how == "the time is over":
            asking.cancel()
        async with asyncio.timeout(60):
            await asyncio.gather(asking, return_exceptions=True)
        assert sandbox.stopped_by_leaving == 1
