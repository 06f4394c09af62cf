"""Builds the web page when its sources changed, with the computer's Node or the one from PyPI."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from deploy import files, install, machine
from deploy.console import Stop, step
from deploy.layout import Layout

SKIPPED = {"node_modules", "dist", "test-results"}


def ensure(layout: Layout) -> None:
    """Build `frontend/dist` unless it was built from exactly these sources.

    Raises: Stop, when npm fails.
    """
    source = layout.root / "frontend"
    if not (source / "package.json").is_file():
        return
    wanted, stamp = _digest(source), layout.page / ".built-from"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    env = packages(layout)
    with step("web page"):
        _npm(["run", "--silent", "build"], source, env)
    files.write(stamp, wanted)


def packages(layout: Layout) -> dict[str, str]:
    """Install the page's packages and return the environment in which npm runs."""
    source, env = layout.root / "frontend", _with_node(layout)
    if _needs_packages(source):
        with step("packages of the page"):
            _npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"], source, env)
            files.write(source / "node_modules" / ".installed-from", _lock_digest(source))
    return env


def _with_node(layout: Layout) -> dict[str, str]:
    env = dict(layout.env)
    if (trusted := machine.certificates()) is not None:
        env.setdefault("NODE_EXTRA_CA_CERTS", str(trusted))
    if machine.node_of_machine() is None:
        with step("Node", "not found on this computer: taking it from PyPI"):
            folder = install.node_from_pypi(layout)
        env["PATH"] = f"{folder}{os.pathsep}{env.get('PATH', '')}"
    return env


def _needs_packages(source: Path) -> bool:
    stamp = source / "node_modules" / ".installed-from"
    return not stamp.is_file() or stamp.read_text() != _lock_digest(source)


def _lock_digest(source: Path) -> str:
    lock = source / "package-lock.json"
    return hashlib.sha256(lock.read_bytes() if lock.is_file() else b"").hexdigest()


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(source.rglob("*")):
        inside = file.relative_to(source)
        if SKIPPED.isdisjoint(inside.parts) and file.is_file():
            digest.update(str(inside).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _npm(arguments: list[str], source: Path, env: dict[str, str]) -> None:
    done = subprocess.run(["npm", *arguments], cwd=source, env=env, check=False)
    if done.returncode:
        raise Stop(f"npm {' '.join(arguments)} failed in {source.name}/ (status {done.returncode})")
