"""Keeps every figure that code draws: as a picture in the session's folder, with what was plotted.

Installed in the kernel: a figure that is saved by the code is told under the name it was given; one that is
only shown, or left open when the code ends, is saved as `chart-N.png`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

CHART_TYPE = "application/vnd.oficina.chart+json"
"""Media type under which the kernel publishes a chart."""
ENDINGS = (".png", ".svg", ".jpg", ".jpeg", ".pdf", ".webp")
CHARTS_MAX = 20
"""Charts told of one execution."""


class Pictures:
    """The figures of one execution."""

    def __init__(self, folder: Path, publish: Any):
        self._folder, self._publish = folder, publish
        self._saved: set[int] = set()
        self._told = 0
        self._saving = False

    def install(self, shell: Any) -> None:
        """Watch matplotlib: `savefig`, `show`, and the end of each execution."""
        from matplotlib import pyplot
        from matplotlib.figure import Figure

        from svc_code.inside.charts import remember_pies

        remember_pies()
        own = Figure.savefig

        def savefig(figure: Any, fname: Any, *args: Any, **kwargs: Any) -> Any:
            done = own(figure, fname, *args, **kwargs)
            self._was_saved(figure, fname)
            return done

        def show(*_: Any, **__: Any) -> None:
            self.keep_open_ones()

        Figure.savefig = savefig  # type: ignore[method-assign,assignment]
        pyplot.show = show
        shell.events.register("pre_run_cell", lambda _: self._begin())
        shell.events.register("post_run_cell", lambda _: self.keep_open_ones())

    def keep_open_ones(self) -> None:
        """Save each open figure that was not saved, tell of it, and close all."""
        from matplotlib import pyplot

        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if id(figure) not in self._saved and figure.axes:
                # a figure that cannot be drawn must not end code that has come to its end
                with contextlib.suppress(Exception):
                    name = self._free_name()
                    self._saving = True
                    figure.savefig(self._folder / name, dpi=110, bbox_inches="tight")
                    self._saving = False
                    self._tell(figure, name)
                self._saving = False
        pyplot.close("all")
        self._saved.clear()

    def _begin(self) -> None:
        self._told = 0

    def _was_saved(self, figure: Any, fname: Any) -> None:
        if self._saving or not isinstance(fname, (str, os.PathLike)):
            return
        path = Path(os.path.abspath(fname))
        if not path.suffix:
            path = path.with_suffix(".png")
        if path.suffix.lower() in ENDINGS and path.is_relative_to(self._folder) and path.is_file():
            self._saved.add(id(figure))
            with contextlib.suppress(Exception):
                self._tell(figure, str(path.relative_to(self._folder)))

    def _tell(self, figure: Any, name: str) -> None:
        from svc_code.inside.charts import plotted

        if self._told < CHARTS_MAX:
            self._told += 1
            self._publish({CHART_TYPE: {"file": name, "data": plotted(figure)}, "text/plain": ""})

    def _free_name(self) -> str:
        number = 1
        while (self._folder / f"chart-{number}.png").exists():
            number += 1
        return f"chart-{number}.png"
