"""The filter of system calls, made by libseccomp: a list of what is allowed, everything else is refused.

What is refused answers EPERM; `clone3`, whose flags a filter cannot see, answers ENOSYS, and the C library
then uses `clone`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import tempfile
from pathlib import Path

LIST = Path(__file__).parent / "syscalls.txt"
NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET together."""
IOCTLS = {
    "TCGETS": 0x5401,
    "TIOCGWINSZ": 0x5413,
    "FIONREAD": 0x541B,
    "FIONBIO": 0x5421,
    "FIONCLEX": 0x5450,
    "FIOCLEX": 0x5451,
}


class NoLibrary(Exception):
    """libseccomp is not on this machine."""


def allowed() -> list[str]:
    """Return the names in `syscalls.txt`."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return [name for line in lines if not line.startswith("#") for name in line.split()]


def program() -> bytes:
    """Return the filter as a BPF program for this machine. Raises: NoLibrary."""
    try:
        import pyseccomp as lib
    except (ImportError, OSError, RuntimeError) as exc:
        raise NoLibrary("libseccomp") from exc
    made = lib.SyscallFilter(lib.ERRNO(errno.EPERM))
    for name in allowed():
        # a name of another processor, or newer than the library
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            made.add_rule(lib.ALLOW, name)
    made.add_rule(lib.ALLOW, "clone", lib.Arg(0, lib.MASKED_EQ, NEW_NAMESPACES, 0))
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        made.add_rule(lib.ERRNO(errno.ENOSYS), "clone3")
    for name in ("socket", "socketpair"):
        # AF_VSOCK, AF_NETLINK and AF_ALG reach outside a network namespace
        made.add_rule(lib.ALLOW, name, lib.Arg(0, lib.EQ, int(socket.AF_UNIX)))
    for number in IOCTLS.values():
        made.add_rule(lib.ALLOW, "ioctl", lib.Arg(1, lib.EQ, number))
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


def as_file(content: bytes) -> int:
    """Return a descriptor of a file in memory that holds `content`; the caller closes it."""
    handle = os.memfd_create("filter", 0)
    os.write(handle, content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
