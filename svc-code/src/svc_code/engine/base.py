"""What a sandbox is to the rest of the service: a kept Python with a folder of files, reached by calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Stream = Literal["stdout", "stderr"]
Stopped = Literal["timeout", "interrupted", "memory", "cpu", "files", "died"]
"""Why an execution did not come to its own end."""
OnOutput = Callable[[Stream, str], None]
"""Told of output as it comes; called on the event loop and must not block."""


@dataclass(frozen=True)
class Limits:
    """What the code of one session may use."""

    cpu_s: float
    idle_cpu_s: float
    memory_mb: int
    disk_mb: int
    max_files: int
    max_processes: int
    max_output_chars: int


@dataclass(frozen=True)
class StoredFile:
    """A regular file of a session; `name` is relative to its folder, `changed` grows when it is written."""

    name: str
    size: int
    changed: int = 0


@dataclass(frozen=True)
class CodeError:
    """The exception that ended the code."""

    name: str
    value: str
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A figure that was drawn: its picture's file name and what was plotted, read from the figure."""

    file: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Usage:
    """What an execution took; memory is the most that was seen, of all processes of the session."""

    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    memory_mb: float = 0.0


@dataclass(frozen=True)
class Execution:
    """How one execution ended. `restarted` says that the variables are gone (the files are not)."""

    stdout: str = ""
    stderr: str = ""
    result: str | None = None
    error: CodeError | None = None
    files: tuple[StoredFile, ...] = ()
    charts: tuple[Chart, ...] = ()
    stopped: Stopped | None = None
    restarted: bool = False
    truncated: bool = False
    usage: Usage = field(default_factory=Usage)


class Sandbox(Protocol):
    """One kept Python. Calls may overlap, but for `execute`, which is one at a time."""

    @property
    def alive(self) -> bool:
        """Whether it still answers."""

    async def execute(self, code: str, timeout_s: float, on_output: OnOutput | None = None) -> Execution:
        """Run `code` to its end or to a limit. Cancelling the call stops the code.

        Raises: SandboxLost, when the sandbox ended.
        """

    async def interrupt(self) -> bool:
        """Stop what is running; tell whether anything was."""

    async def files(self) -> list[StoredFile]:
        """List the files, at most `Limits.max_files`, by name."""

    async def read(self, name: str, offset: int) -> bytes:
        """Return the next part of a file; empty at its end. Raises: FileNotInSession."""

    async def write(self, upload: str, part: bytes, offset: int) -> None:
        """Write a part of an upload, which is no file yet. Raises: DiskFull."""

    async def finish_write(self, upload: str, name: str) -> StoredFile:
        """Make an upload the file `name`, replacing one that was there. Raises: DiskFull, FileNameRefused."""

    async def discard_write(self, upload: str) -> None:
        """Forget an upload."""

    async def delete(self, name: str) -> None:
        """Delete a file. Raises: FileNotInSession."""

    async def close(self) -> None:
        """End every process and forget every file. Idempotent."""


class Host(Protocol):
    """Starts sandboxes."""

    def problem(self) -> str | None:
        """Return why no sandbox can be started here, or None."""

    async def prepare(self) -> None:
        """Do what has to be done once, before the first start."""

    async def start(self) -> Sandbox:
        """Start a sandbox and wait until it answers. Raises: SandboxOff, when it does not."""
