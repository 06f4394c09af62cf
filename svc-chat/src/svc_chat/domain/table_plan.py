"""What the built-in model can compute with a table: a plan in a few regular words, and the one program for each.

The model was trained to write the plan as a comment in the first line and the program below it
(`miniatures.text.chat_analysis` repeats the form; a test holds both equal). So a plan tells what a program does, as
long as the program is the plan's own: `plan_of` makes sure. Knows nothing about who writes or runs it. Pure.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

MEASURES = ("mean", "sum", "min", "max", "count")
CHARTS = ("bar", "line", "pie")
SIGNS = {"=": "==", ">": ">", "<": "<"}
"""The signs of a plan, and what stands for them in code."""
SHOWN_ROWS = 8
CHART_FILE = "chart.png"
_NAME = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_PLAN = re.compile(
    rf"(?:(?P<chart>{'|'.join(CHARTS)}) chart of )?"
    rf"(?:(?P<measure>{'|'.join(MEASURES)}) of (?P<column>{_NAME})|(?P<shown>{_NAME})|(?P<what>rows|show|columns|summary))"
    rf"(?: by (?P<group>{_NAME}))?"
    rf"(?: where (?P<where>{_NAME}) (?P<sign>[=<>]) (?:(?P<text>{_NAME})|(?P<number>[-\d.]+)))?"
)


@dataclass(frozen=True)
class Condition:
    """Rows are kept whose `column` fulfils it. `value` is as a plan has it; text is compared without case."""

    column: str
    sign: str
    value: str
    is_text: bool

    @property
    def written(self) -> str:
        """The value as Python writes it."""
        return repr(self.value) if self.is_text else self.value

    @property
    def code(self) -> str:
        """The line that keeps the rows."""
        if self.is_text:
            return f"d = d[d[{self.column!r}].str.lower() == {self.written}.lower()]"
        return f"d = d[d[{self.column!r}] {SIGNS[self.sign]} {self.written}]"


@dataclass(frozen=True)
class TablePlan:
    """One thing to compute. `what` is a measure, "rows" (to count), "show", "columns" or "summary"."""

    what: str
    column: str = ""
    group: str = ""
    condition: Condition | None = None
    chart: str = ""

    @property
    def text(self) -> str:
        """The plan in words."""
        subject = self.what
        if self.column:
            subject = repr(self.column) if self.what == "show" else f"{self.what} of {self.column!r}"
        chart = f"{self.chart} chart of " if self.chart else ""
        by = f" by {self.group!r}" if self.group else ""
        its = self.condition
        return f"{chart}{subject}{by}" + (f" where {its.column!r} {its.sign} {its.written}" if its else "")

    def code(self, read: str) -> str:
        """Return the program; `read` is the expression that reads the file."""
        lines = [f"# {self.text}", "import pandas as pd", f"d = {read}"]
        if self.condition:
            lines.append(self.condition.code)
        if self.chart:
            lines.append(f"{self._series}.plot.{self.chart}().figure.savefig({CHART_FILE!r})")
        else:
            lines.append(f"print({self._printed})")
        return "\n".join(lines)

    @property
    def _series(self) -> str:
        if not self.group:
            return f"d[{self.column!r}]"
        grouped = f"d.groupby({self.group!r}, sort=False)"
        return f"{grouped}.size()" if self.what == "rows" else f"{grouped}[{self.column!r}].{self.what}()"

    @property
    def _printed(self) -> str:
        if self.group:
            rounded = ".round(2)" if self.what in MEASURES else ""
            return f"{self._series}{rounded}.to_csv(header=False)"
        if self.what in MEASURES:
            return f"round(d[{self.column!r}].{self.what}(), 2)"
        return {
            "rows": "len(d)", "columns": "', '.join(d.columns)", "summary": "d.describe().round(2).to_csv()",
            "show": f"d.head({SHOWN_ROWS}).to_csv(index=False)",
        }[self.what]  # fmt: skip


def plan_of(code: str) -> TablePlan | None:
    """Return what a program computes; None for one that is not, line for line, the program of a plan."""
    first, _, rest = code.partition("\n")
    found = _PLAN.fullmatch(first.removeprefix("# "))
    read = re.search(r"^d = (pd\.read_csv\(.*\))$", rest, re.MULTILINE)
    if found is None or read is None:
        return None
    plan = TablePlan(
        found["measure"] or found["what"] or "show",
        _unquoted(found["column"] or found["shown"]),
        _unquoted(found["group"]),
        _condition(found),
        found["chart"] or "",
    )
    return plan if _has_program(plan) and plan.code(read[1]) == code else None


def _condition(found: re.Match[str]) -> Condition | None:
    if found["where"] is None:
        return None
    text = found["text"]
    value = _unquoted(text) if text is not None else found["number"]
    return Condition(_unquoted(found["where"]), found["sign"], value, text is not None)


def _has_program(plan: TablePlan) -> bool:
    """Say whether a plan can be carried out: only rows of a kind and measures have groups, which a chart needs."""
    if plan.what in MEASURES or (plan.what == "rows" and plan.chart):
        return bool(plan.group or not plan.chart)
    return not (plan.group and plan.what != "rows") and bool(plan.chart) == bool(plan.column)


def _unquoted(written: str | None) -> str:
    return str(ast.literal_eval(written)) if written else ""
