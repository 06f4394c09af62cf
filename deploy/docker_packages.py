"""Installs what the packages of one image depend on, but not the packages themselves.

Runs while an image is built, before the sources are copied, so that a change of code does not
install everything again. Stdlib only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from deploy import torch_index

FOLDER = re.compile(r"^([^\[]+)(?:\[([^\]]*)\])?$")
NAME = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?")


def requirements(folders: list[Path]) -> list[str]:
    """Return the dependencies of the projects in `folders`, their own names resolved among themselves.

    A folder may name extras as well: `servicekit[tracing]`.
    """
    asked = [match for folder in folders if (match := FOLDER.match(str(folder)))]
    projects = {p["name"]: p for p in (_project(Path(match[1])) for match in asked)}
    found: list[str] = []
    wanted = [(name, match[2] or "") for name, match in zip(projects, asked, strict=True)]
    seen = set()
    while wanted:
        name, extras = wanted.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        optional = projects[name].get("optional-dependencies", {})
        lines = list(projects[name].get("dependencies", []))
        for extra in filter(None, extras.split(",")):
            lines += optional[extra.strip()]
        for line in lines:
            match = NAME.match(line)
            if match and match[1] in projects:
                wanted.append((match[1], match[2] or ""))
            else:
                found.append(line)
    return sorted(set(found))


def _project(folder: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    return project


def main() -> int:
    """Install into /opt/venv and return uv's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default="cpu", help="what uv's --torch-backend takes")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels built for this image")
    parser.add_argument("--python", default="/opt/venv/bin/python")
    parser.add_argument("folders", nargs="+", type=Path)
    asked = parser.parse_args()
    wanted = requirements(asked.folders)
    pins = ["-c", "constraints.txt", "--override", "overrides.txt"]
    command = ["uv", "pip", "install", "--python", asked.python, *pins, *wanted]
    links = os.environ.get("UV_FIND_LINKS", "")
    if asked.wheels and any(asked.wheels.glob("*.whl")):
        links = ",".join(filter(None, [str(asked.wheels), links]))
        command += ["--only-binary", "llama-cpp-python"]
    if any(re.match(r"(torch|accelerate|sentence-transformers)\b", line) for line in wanted):
        command += torch_index.arguments(asked.torch, links)
    env = {**os.environ, "UV_FIND_LINKS": links} if links else None
    return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
