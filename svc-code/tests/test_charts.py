"""What is read from figures: exactly what was plotted."""

from __future__ import annotations

import datetime
import math

import matplotlib
import numpy as np
import pandas as pd
import pytest

from svc_code.engine import claims
from svc_code.inside.charts import plotted, remember_pies

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def _series(axes) -> list[dict]:
    axes.figure.canvas.draw()
    told = {"file": "chart-1.png", "data": plotted(axes.figure)}
    chart = claims.chart(told)
    assert chart is not None
    assert chart.data == told["data"], "the service passes on what the sandbox tells"
    return chart.data["axes"][0]["series"]


def test_bars_have_their_heights_under_their_labels(axes) -> None:
    axes.bar(["North", "South", "East"], [12.5, 8, -3], label="2026")
    assert _series(axes) == [
        {"kind": "bar", "label": "2026", "x": ["North", "South", "East"], "y": [12.5, 8, -3]}
    ]


def test_bars_side_by_side_are_series_with_the_same_labels(axes) -> None:
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=["x", "y"]).plot.bar(ax=axes)
    assert [(s["label"], s["x"], s["y"]) for s in _series(axes)] == [
        ("a", ["x", "y"], [1, 2]),
        ("b", ["x", "y"], [3, 4]),
    ]


def test_bars_that_lie_have_their_lengths(axes) -> None:
    axes.barh(["a", "b"], [5, 7])
    assert _series(axes) == [{"kind": "bar", "label": "", "x": ["a", "b"], "y": [5, 7], "horizontal": True}]


def test_bars_with_error_lines_are_bars_alone(axes) -> None:
    axes.bar(["a", "b"], [5, 7], yerr=[1, 1])
    assert [series["kind"] for series in _series(axes)] == ["bar"]


def test_a_histogram_has_its_counts(axes) -> None:
    axes.hist([1, 1, 2, 5], bins=[0, 2, 4, 6])
    assert _series(axes)[0]["y"] == [2, 1, 1]


def test_lines_have_their_points_and_dates_are_told_as_dates(axes) -> None:
    days = [datetime.date(2026, 1, day) for day in (1, 2)]
    axes.plot(days, [1.5, math.nan], label="price")
    axes.axhline(3)
    assert _series(axes) == [
        {"kind": "line", "label": "price", "x": ["2026-01-01", "2026-01-02"], "y": [1.5, None]}
    ]


def test_regular_dates_of_pandas_are_told_as_dates(axes) -> None:
    months = pd.date_range("2026-01-01", periods=3, freq="MS")
    pd.Series([1, 2, 3], index=months).plot(ax=axes)
    assert _series(axes)[0]["x"] == ["2026-01", "2026-02", "2026-03"]
    assert _series(axes)[0]["y"] == [1, 2, 3]


def test_lines_over_categories_have_the_categories(axes) -> None:
    axes.plot(["jan", "feb"], [1, 2])
    assert _series(axes)[0]["x"] == ["jan", "feb"]


def test_a_pie_has_its_values(axes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(axes), "pie", type(axes).pie)  # put back afterwards
    remember_pies()
    axes.pie([30, 20, 10], labels=["a", "b", "c"])
    assert _series(axes) == [{"kind": "pie", "label": "", "x": ["a", "b", "c"], "y": [30, 20, 10]}]


def test_points_have_their_places(axes) -> None:
    axes.scatter([1, 2], [3, 4], label="p")
    assert _series(axes) == [{"kind": "scatter", "label": "p", "x": [1, 2], "y": [3, 4]}]


def test_of_many_points_the_rest_is_counted(axes) -> None:
    axes.plot(np.arange(2500), np.arange(2500))
    series = _series(axes)[0]
    assert (len(series["x"]), series["left_out"]) == (1000, 1500)


def test_titles_and_labels_are_told(axes) -> None:
    axes.figure.suptitle("All")
    axes.set(title="Sales", xlabel="region", ylabel="R$")
    told = plotted(axes.figure)
    assert told["title"] == "All"
    assert {k: told["axes"][0][k] for k in ("title", "x_label", "y_label")} == {
        "title": "Sales",
        "x_label": "region",
        "y_label": "R$",
    }
