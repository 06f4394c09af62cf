"""What of this machine the sandbox sees: the interpreter, its standard library, a few packages, the C library.

Nothing else: no shell, no other packages, no configuration, no folder of the service. Paths inside are
neutral, so that none of the machine's own is told.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = ("ipykernel", "jupyter-client", "matplotlib", "numpy", "openpyxl", "pandas")
LEFT_OUT = frozenset({"debugpy", "jedi", "parso", "setuptools", "pip"})
"""Wanted by the kernel for debugging and completion, which nobody here does; they would cost memory."""
HOME = "/oficina"
PYTHON = f"{HOME}/python/bin/python3"
PYTHON_PATH = f"{HOME}/service:{HOME}/packages"


def mounts() -> list[str]:
    """Return bubblewrap's arguments that show the interpreter and the packages, all read-only."""
    shown = [*_interpreter(), *_packages(), *_own(), *_system()]
    # folders that bubblewrap makes on the way are closed to all but its own user
    parents = {str(parent) for _, target in shown for parent in Path(target).parents} - {"/"}
    arguments = [word for parent in sorted(parents) for word in ("--dir", parent)]
    for source, target in shown:
        arguments += ["--ro-bind", str(source), target]
    for name in ("lib", "lib64"):
        link = Path("/") / name
        if link.is_symlink():
            arguments += ["--symlink", os.readlink(link), str(link)]
    return arguments


def distributions(names: tuple[str, ...] = PACKAGES) -> list[metadata.Distribution]:
    """Return the distributions `names` and all that they need on this machine."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found or name in LEFT_OUT:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if name in names:
                raise
            continue
        for line in found[name].requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                waiting.append(wanted.name)
    return list(found.values())


def _packages() -> list[tuple[Path, str]]:
    places: dict[str, Path] = {}
    for distribution in distributions():
        for file in distribution.files or ():
            first = file.parts[0]
            if first not in ("..", "__pycache__", "/") and not first.endswith(".pth"):
                places.setdefault(first, Path(str(distribution.locate_file(first))).resolve())
    return [(place, f"{HOME}/packages/{name}") for name, place in sorted(places.items()) if place.exists()]


def _interpreter() -> list[tuple[Path, str]]:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = f"{HOME}/python/lib/{version}"
    executable = Path(sys.executable).resolve()
    found = [(executable, PYTHON), (Path(sysconfig.get_path("stdlib")).resolve(), library)]
    # an interpreter that was moved is not where it was built for
    for folder in (found[1][0].parent, Path(sysconfig.get_config_var("LIBDIR") or "/nowhere")):
        if libraries := sorted(folder.glob(f"lib{version}*.so*")):
            found += [(file.resolve(), f"{HOME}/python/lib/{file.name}") for file in libraries]
            break
    return found


def _own() -> list[tuple[Path, str]]:
    root = Path(__file__).resolve().parents[1]
    inside = f"{HOME}/service/svc_code"
    return [(root / "__init__.py", f"{inside}/__init__.py"), (root / "inside", f"{inside}/inside")]


def _system() -> list[tuple[Path, str]]:
    many = sysconfig.get_config_var("MULTIARCH") or "none"
    folders = [f"/usr/lib/{many}", "/usr/lib64"]
    folders += [name for name in (f"/lib/{many}", "/lib64") if not Path(name).parts[1:2] or not _linked(name)]
    found = [(Path(name), name) for name in folders if Path(name).is_dir()]
    cache = Path("/etc/ld.so.cache")
    return [*found, (cache, str(cache))] if cache.is_file() else found


def _linked(name: str) -> bool:
    return (Path("/") / Path(name).parts[1]).is_symlink()
