"""Runs pieces of Python, each in a folder of its own, and tells what they printed and drew.

A program: `python -m miniatures.text.analysis_runner` reads `[[folder, code], ...]` as JSON and writes
`[{"printed", "charts", "error"}, ...]`. A process of its own, because what it runs was written by a model.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402


def _drawn(figure: Any) -> list[dict[str, Any]]:
    """Return for each chart its kind and its points, with their names where they have any."""
    found = []
    for axes in figure.axes:
        wedges = [patch for patch in axes.patches if hasattr(patch, "theta1")]
        bars = [patch for patch in axes.patches if hasattr(patch, "get_height")]
        ticks = [tick.get_text() for tick in axes.get_xticklabels()]
        if wedges:
            shares = [(wedge.theta2 - wedge.theta1) / 360 for wedge in wedges]
            found.append({"kind": "pie", "values": shares, "names": [wedge.get_label() for wedge in wedges]})
        elif bars:
            found.append({"kind": "bar", "values": [float(bar.get_height()) for bar in bars], "names": ticks})
        found += [
            {"kind": "line", "values": [float(y) for y in one.get_ydata()], "names": []} for one in axes.lines
        ]
    return found


def run(folder: str, code: str) -> dict[str, Any]:
    """Run code in a folder; a chart counts when it was saved there."""
    pyplot.close("all")
    os.chdir(folder)
    printed, error = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "code", "exec"), {"__name__": "__main__"})  # noqa: S102
        except (Exception, SystemExit) as exc:
            error = f"{type(exc).__name__}: {exc}"
    saved = any(name.endswith(".png") for name in os.listdir(folder))
    charts = (
        [chart for number in pyplot.get_fignums() for chart in _drawn(pyplot.figure(number))] if saved else []
    )
    return {"printed": printed.getvalue(), "charts": charts, "error": error}


if __name__ == "__main__":
    print(json.dumps([run(folder, code) for folder, code in json.load(sys.stdin)]))
