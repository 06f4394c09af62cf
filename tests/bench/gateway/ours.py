"""Starts our gateway as the runner does: one worker, empty data, Redis beside it, credentials checked, calls counted."""

from __future__ import annotations

from deploy import layout, redis, services
from gateway.settings import SERVICES
from tests.bench.gateway.traffic import KEY, MODEL
from tests.bench.processes import HttpServer, Processes, free_port

NAME = "gateway"


async def start(processes: Processes, service: HttpServer, name: str = NAME) -> HttpServer:
    """Start the gateway with `service` in the place of every service."""
    port = free_port()
    loaded = layout.load(str(processes.folder / f"data-{name}"))
    stack = layout.Layout(loaded.root, loaded.data_dir, env={**loaded.env, "REDIS_PORT": str(free_port())})
    told = {
        "PORT": str(port),
        "GATEWAY_PORT": str(port),
        "GATEWAY_OWNER_API_KEY": KEY,
        "GATEWAY_RATE_LIMIT": "100000000/minute",
        "REDIS_URL": _start_redis(processes, stack, name),
        "AUTH": "on",
        **{"UPSTREAM_" + service_name.replace("-", "_").upper(): service.url for service_name in SERVICES},
    }
    env = {**stack.env, **services.environment(services.GATEWAY, stack), **told}
    process = processes.start(name, services.command(services.GATEWAY, stack), env)
    url = f"http://127.0.0.1:{port}"
    await processes.until_ready(name, process, f"{url}/readyz")
    return HttpServer(NAME, url, MODEL, process, KEY)


def _start_redis(processes: Processes, stack: layout.Layout, name: str) -> str:
    """Start the Redis that `make up` brings and return its address; none: the gateway's own memory serves."""
    server = redis.server(stack)
    if server is None:
        return ""
    address = redis.url(stack)
    processes.start(f"redis-{name}", [str(server), str(redis.write_configuration(stack))], stack.env)
    return address
