"""What the rows share: the programs that run, started when a row first needs them, and the options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.bench.gateway import nginx, ours, peers
from tests.bench.gateway.load import Wrk
from tests.bench.gateway.traffic import question, translation
from tests.bench.processes import HttpServer, Processes

OURS, DIRECT = ours.NAME, nginx.DIRECT
CONTENDERS = (OURS, nginx.NAME, peers.LITELLM, peers.FASTAPI)


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    rounds: int = 5
    seconds: float = 4.0
    """How long calls are sent to one contender in one round."""
    connections: int = 64
    streams: int = 64
    tokens: int = 300
    """Tokens of each stream."""
    contenders: tuple[str, ...] = CONTENDERS


class Bench:
    """The running programs of one run."""

    def __init__(self, options: Options, processes: Processes, cache: Path):
        self.options, self._processes, self._cache = options, processes, cache
        self._servers: dict[str, HttpServer] = {}
        self.chat = Wrk(processes.folder, "chat", question())
        self.translation = Wrk(processes.folder, "translation", translation())

    async def service(self) -> HttpServer:
        """Return the service that answers whole calls, asked without anything between."""
        return await self._server(DIRECT)

    async def gateway(self) -> HttpServer:
        """Return ours, in front of that service."""
        return await self._server(OURS)

    async def contenders(self) -> list[HttpServer]:
        """Return all that take part in this run."""
        return [await self._server(name) for name in self.options.contenders]

    async def streaming(self) -> tuple[HttpServer, HttpServer]:
        """Return the service that streams tokens, and ours in front of it."""
        return await self._server("token source"), await self._server("streaming gateway")

    async def _server(self, name: str) -> HttpServer:
        if name not in self._servers:
            self._servers[name] = await self._start(name)
        return self._servers[name]

    async def _start(self, name: str) -> HttpServer:
        if name == DIRECT:
            return await nginx.start_service(self._processes)
        if name == "token source":
            return await peers.start_token_source(self._processes)
        if name == "streaming gateway":
            return await ours.start(self._processes, await self._server("token source"), "gateway-streams")
        service = await self.service()
        if name == nginx.NAME:
            return await nginx.start_proxy(self._processes, service)
        if name == peers.LITELLM:
            return await peers.start_litellm(self._processes, service, self._cache)
        if name == peers.FASTAPI:
            return await peers.start_fastapi(self._processes, service)
        return await ours.start(self._processes, service)
