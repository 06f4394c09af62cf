"""Fixtures of svc-code: the app with fake sandboxes, and a host that starts real ones where bubblewrap does."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import TestKeys
from svc_code.app import create_app
from svc_code.build import limits_of
from svc_code.engine.base import Limits
from svc_code.engine.fake import FakeHost
from svc_code.engine.host import BubblewrapHost
from svc_code.engine.sandbox import PipedSandbox
from svc_code.settings import Settings

SMALL = Limits(
    cpu_s=60.0,
    idle_cpu_s=3.0,
    memory_mb=300,
    disk_mb=32,
    max_files=50,
    max_processes=40,
    max_output_chars=20_000,
)


@functools.cache
def no_sandbox() -> str:
    """Return why bubblewrap cannot start here; empty when it can."""
    tool = shutil.which("bwrap")
    if tool is None:
        return "bubblewrap is not installed"
    walls = ["--unshare-user-try", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/"]
    walls += ["--perms", "0777", "--size", "1048576", "--tmpfs", "/tmp"]
    done = subprocess.run([tool, *walls, "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else f"bubblewrap does not start: {done.stderr.decode()[:200]}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path, allowed_hosts=("testserver",), max_sessions_per_owner=2, max_sessions=3, disk_mb=4
    )


@pytest.fixture
def keys() -> TestKeys:
    return TestKeys()


@pytest.fixture
def host(settings: Settings) -> FakeHost:
    return FakeHost(limits_of(settings))


@pytest.fixture
def client(settings: Settings, keys: TestKeys, host: FakeHost) -> Iterator[TestClient]:
    with TestClient(create_app(settings, host, keys.authenticator(settings))) as client:
        yield client


@pytest.fixture(scope="session")
def small() -> Limits:
    """Limits that are reached quickly; skips where no sandbox can be started."""
    if no_sandbox():
        pytest.skip(no_sandbox())
    return SMALL


@pytest.fixture
async def real_host(small: Limits) -> BubblewrapHost:
    """Starts sandboxes with small limits."""
    made = BubblewrapHost("bwrap", small)
    await made.prepare()
    return made


@pytest.fixture
async def sandbox(real_host: BubblewrapHost) -> AsyncIterator[PipedSandbox]:
    """One sandbox of one test."""
    made = await real_host.start()
    yield made
    await made.close()
