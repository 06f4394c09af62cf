"""A sandbox that is a process: the calls of `base.Sandbox` over its pipe, and the watch over what it uses."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from servicekit.errors import ServiceError
from svc_code.engine import claims, usage
from svc_code.engine.base import Execution, Limits, OnOutput, StoredFile
from svc_code.engine.pipe import LOST, Answer, Pipe
from svc_code.engine.run import Run
from svc_code.errors import DiskFull, FileNameRefused, FileNotInSession, SandboxLost, SessionBusy

WATCH_S = 0.25
"""Seconds between two looks while code runs; in it a session may go over its memory."""
REST_S = 2.0
"""Seconds between two looks while none does."""
ANSWER_TIMEOUT_S = 120.0


class PipedSandbox:
    """One running sandbox. `pid` is its process 1, seen from outside. Used on one event loop."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        pid: int,
        pipe: Pipe,
        limits: Limits,
        on_close: Callable[[], None] = lambda: None,
    ):
        self._process, self._pid, self._pipe, self._limits = process, pid, pipe, limits
        self._on_close = on_close
        self._handle = os.pidfd_open(pid)
        self._run: Run | None = None
        self._base_mb = 0.0
        self._restarted = False
        self._end: asyncio.Task[None] | None = None
        self._look_now = asyncio.Event()
        self._watch = asyncio.create_task(self._watch_over())

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return self._end is None and not self._pipe.lost.is_set()

    async def ready(self) -> None:
        """Wait until the kernel answers. Raises: SandboxLost."""
        await self._pipe.ready()
        # what comes from here on counts as the code's own
        self._base_mb = (await self._used()).memory_mb

    async def execute(self, code: str, timeout_s: float, on_output: OnOutput | None = None) -> Execution:
        """Run `code` to its end or to a limit; cancelling the call stops the code.

        Raises: SandboxLost. SessionBusy.
        """
        if self._run is not None:
            raise SessionBusy("This session is running something. Wait for its end, or interrupt it.")
        run = Run(self._pipe, self._limits, on_output, await self._used())
        self._run = run
        self._look_now.set()
        try:
            done = await run.finish(code, timeout_s)
            with contextlib.suppress(SandboxLost):
                run.saw(await self._used())
                done = replace(done, usage=run.usage())
                if _left_processes(done, run):
                    await self._asked("restart", why=done.stopped)
                    done = replace(done, restarted=True)
        except asyncio.CancelledError:
            # nobody hears it now; the next execution tells
            self._restarted = self._restarted or run.restarted
            raise
        except SandboxLost:
            await self.close()
            raise
        finally:
            self._run = None
        done, self._restarted = replace(done, restarted=done.restarted or self._restarted), False
        if done.stopped == "files":
            await self.close()
        return done

    async def interrupt(self) -> bool:
        """Stop what is running; tell whether anything was."""
        if self._run is None:
            return False
        self._run.ask_to_stop("interrupted")
        return True

    async def files(self) -> list[StoredFile]:
        """List the files by name."""
        message, _ = await self._asked("files")
        return list(claims.files(message.get("files"), self._limits.max_files))

    async def read(self, name: str, offset: int) -> bytes:
        """Return the next part of a file; empty at its end. Raises: FileNotInSession."""
        _, part = await self._asked("read", name=name, offset=offset)
        return part

    async def write(self, upload: str, part: bytes, offset: int) -> None:
        """Write a part of an upload, which is no file yet. Raises: DiskFull."""
        await self._asked("write", part, upload=upload, offset=offset)

    async def finish_write(self, upload: str, name: str) -> StoredFile:
        """Make an upload the file `name`. Raises: DiskFull, FileNameRefused."""
        message, _ = await self._asked("finish", upload=upload, name=name)
        file = claims.stored(message.get("file"))
        if file is None:
            raise await self._nonsense()
        return file

    async def discard_write(self, upload: str) -> None:
        """Forget an upload."""
        await self._asked("discard", upload=upload)

    async def delete(self, name: str) -> None:
        """Delete a file. Raises: FileNotInSession."""
        await self._asked("delete", name=name)

    async def close(self) -> None:
        """End every process and forget every file; who calls again waits for the same end."""
        if self._end is None:
            self._end = asyncio.create_task(self._ended())
        await asyncio.shield(self._end)

    async def _ended(self) -> None:
        self._watch.cancel()
        with contextlib.suppress(ProcessLookupError):
            # process 1 of a PID namespace takes all others with it
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._pipe.close()
        await self._process.wait()
        os.close(self._handle)
        self._on_close()

    async def _asked(self, op: str, payload: bytes = b"", **fields: Any) -> Answer:
        """Ask and check the answer. An answer that does not come ends the sandbox."""
        try:
            message, part = await asyncio.wait_for(self._pipe.ask(op, payload, **fields), ANSWER_TIMEOUT_S)
        except (TimeoutError, SandboxLost) as exc:
            await self.close()
            raise SandboxLost(LOST) from exc
        failed = message.get("failed")
        if failed == "missing":
            raise FileNotInSession(
                f"There is no file {str(fields.get('name'))[:80]!r} in this session.", param="name"
            )
        if failed == "disk":
            raise _disk_error(message.get("errno"), str(fields.get("name", "")), self._limits)
        if failed is not None:
            raise await self._nonsense()
        return message, part

    async def _nonsense(self) -> SandboxLost:
        await self.close()
        return SandboxLost(LOST)

    async def _used(self) -> usage.Used:
        limit_mb = self._base_mb + self._limits.memory_mb
        return await asyncio.to_thread(usage.of, self._pid, limit_mb)

    async def _watch_over(self) -> None:
        """Look at what the sandbox uses, often while code runs; stop what goes over a limit.

        A sandbox that ends while nobody asks it anything is closed here.
        """
        try:
            await self._pipe.ready()
        except SandboxLost:
            return  # whoever starts it hears this too, and closes it
        resting = await self._used()
        while self.alive:
            run = self._run
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), REST_S if run is None else WATCH_S)
            self._look_now.clear()
            used = await self._used()
            over = used.memory_mb > self._base_mb + self._limits.memory_mb
            if run is not None:
                run.saw(used)
                if over:
                    run.ask_to_stop("memory")
                resting = used
            elif self._run is None and (over or used.cpu_s - resting.cpu_s > self._limits.idle_cpu_s):
                await self._restart_idle("memory" if over else "cpu")
                resting = await self._used()
        await self.close()

    async def _restart_idle(self, why: str) -> None:
        """Give a kernel that works without being asked to an end, and start a new one."""
        self._restarted = True
        with contextlib.suppress(SandboxLost):
            await self._asked("restart", why=why)


def _left_processes(done: Execution, run: Run) -> bool:
    """Tell whether stopped code ended by itself, but not the processes that it had started."""
    stopped = done.stopped in ("timeout", "interrupted") and not done.restarted
    return stopped and run.used.processes > run.started.processes


def _disk_error(number: Any, name: str, limits: Limits) -> ServiceError:
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(f"The session's disk of {limits.disk_mb} MiB is full. Delete files.")
    return FileNameRefused(
        f"{name[:80]!r} cannot be written in this session. Use another name.", param="name"
    )
