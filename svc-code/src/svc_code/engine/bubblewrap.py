"""The command line of bubblewrap: what a sandbox is made of, for a service that is root and for one that is not.

A service that is not root makes a user namespace. Root needs none, and a process of root in a user namespace
would escape the limit on processes: there the sandbox starts with the two capabilities that change the user,
becomes a user that owns nothing, and has none left.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict

from svc_code.engine import libraries
from svc_code.engine.base import Limits
from svc_code.inside.confine import Confinement

NOBODY = 65534
FIRST_UID = 1_900_000_000
"""Above the ranges that Debian, systemd and subordinate users have; each sandbox of root has one of its own."""
TEMPORARY_MB = 64
ENVIRONMENT = {
    "HOME": "/mnt/data",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHOME": f"{libraries.HOME}/python",
    "PYTHONPATH": libraries.PYTHON_PATH,
    "LD_LIBRARY_PATH": f"{libraries.HOME}/python/lib",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "TMPDIR": "/tmp",
    "IPYTHONDIR": "/tmp/ipython",
    "JUPYTER_RUNTIME_DIR": "/tmp/kernel",
    "JUPYTER_PLATFORM_DIRS": "1",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "MPLBACKEND": "agg",
    "MALLOC_ARENA_MAX": "2",
    # one thread each: threads of a library do not survive the fork of the kernel
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_MAX_THREADS": "1",
}


OOM_SCORE = 1000
"""A machine without memory ends sandboxes first."""


def command(
    bwrap: str, shown: list[str], limits: Limits, *, filter_fd: int, info_fd: int, slot: int
) -> list[str]:
    """Return the command that starts process 1 of a sandbox; `shown` comes from `libraries.mounts`."""
    uid = FIRST_UID + slot if os.geteuid() == 0 else None
    inside = Confinement(
        uid=uid,
        memory_mb=limits.memory_mb,
        disk_mb=limits.disk_mb,
        max_processes=limits.max_processes,
        max_files=limits.max_files,
        max_output_chars=limits.max_output_chars,
    )
    python = [libraries.PYTHON, "-S", "-s", "-P", "-B", "-m", "svc_code.inside", json.dumps(asdict(inside))]
    choom = shutil.which("choom")
    return [
        *([choom, "-n", str(OOM_SCORE), "--"] if choom else []),
        bwrap,
        *_walls(root=uid is not None),
        *shown,
        *_writable(limits.disk_mb),
        *_devices(),
        "--clearenv",
        *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
        "--chdir", "/mnt/data",
        "--remount-ro", "/",
        "--seccomp", str(filter_fd),
        "--info-fd", str(info_fd),
        "--", *python,
    ]  # fmt: skip


def _walls(*, root: bool) -> list[str]:
    shared = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    whole = [*shared, "--hostname", "sandbox", "--die-with-parent", "--new-session", "--as-pid-1"]
    if root:
        return [*whole, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY), *whole, "--cap-drop", "ALL"]


def _writable(disk_mb: int) -> list[str]:
    arguments = ["--dir", "/mnt", "--dir", "/dev"]
    for folder, size_mb in (("/mnt/data", disk_mb), ("/tmp", TEMPORARY_MB)):
        arguments += ["--perms", "0777", "--size", str(size_mb * 1024 * 1024), "--tmpfs", folder]
    return [*arguments, "--symlink", "/tmp", "/dev/shm"]


def _devices() -> list[str]:
    names = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
    return [word for name in names for word in ("--dev-bind", name, name)]
