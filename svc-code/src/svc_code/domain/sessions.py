"""Sessions: a kept Python and a folder for each owner and thread, as many as there may be, until they rest too long.

Owns who may use which session and which has to go. A session is found only by its owner and its id
together: to everybody else it does not exist.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from servicekit.turns import Turns
from svc_code.domain.spares import Spares
from svc_code.engine.base import Execution, OnOutput, Sandbox, StoredFile
from svc_code.engine.names import checked
from svc_code.errors import FileNotInSession, SandboxLost, SessionBusy, SessionNotFound, TooManySessions

LOOK_S = 5.0
"""Seconds between two looks for sessions that rest too long."""
RETRY_AFTER_S = 15.0


@dataclass
class Session:
    """One kept Python. `calls` are in progress; only a session without any may be ended for others."""

    id: str
    owner: str
    sandbox: Sandbox
    created_at: float
    used_at: float
    calls: int = 0
    running: bool = False
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    """Names this life of the session: another token means that variables and files began anew."""


@dataclass(frozen=True)
class Places:
    """How many sessions there may be, and when one ends."""

    total: int
    per_owner: int
    idle_s: float
    evict_idle_s: float


class Sessions:
    """All sessions of the service. Used on one event loop."""

    def __init__(
        self,
        spares: Spares,
        turns: Turns,
        places: Places,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._spares, self._turns, self._places, self._clock = spares, turns, places, clock
        self._sessions: dict[tuple[str, str], Session] = {}
        self._opening: dict[tuple[str, str], asyncio.Task[Session]] = {}
        self._reaper: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to end sessions that rest too long."""
        self._reaper = asyncio.create_task(self._reap_forever())

    async def close(self) -> None:
        """End every session."""
        if self._reaper is not None:
            self._reaper.cancel()
        await asyncio.gather(*(self._end(session) for session in list(self._sessions.values())))
        await asyncio.gather(*self._closing, return_exceptions=True)

    def interrupt_all_after(self, seconds: float) -> None:
        """Let what runs end within `seconds`; then stop it. Called when the service is told to stop."""
        asyncio.get_running_loop().call_later(seconds, self._interrupt_all)

    def _interrupt_all(self) -> None:
        for session in self._sessions.values():
            if session.running:
                task = asyncio.create_task(session.sandbox.interrupt())
                self._closing.add(task)

    def of(self, owner: str) -> list[Session]:
        """List the sessions of an owner, the last used first."""
        own = [s for s in self._sessions.values() if s.owner == owner and s.sandbox.alive]
        return sorted(own, key=lambda session: -session.used_at)

    def find(self, owner: str, id: str) -> Session:
        """Return a session. Raises: SessionNotFound."""
        session = self._sessions.get((owner, id))
        if session is None or not session.sandbox.alive:
            raise SessionNotFound(
                f"You have no session {id[:80]!r}. Running code or uploading a file makes one."
            )
        return session

    def rests_s(self, session: Session) -> float:
        """Return for how many seconds a session was not used."""
        return 0.0 if session.calls else self._clock() - session.used_at

    async def execute(
        self, owner: str, id: str, code: str, timeout_s: float, on_output: OnOutput | None = None
    ) -> tuple[Session, Execution]:
        """Run code in a session, which is made when there is none. Cancelling the call stops the code.

        Raises: SessionBusy, TooBusy, TooManySessions, SandboxOff, SandboxLost.
        """
        there = self._sessions.get((owner, id))
        if there is not None and there.running:
            raise _busy(there)
        async with self._turns.turn():
            session = await self._open(owner, id)
            if session.running:
                raise _busy(session)
            with self._in_use(session):
                session.running = True
                try:
                    return session, await session.sandbox.execute(code, timeout_s, on_output)
                except SandboxLost:
                    await self._end(session)
                    raise
                finally:
                    session.running = False

    async def interrupt(self, owner: str, id: str) -> bool:
        """Stop what a session runs; tell whether it ran anything. Raises: SessionNotFound."""
        return await self.find(owner, id).sandbox.interrupt()

    async def end(self, owner: str, id: str) -> None:
        """End a session: its processes, variables and files. Raises: SessionNotFound."""
        await self._end(self.find(owner, id))

    async def files(self, owner: str, id: str) -> list[StoredFile]:
        """List the files of a session. Raises: SessionNotFound."""
        session = self.find(owner, id)
        with self._in_use(session):
            return await session.sandbox.files()

    async def upload(self, owner: str, id: str, name: str, parts: AsyncIterator[bytes]) -> StoredFile:
        """Store a file, whole or not at all; makes the session when there is none.

        Raises: FileNameRefused, DiskFull, TooManySessions, SandboxOff.
        """
        name = checked(name)
        session = await self._open(owner, id)
        upload, offset = secrets.token_hex(8), 0
        with self._in_use(session):
            try:
                async for part in parts:
                    await session.sandbox.write(upload, part, offset)
                    offset += len(part)
                return await session.sandbox.finish_write(upload, name)
            except BaseException:
                if session.sandbox.alive:
                    with contextlib.suppress(SandboxLost):
                        await asyncio.shield(session.sandbox.discard_write(upload))
                raise

    async def download(self, owner: str, id: str, name: str) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """Return a file and its content in parts. Raises: SessionNotFound, FileNotInSession."""
        session = self.find(owner, id)
        found = next((file for file in await self.files(owner, id) if file.name == name), None)
        if found is None:
            raise FileNotInSession(f"There is no file {name[:80]!r} in this session.", param="name")
        return found, self._parts(session, found)

    async def delete(self, owner: str, id: str, name: str) -> None:
        """Delete a file. Raises: SessionNotFound, FileNotInSession."""
        session = self.find(owner, id)
        with self._in_use(session):
            await session.sandbox.delete(checked(name))

    async def reap(self) -> None:
        """End the sessions that rest too long, and those whose sandbox ended."""
        for session in list(self._sessions.values()):
            if not session.sandbox.alive or self.rests_s(session) > self._places.idle_s:
                await self._end(session)

    async def _parts(self, session: Session, file: StoredFile) -> AsyncIterator[bytes]:
        """Give exactly `file.size` bytes, or fail: code may change the file meanwhile."""
        done = 0
        with self._in_use(session):
            while done < file.size:
                part = (await session.sandbox.read(file.name, done))[: file.size - done]
                if not part:
                    raise SandboxLost("The file became shorter while it was read.")
                done += len(part)
                yield part

    async def _open(self, owner: str, id: str) -> Session:
        """Return the session, making it once however many calls ask at the same time."""
        key = (owner, id)
        session = self._sessions.get(key)
        if session is not None and session.sandbox.alive:
            return session
        if session is not None:
            await self._end(session)
        task = self._opening.get(key)
        if task is None:
            self._make_room(owner)
            task = self._opening[key] = asyncio.create_task(self._make(owner, id))
            task.add_done_callback(lambda _: self._opening.pop(key, None))
        return await asyncio.shield(task)

    async def _make(self, owner: str, id: str) -> Session:
        sandbox = await self._spares.take()
        now = self._clock()
        session = Session(id=id, owner=owner, sandbox=sandbox, created_at=time.time(), used_at=now)
        self._sessions[(owner, id)] = session
        return session

    def _make_room(self, owner: str) -> None:
        """End the session that rests longest when there are too many. Raises: TooManySessions."""
        own = [s for s in self._sessions.values() if s.owner == owner]
        coming = [key for key in self._opening if key[0] == owner]
        if len(own) + len(coming) >= self._places.per_owner:
            self._evict(own, f"You have {len(own)} sessions, the most there may be")
        elif len(self._sessions) + len(self._opening) >= self._places.total:
            everyone = list(self._sessions.values())
            self._evict(everyone, f"There are {len(everyone)} sessions, the most there may be")

    def _evict(self, among: list[Session], complaint: str) -> None:
        resting = [s for s in among if self.rests_s(s) >= self._places.evict_idle_s]
        if not resting:
            raise TooManySessions(
                f"{complaint}, and all were used within {self._places.evict_idle_s:.0f} s. "
                "Delete one, or try again soon.",
                retry_after_s=RETRY_AFTER_S,
            )
        oldest = max(resting, key=self.rests_s)
        self._sessions.pop((oldest.owner, oldest.id), None)
        task = asyncio.create_task(oldest.sandbox.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _end(self, session: Session) -> None:
        if self._sessions.get((session.owner, session.id)) is session:
            del self._sessions[(session.owner, session.id)]
        await session.sandbox.close()

    async def _reap_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self.reap()
            self._spares.fill()

    @contextmanager
    def _in_use(self, session: Session) -> Iterator[None]:
        session.calls += 1
        try:
            yield
        finally:
            session.calls -= 1
            session.used_at = self._clock()


def _busy(session: Session) -> SessionBusy:
    return SessionBusy(
        f"The session {session.id[:80]!r} is running something. Wait for its end, or interrupt it.",
        retry_after_s=2.0,
    )
