"""Reads from a matplotlib figure what was plotted: the heights of bars, the points of lines, a pie's values.

Knows matplotlib's artists and nothing of files or kernels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

POINTS_MAX = 1000
"""Points told of one series; the rest is counted in `left_out`."""
SERIES_MAX = 50
AXES_MAX = 16
TEXT_MAX = 200
_VALUE = "oficina_value"


def remember_pies() -> None:
    """Have each wedge of a pie keep its value: matplotlib's axes keep only the angles."""
    from matplotlib.axes import Axes

    own = Axes.pie

    def pie(axes: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        made = own(axes, x, *args, **kwargs)
        for wedge, value in zip(made.wedges, made.values, strict=False):
            setattr(wedge, _VALUE, value)
        return made

    Axes.pie = pie  # type: ignore[method-assign,assignment]


def plotted(figure: Any) -> dict[str, Any]:
    """Return `{"title", "axes": [{"title", "x_label", "y_label", "series": [...]}]}` of a drawn figure.

    A series is `{"kind", "label", "x", "y"}`: for bars x holds the labels and y the heights (the lengths
    of `horizontal` ones), for a pie the labels and the values. Call it after the figure was saved: labels
    of ticks exist only then.
    """
    title = figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""
    return {"title": _text(title), "axes": [_axes(axes) for axes in figure.axes[:AXES_MAX]]}


def _axes(axes: Any) -> dict[str, Any]:
    series = [*_bars(axes), *_pies(axes), *_lines(axes), *_scatters(axes)]
    return {
        "title": _text(axes.get_title()),
        "x_label": _text(axes.get_xlabel()),
        "y_label": _text(axes.get_ylabel()),
        "series": series[:SERIES_MAX],
    }


def _bars(axes: Any) -> Iterable[dict[str, Any]]:
    for container in axes.containers:
        if not hasattr(container, "orientation") or not len(container):
            continue
        patches = [patch for patch in container if hasattr(patch, "get_height")]
        flat = container.orientation == "horizontal"
        axis = axes.yaxis if flat else axes.xaxis
        ends = [
            (patch.get_y(), patch.get_height()) if flat else (patch.get_x(), patch.get_width())
            for patch in patches
        ]
        values = [patch.get_width() if flat else patch.get_height() for patch in patches]
        named = _tick_names(axis)
        labels = [_name_of(start, width, named) for start, width in ends]
        yield _series("bar", container.get_label(), labels, values) | ({"horizontal": True} if flat else {})


def _pies(axes: Any) -> Iterable[dict[str, Any]]:
    wedges = [patch for patch in axes.patches if hasattr(patch, "theta1")]
    if wedges:
        # a wedge that no call of `pie` made has only its angles: its value is the share of the whole
        values = [getattr(w, _VALUE, abs(w.theta2 - w.theta1) / 360) for w in wedges]
        yield _series("pie", "", [wedge.get_label() for wedge in wedges], values)


def _lines(axes: Any) -> Iterable[dict[str, Any]]:
    inside = {id(part) for container in axes.containers for part in _parts(container)}
    for line in axes.lines:
        # a line in units of the axes is a rule (axhline, axvline), not data
        if id(line) in inside or line.get_transform() != axes.transData:
            continue
        x, y = line.get_xdata(orig=True), line.get_ydata(orig=True)
        if not hasattr(x, "__len__") or not hasattr(y, "__len__") or len(x) != len(y):
            continue
        yield _series("line", line.get_label(), _on_axis(x, axes.xaxis), _on_axis(y, axes.yaxis))


def _scatters(axes: Any) -> Iterable[dict[str, Any]]:
    for collection in axes.collections:
        if type(collection).__name__ != "PathCollection":
            continue
        points = list(collection.get_offsets())
        x, y = [point[0] for point in points], [point[1] for point in points]
        yield _series("scatter", collection.get_label(), _on_axis(x, axes.xaxis), _on_axis(y, axes.yaxis))


def _series(kind: str, label: Any, x: Any, y: Any) -> dict[str, Any]:
    shown = _text(label)
    told: dict[str, Any] = {
        "kind": kind,
        "label": "" if shown.startswith("_") else shown,
        "x": [_plain(value) for value in list(x)[:POINTS_MAX]],
        "y": [_plain(value) for value in list(y)[:POINTS_MAX]],
    }
    if len(y) > POINTS_MAX:
        told["left_out"] = len(y) - POINTS_MAX
    return told


def _parts(container: Any) -> Iterable[Any]:
    for part in container if hasattr(container, "__iter__") else ():
        yield from part if isinstance(part, tuple) else (part,)


def _tick_names(axis: Any) -> list[tuple[float, str]]:
    names = [(tick.get_loc(), tick.label1.get_text()) for tick in axis.get_major_ticks()]
    return [(float(at), name) for at, name in names if name]


def _name_of(start: float, width: float, named: list[tuple[float, str]]) -> str:
    """Name a bar after the tick within it, or the nearest within half a unit (bars side by side)."""
    middle = start + width / 2
    at, name = min(named, key=lambda tick: abs(tick[0] - middle), default=(math.inf, ""))
    if abs(at - middle) <= max(abs(width) / 2, 0.5):
        return name
    return f"{middle:.6g}"


def _on_axis(values: Any, axis: Any) -> list[Any]:
    """Give numbers of a date axis as ISO times and those of a categorical axis as its categories."""
    freq = getattr(axis.axes, "freq", None) if axis is axis.axes.xaxis else None
    if freq is not None:
        # pandas draws regular dates at the numbers of its periods
        from pandas import Period

        return [
            Period(ordinal=int(v), freq=freq) if isinstance(v, (int, float)) else v
            for v in map(_item, values)
        ]
    kind = type(axis.get_converter() if hasattr(axis, "get_converter") else axis.converter).__name__
    found = list(values)
    if "Category" in kind:
        names = {float(at): name for name, at in getattr(axis.units, "_mapping", {}).items()}
        return [names.get(value, value) if isinstance(value, (int, float)) else value for value in found]
    if "Date" in kind:
        from matplotlib import dates

        return [dates.num2date(v) if isinstance(v, (int, float)) else v for v in found]
    return found


def _item(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _plain(value: Any) -> float | int | str | None:
    if value is None or isinstance(value, str):
        return _text(value)
    if hasattr(value, "item") and getattr(value, "dtype", None) is not None and value.dtype.kind in "biuf":
        value = value.item()
    if isinstance(value, int):
        return int(value) if abs(value) < 2**53 else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "isoformat"):
        return _text(value.isoformat())
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _text(value)
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:TEXT_MAX]
