"""Turns the kernel's messages into what the service is told: short, plain, without paths or colours."""

from __future__ import annotations

import re
from typing import Any

ERROR_VALUE_MAX = 4000
TRACEBACK_LINES_MAX = 40
LINE_MAX = 500
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FOLDER = re.compile(r"(?:/[\w.+-]+)*/((?:packages|python3\.\d+|svc_code)/)")
"""Folders of the sandbox before the part that says which library it was."""


def error(content: dict[str, Any]) -> dict[str, Any]:
    """Return `{"name", "value", "traceback"}` of an `error` message."""
    lines: list[str] = []
    for block in content.get("traceback", ()):
        told = clean(str(block)).splitlines()
        # of a library's frame only where it is: its source is no help to who wrote the cell
        lines += told[:1] if told and told[0].startswith("File ") else told
    lines = [line for line in lines if line.strip("-")]
    if len(lines) > TRACEBACK_LINES_MAX:
        half = TRACEBACK_LINES_MAX // 2
        lines = [*lines[:half], "…", *lines[-half:]]
    return {
        "name": str(content.get("ename", ""))[:200],
        "value": clean(str(content.get("evalue", "")))[:ERROR_VALUE_MAX],
        "traceback": [line[:LINE_MAX].rstrip() for line in lines],
    }


def clean(text: str) -> str:
    """Drop colours, and the folders before the names of library files."""
    return _FOLDER.sub(lambda found: found[1].removeprefix("packages/"), _COLOUR.sub("", text))
