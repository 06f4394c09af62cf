"""Starts sandboxes with bubblewrap, and says why none can be started here."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from servicekit.logs import log_event
from svc_code.engine import libraries, seccomp
from svc_code.engine.base import Limits
from svc_code.engine.bubblewrap import command
from svc_code.engine.pipe import Pipe
from svc_code.engine.sandbox import PipedSandbox
from svc_code.errors import SandboxLost, SandboxOff

START_TIMEOUT_S = 120.0
WARM_TIMEOUT_S = 300.0
SLOTS = 4096
WITNESSES = (
    ("pandas", "core/frame.py"),
    ("matplotlib", "pyplot.py"),
    ("ipykernel", "kernelapp.py"),
    ("jupyter_client", "client.py"),
)
"""Modules that are compiled when all are."""
MISSING = "bubblewrap is not installed. Debian, Ubuntu: sudo apt-get install bubblewrap"
NO_FILTER = "libseccomp is not installed. Debian, Ubuntu: sudo apt-get install libseccomp2"
REFUSED = (
    "bubblewrap does not start here: bubblewrap 0.8 and user namespaces are needed. Debian, Ubuntu: "
    "sudo sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 "
    '(whichever exists); in a container see "Code interpreter" in docs/operations.md'
)
log = logging.getLogger(__name__)


class BubblewrapHost:
    """Makes sandboxes with the same limits. Used on one event loop."""

    def __init__(self, bwrap: str, limits: Limits):
        self._limits = limits
        self._bwrap = shutil.which(bwrap)
        self._preparing, self._prepared = asyncio.Lock(), False
        self._listening: set[asyncio.Task[str]] = set()
        self._filter = b""
        self._shown: list[str] = []
        self._free_slots = set(range(SLOTS))
        self._problem: str | None = None if self._bwrap else MISSING

    def problem(self) -> str | None:
        """Return why no sandbox can be started here, or None."""
        return self._problem

    async def prepare(self) -> None:
        """Make the filter, find the libraries, and have them compiled once, outside of any sandbox."""
        async with self._preparing:
            if not self._prepared:
                await self._prepare()
                self._prepared = True

    async def _prepare(self) -> None:
        if self._bwrap is None:
            return
        try:
            self._filter = await asyncio.to_thread(seccomp.program)
        except seccomp.NoLibrary:
            self._problem = NO_FILTER
            return
        self._shown = await asyncio.to_thread(libraries.mounts)
        await asyncio.to_thread(_compile_libraries)

    async def start(self) -> PipedSandbox:
        """Start a sandbox and wait until its kernel answers. Raises: SandboxOff."""
        await self.prepare()
        if self._problem not in (None, REFUSED):
            raise SandboxOff(f"Code is not run here: {self._problem}.")
        slot = self._free_slots.pop()
        place = (
            contextlib.ExitStack()
        )  # given back once: who closes it a second time may find it taken by another
        place.callback(self._free_slots.add, slot)
        try:
            sandbox = await asyncio.wait_for(self._started(slot, place.close), START_TIMEOUT_S)
        except BaseException as exc:
            place.close()
            if isinstance(exc, (SandboxLost, TimeoutError, OSError)):
                self._problem = REFUSED
                raise SandboxOff(f"Code is not run here: {self._problem}.") from exc
            raise
        self._problem = None
        return sandbox

    async def _started(self, slot: int, give_back: Callable[[], None]) -> PipedSandbox:
        ours, theirs = socket.socketpair()
        read_info, write_info = os.pipe()
        try:
            process = await self._spawned(slot, theirs, write_info)
        except BaseException:
            ours.close()
            os.close(read_info)
            raise
        finally:
            theirs.close()
            os.close(write_info)
        complaint = asyncio.create_task(_last_words(process))
        self._listening.add(complaint)
        complaint.add_done_callback(self._listening.discard)
        try:
            pid = await asyncio.to_thread(_child_pid, read_info)
            reader, writer = await asyncio.open_connection(sock=ours)
            sandbox = PipedSandbox(process, pid, Pipe(reader, writer), self._limits, give_back)
            await _until_ready(sandbox)
            return sandbox
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            ours.close()
            said = await complaint
            log_event(log, "sandbox did not start", level=logging.WARNING, said=said[-400:])
            raise

    async def _spawned(self, slot: int, channel: socket.socket, info: int) -> asyncio.subprocess.Process:
        """Start bubblewrap with its end of the pipe as standard input."""
        filter_fd = seccomp.as_file(self._filter)
        try:
            words = command(
                str(self._bwrap), self._shown, self._limits, filter_fd=filter_fd, info_fd=info, slot=slot
            )
            return await asyncio.create_subprocess_exec(
                *words,
                stdin=channel.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(filter_fd, info),
                env={},
            )
        finally:
            os.close(filter_fd)


async def _until_ready(sandbox: PipedSandbox) -> None:
    try:
        await sandbox.ready()
    except BaseException:
        await sandbox.close()
        raise


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """Read what the sandbox says on stderr until it is silent for good; keep the end."""
    assert process.stderr is not None
    kept = b""
    while part := await process.stderr.read(4096):
        kept = (kept + part)[-4096:]
    return kept.decode("utf-8", "replace")


def _child_pid(handle: int) -> int:
    """Read bubblewrap's report of itself. Raises: SandboxLost, when it ended before."""
    with os.fdopen(handle, "rb") as file:
        try:
            return int(orjson.loads(file.read(65536))["child-pid"])
        except (ValueError, KeyError, TypeError) as exc:
            raise SandboxLost("The sandbox ended before it began.") from exc


def _compile_libraries() -> None:
    """Import what the sandbox imports, so that the compiled files lie beside the sources.

    Inside everything is read-only: without this each kernel would compile pandas again, for seconds.
    """
    if all(_compiled(package, module) for package, module in WITNESSES):
        return
    code = (
        "import sys; sys.dont_write_bytecode = False; from svc_code.inside.__main__ import preload; preload()"
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=WARM_TIMEOUT_S)


def _compiled(package: str, module: str) -> bool:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return False
    return Path(importlib.util.cache_from_source(str(Path(spec.origin).parent / module))).is_file()
