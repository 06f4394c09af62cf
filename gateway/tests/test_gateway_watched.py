"""A service that is only watched: its state is shown, nothing is forwarded to it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from aiohttp import web

from .conftest import Fake, serve_gateway


async def _ready(_: web.Request) -> web.Response:
    return web.json_response({"status": "ready", "model": "python", "queue": {"running": 1, "waiting": 0}})


async def test_a_service_on_a_unix_socket_is_shown_and_reached_by_nobody(fake: Fake, tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_get("/readyz", _ready)
    runner = web.AppRunner(app)
    await runner.setup()
    socket = tmp_path / "code.sock"
    await web.UnixSite(runner, str(socket)).start()
    try:
        async with serve_gateway(fake, tmp_path / "data", upstream_code=(f"unix:{socket}",)) as gateway:
            shown = (await (await gateway.get("/api/status")).json())["services"]["code"]
            assert (shown["status"], shown["model"]) == ("ready", "python")
            assert shown["queue"]["running"] == 1
            answer = await gateway.post("/v1/sessions/t1/execute", json={"code": "1"})
            assert answer.status == 404
            await runner.cleanup()
            shown = (await (await gateway.get("/api/status")).json())["services"]["code"]
            assert shown["status"] == "down"
            assert (await gateway.get("/readyz")).status == 200
    finally:
        await runner.cleanup()


async def test_without_it_nothing_is_shown(fake: Fake, tmp_path: Path) -> None:
    async with serve_gateway(fake, tmp_path) as gateway:
        assert "code" not in (await (await gateway.get("/api/status")).json())["services"]


async def test_the_public_keys_lie_where_a_service_without_network_reads_them(
    fake: Fake, tmp_path: Path
) -> None:
    file = tmp_path / "jwks.json"
    async with serve_gateway(fake, tmp_path / "data", jwks_file=str(file)) as gateway:
        served = await (await gateway.get("/.well-known/jwks.json")).json()
    assert json.loads(file.read_text()) == served
    assert "d" not in served["keys"][0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
