"""A PostgreSQL server of a test's own, from the programs on the PATH; skips where there are none."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port

_NOBODY = 65534


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Give the URL of an empty database of a server that ends with the block."""
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL's server is not installed")
    folder, port, as_user = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp")), free_port(), []
    if os.getuid() == 0:  # it refuses to run as root
        as_user = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        shutil.chown(folder, _NOBODY, _NOBODY)
    place = ["-D", f"{folder}/data"]

    def run(*command: str) -> int:
        done = subprocess.run(
            [*as_user, *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return done.returncode

    try:
        if run(initdb, *place, "-U", "oficina", "-A", "trust", "--no-sync"):
            pytest.skip("PostgreSQL's server cannot be set up here")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        assert run(pg_ctl, *place, "-o", options, "-l", f"{folder}/log", "-w", "-t", "300", "start") == 0
        yield f"postgresql://oficina@127.0.0.1:{port}/postgres"
    finally:
        run(pg_ctl, *place, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
