"""Turns what a sandbox says into values that can be passed on: right types, bounded, or left out."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from svc_code.engine.base import Chart, CodeError, StoredFile
from svc_code.engine.names import is_plain

TEXT_MAX = 200
POINTS_MAX = 1000
SERIES_MAX = 50
AXES_MAX = 16
KINDS = ("bar", "line", "pie", "scatter")


def files(claimed: Any, most: int) -> tuple[StoredFile, ...]:
    """Return the files of a listing."""
    found = [file for each in _list(claimed, most) if (file := stored(each)) is not None]
    return tuple(found)


def stored(claimed: Any) -> StoredFile | None:
    """Return one file, or None when it is not described as one."""
    if not isinstance(claimed, dict):
        return None
    name, size = claimed.get("name"), claimed.get("size")
    if not isinstance(name, str) or not is_plain(name) or not _whole(size):
        return None
    changed = claimed.get("changed")
    return StoredFile(name, int(size), int(changed) if _whole(changed) else 0)


def error(claimed: Any) -> CodeError | None:
    """Return the exception that ended the code."""
    if not isinstance(claimed, dict):
        return None
    lines = [line[:500] for line in _list(claimed.get("traceback"), 60) if isinstance(line, str)]
    return CodeError(_text(claimed.get("name")), _text(claimed.get("value"), 4000), tuple(lines))


def chart(claimed: Any) -> Chart | None:
    """Return a chart with its series, or None when its picture has no possible name."""
    if not isinstance(claimed, dict):
        return None
    name, told = claimed.get("file"), claimed.get("data")
    if not isinstance(name, str) or not is_plain(name) or not isinstance(told, dict):
        return None
    axes = [_axes(each) for each in _list(told.get("axes"), AXES_MAX) if isinstance(each, dict)]
    return Chart(name, {"title": _text(told.get("title")), "axes": axes})


def _axes(claimed: dict[str, Any]) -> dict[str, Any]:
    series = [_series(each) for each in _list(claimed.get("series"), SERIES_MAX) if isinstance(each, dict)]
    texts = {name: _text(claimed.get(name)) for name in ("title", "x_label", "y_label")}
    return {**texts, "series": [each for each in series if each is not None]}


def _series(claimed: dict[str, Any]) -> dict[str, Any] | None:
    if claimed.get("kind") not in KINDS:
        return None
    told: dict[str, Any] = {"kind": claimed["kind"], "label": _text(claimed.get("label"))}
    for axis in ("x", "y"):
        told[axis] = [_value(value) for value in _list(claimed.get(axis), POINTS_MAX)]
    if claimed.get("horizontal") is True:
        told["horizontal"] = True
    if _whole(claimed.get("left_out")):
        told["left_out"] = claimed["left_out"]
    return told


def _value(claimed: Any) -> float | int | str | None:
    if isinstance(claimed, str):
        return _text(claimed)
    if isinstance(claimed, bool) or not isinstance(claimed, (int, float)):
        return None
    if isinstance(claimed, int):  # JSON as it is sent holds 64 bits; a number that has more is a float
        return claimed if abs(claimed) < 2**63 else float(claimed) if abs(claimed) < 10**300 else None
    return claimed if math.isfinite(claimed) and abs(claimed) < 1e300 else None


def _list(claimed: Any, most: int) -> list[Any]:
    return claimed[:most] if isinstance(claimed, list) else []


def _text(claimed: Any, most: int = TEXT_MAX) -> str:
    """Return a text that UTF-8 can hold: half a pair of surrogates would break the answer."""
    return claimed[:most].encode("utf-8", "replace").decode() if isinstance(claimed, str) else ""


text = _text


def _whole(claimed: Any) -> TypeGuard[int]:
    return isinstance(claimed, int) and not isinstance(claimed, bool) and 0 <= claimed < 2**63
