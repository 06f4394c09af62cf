"""Argon2id in two threads of its own, so that guesses slow nothing else down."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from servicekit.errors import TooBusy

_THREADS = 2
_WAITING = 16
_DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$b2ZpY2luYW9maWNpbmE$MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA"
"""Checked when there is no such account, so that the answer takes as long."""


class Passwords:
    """Hashes and checks passwords. OWASP's parameters of 2024: 19 MiB, 2 passes, 1 lane."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._pending = 0

    def hash_now(self, password: str) -> str:
        """Hash in this thread (start-up)."""
        return self._hasher.hash(password)

    async def hash(self, password: str) -> str:
        """Hash a new password."""
        return str(await self._run(self._hasher.hash, password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password fits; a missing account takes the same time and is False."""
        return bool(await self._run(self._check, password_hash, password))

    def _check(self, password_hash: str | None, password: str) -> bool:
        try:
            fits = self._hasher.verify(password_hash or _DUMMY, password)
        except (VerificationError, InvalidHashError):
            return False
        return fits and password_hash is not None

    async def _run(self, work: object, *args: object) -> object:
        if self._pending >= _WAITING:
            raise TooBusy(f"{_WAITING} logins are waiting already. Try again in a moment.")
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)  # type: ignore[arg-type]
        finally:
            self._pending -= 1

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
