"""What the rows share: the programs that run, started when a row first needs them, and the options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp

from tests.bench.chat import ours, peers
from tests.bench.chat.client import Outcome, ask_all
from tests.bench.chat.prompts import Conversation, Sampling, question
from tests.bench.processes import HttpServer, Processes

OURS = ours.NAME
CONTENDERS = (OURS, peers.LLAMA_CPP_PYTHON, peers.LLAMA_SERVER, peers.RAW_LOOP)


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    rounds: int = 3
    answer_tokens: int = 64
    prompt_tokens: int = 100
    history_tokens: int = 1500
    contenders: tuple[str, ...] = CONTENDERS
    threads: int = 2
    llama_server: str = ""
    """Path of llama.cpp's binary; empty: it does not take part."""


class Contender(Protocol):
    """Whatever answers several conversations at once."""

    @property
    def name(self) -> str:
        """As the table calls it."""
        ...

    async def answer_all(self, conversations: Sequence[Conversation], sampling: Sampling) -> Outcome:
        """Answer all of them and say how fast."""
        ...


@dataclass(frozen=True)
class OverHttp:
    """A server, asked by HTTP."""

    client: aiohttp.ClientSession
    server: HttpServer

    @property
    def name(self) -> str:
        """The server's."""
        return self.server.name

    async def answer_all(self, conversations: Sequence[Conversation], sampling: Sampling) -> Outcome:
        """Answer all of them and say how fast."""
        return await ask_all(self.client, self.server, conversations, sampling)


class Bench:
    """The running programs of one run."""

    def __init__(
        self, options: Options, processes: Processes, client: aiohttp.ClientSession, cache: Path, model: Path
    ):
        self.options, self.client, self._processes = options, client, processes
        self._cache, self._model = cache, model
        self._keys = ours.KeyServer(processes)
        self._servers: dict[str, HttpServer] = {}
        self._contenders: dict[str, Contender] = {}

    async def chat(self) -> HttpServer:
        """Return our svc-chat."""
        return await self._server(OURS)

    async def images(self) -> HttpServer:
        """Return our svc-image-gen."""
        if "images" not in self._servers:
            self._servers["images"] = await ours.start_images(self._processes, self._keys)
        return self._servers["images"]

    async def http_servers(self, *names: str) -> list[HttpServer]:
        """Return those of `names` that take part in this run."""
        return [await self._server(name) for name in names if name in self._taking_part()]

    async def contenders(self) -> list[Contender]:
        """Return all that take part, each warmed up by one short answer."""
        for name in self._taking_part():
            if name not in self._contenders:
                contender = await self._contender(name)
                await contender.answer_all([question(16, "warm", name)], Sampling(0.0, 4))
                self._contenders[name] = contender
        return list(self._contenders.values())

    def _taking_part(self) -> list[str]:
        absent = "" if self.options.llama_server else peers.LLAMA_SERVER
        return [name for name in self.options.contenders if name != absent]

    async def _contender(self, name: str) -> Contender:
        if name == peers.RAW_LOOP:
            return await peers.start_raw_loop(self._processes, self._model, self.options.threads)
        return OverHttp(self.client, await self._server(name))

    async def _server(self, name: str) -> HttpServer:
        if name not in self._servers:
            self._servers[name] = await self._start(name)
        return self._servers[name]

    async def _start(self, name: str) -> HttpServer:
        threads = self.options.threads
        if name == OURS:
            return await ours.start_chat(self._processes, self._keys, self._model, threads)
        if name == peers.LLAMA_SERVER:
            binary = Path(self.options.llama_server)
            return await peers.start_llama_server(self._processes, binary, self._model, threads)
        return await peers.start_llama_cpp_python(self._processes, self._cache, self._model, threads)
