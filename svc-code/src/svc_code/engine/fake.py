"""A sandbox that runs nothing: it says the code back and keeps files in memory. For tests and for looking."""

from __future__ import annotations

import asyncio

from svc_code.engine.base import CodeError, Execution, Limits, OnOutput, Sandbox, StoredFile
from svc_code.errors import DiskFull, FileNotInSession

READ_PART = 64 * 1024


class FakeSandbox:
    """Answers `sleep` by waiting, `boom` by an error, `die` by ending; everything else by an echo."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._files: dict[str, bytes] = {}
        self._uploads: dict[str, bytearray] = {}
        self._stop: asyncio.Event | None = None
        self.alive = True
        self.stopped_by_leaving = 0

    async def execute(self, code: str, timeout_s: float, on_output: OnOutput | None = None) -> Execution:
        """Say the code back on stdout."""
        if on_output is not None:
            on_output("stdout", code)
        if code == "boom":
            return Execution(error=CodeError("ValueError", "boom"))
        if code == "sleep":
            return await self._sleep(timeout_s)
        if code == "die":
            self.alive = False
        return Execution(stdout=code)

    async def _sleep(self, timeout_s: float) -> Execution:
        self._stop = asyncio.Event()
        try:
            await asyncio.wait_for(self._stop.wait(), timeout_s)
        except TimeoutError:
            return Execution(stdout="sleep", stopped="timeout")
        except asyncio.CancelledError:
            self.stopped_by_leaving += 1
            raise
        finally:
            self._stop = None
        return Execution(stdout="sleep", stopped="interrupted")

    async def interrupt(self) -> bool:
        """End a `sleep`."""
        if self._stop is None:
            return False
        self._stop.set()
        return True

    async def files(self) -> list[StoredFile]:
        """List the files by name."""
        return [StoredFile(name, len(content)) for name, content in sorted(self._files.items())]

    async def read(self, name: str, offset: int) -> bytes:
        """Return the next part."""
        if name not in self._files:
            raise FileNotInSession(f"There is no file {name!r}.")
        return self._files[name][offset : offset + READ_PART]

    async def write(self, upload: str, part: bytes, offset: int) -> None:
        """Keep a part. Raises: DiskFull."""
        kept = self._uploads.setdefault(upload, bytearray())
        if offset + len(part) > self._limits.disk_mb * 1024 * 1024:
            raise DiskFull(f"The session's disk of {self._limits.disk_mb} MiB is full. Delete files.")
        kept[offset:] = part

    async def finish_write(self, upload: str, name: str) -> StoredFile:
        """Make the upload a file."""
        self._files[name] = bytes(self._uploads.pop(upload, b""))
        return StoredFile(name, len(self._files[name]))

    async def discard_write(self, upload: str) -> None:
        """Forget an upload."""
        self._uploads.pop(upload, None)

    async def delete(self, name: str) -> None:
        """Delete a file."""
        if self._files.pop(name, None) is None:
            raise FileNotInSession(f"There is no file {name!r}.")

    async def close(self) -> None:
        """Forget everything."""
        self.alive = False
        self._files.clear()


class FakeHost:
    """Starts fake sandboxes, and remembers them."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self.started: list[FakeSandbox] = []

    def problem(self) -> str | None:
        """Return None: it always starts."""
        return None

    async def prepare(self) -> None:
        """Do nothing."""

    async def start(self) -> Sandbox:
        """Start a sandbox."""
        sandbox = FakeSandbox(self._limits)
        self.started.append(sandbox)
        return sandbox
