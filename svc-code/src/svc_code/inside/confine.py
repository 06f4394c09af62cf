"""Gives up rights and sets the kernel's limits on this process and all that come from it.

The outer walls (namespaces, mounts, the filter of system calls) stand before this runs. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from dataclasses import dataclass

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
OPEN_FILES_MAX = 256
NICENESS = 10
LIBRARIES_MB = 512
"""What Python and the libraries map privately before any code has run (measured: 290 MiB)."""


@dataclass(frozen=True)
class Confinement:
    """Numbers the service gives: `uid` is None where the sandbox already runs as nobody."""

    uid: int | None
    memory_mb: int
    disk_mb: int
    max_processes: int
    max_files: int
    max_output_chars: int


def become_nobody(uid: int | None) -> None:
    """Change to `uid` if there is one, for good; end with the parent; be closed to debuggers."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None, use_errno=True)
    # the change of user left the inheritable ones: header of version 3, then effective, permitted, inheritable twice
    if libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")
    # a change of user clears the first two
    for option, value in (
        (PR_SET_PDEATHSIG, signal.SIGKILL),
        (PR_SET_DUMPABLE, 0),
        (PR_SET_NO_NEW_PRIVS, 1),
    ):
        if libc.prctl(option, int(value), 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    os.nice(NICENESS)


def limit_all(given: Confinement) -> None:
    """Limit what every process in the sandbox may use, this one too."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_MEMLOCK, 64 * 1024)
    _limit(resource.RLIMIT_MSGQUEUE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES_MAX)
    _limit(resource.RLIMIT_NPROC, given.max_processes)
    _limit(resource.RLIMIT_FSIZE, given.disk_mb * 1024 * 1024)


def limit_code(given: Confinement) -> None:
    """Limit the memory of a process that runs code: a MemoryError there, not a machine without memory."""
    _limit(resource.RLIMIT_DATA, (given.memory_mb + LIBRARIES_MB) * 1024 * 1024)
    _limit(resource.RLIMIT_AS, (2 * given.memory_mb + 2 * LIBRARIES_MB) * 1024 * 1024)


def _limit(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, most))
