"""Held-out cases of data analysis: real CSV files, what is asked of them, and what is true of them.

Files, columns and cells have names that training holds back, and the wordings are other. What is true is
worked out here in plain Python, without pandas and without the code that a model writes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from miniatures.text.chat_analysis import SHOWN_ROWS, Manner, Request, ask, request
from miniatures.text.tables import Table, label, table

Row = dict[str, Any]
MISSING = {"null", "none", "nan", "na"}
"""Words that pandas takes for empty cells."""


@dataclass(frozen=True)
class AnalysisCase:
    """One request of a file: numbers in its rows are int or float."""

    language: str
    asked: str
    request: Request
    rows: tuple[Row, ...]
    others: tuple[Table, ...] = ()


def analysis_cases(count: int, seed: int, *, held_out: bool = True) -> list[AnalysisCase]:
    """Draw cases, half in each language; a fifth has a second file on offer."""
    rng = random.Random(seed)
    return [_case(rng, ("en", "pt")[number % 2], held_out) for number in range(count)]


def _case(rng: random.Random, language: str, held_out: bool) -> AnalysisCase:
    manner = Manner(language, held_out)
    its = table(rng, held_out, language if rng.random() < 0.7 else "")
    others = (table(rng, held_out, language),) if rng.random() < 0.2 else ()
    while others and (others[0].file == its.file):
        others = (table(rng, held_out, language),)
    rows = _rows(rng, its, language, held_out)
    made = request(rng, its, language, held_out)
    if made.condition:
        made = replace(made, condition=replace(made.condition, value=_value(rng, made, rows)))
    asked = ask(rng, made, manner, name_file=bool(others) or rng.random() < 0.25)
    return AnalysisCase(language, asked, made, rows, others)


def _rows(rng: random.Random, its: Table, language: str, held_out: bool) -> tuple[Row, ...]:
    labels: dict[str, list[str]] = {}
    for name in its.named("text"):
        found: dict[str, str] = {}
        while len(found) < 4:
            made = label(rng, language, held_out)
            if made.lower() not in MISSING and not made.isdigit():
                found[made.lower()] = made
        labels[name] = list(found.values())[: rng.randint(2, 4)]
    decimals = {name: rng.choice((0, 1, 2)) for name in its.named("number")}
    tops = {name: rng.choice((10, 100, 1000, 20_000)) for name in decimals}
    rows: list[Row] = []
    for _ in range(rng.randint(6, 24)):
        row: Row = {name: rng.choice(choices) for name, choices in labels.items()}
        for name, places in decimals.items():
            number = round(rng.uniform(1, tops[name]), places)
            row[name] = number if places else int(number)
        rows.append({name: row[name] for name, _ in its.columns})
    return tuple(rows)


def _value(rng: random.Random, made: Request, rows: tuple[Row, ...]) -> str:
    """Choose a value with which the condition keeps some rows."""
    condition = made.condition
    assert condition is not None
    while True:
        value = str(rng.choice(rows)[condition.column])
        if kept(replace(made, condition=replace(condition, value=value)), rows):
            return value
        if condition.sign != "equal" and len({row[condition.column] for row in rows}) == 1:
            return "0" if condition.sign == "greater" else "1000000"


def write_csv(case: AnalysisCase, folder: Path) -> Path:
    """Write a case's file as its options say that it is written."""
    options = case.request.table.options
    separator = "\t" if "'\\t'" in options else next((mark for mark in ";|" if f"'{mark}'" in options), ",")

    def cell(value: Any) -> str:
        if "decimal" not in options or isinstance(value, str):
            return str(value)
        text = f"{value:,}" if "thousands" in options else str(value)
        return text.translate(str.maketrans(",.", ".,"))

    lines = [separator.join(name for name, _ in case.request.table.columns)]
    lines += [separator.join(cell(value) for value in row.values()) for row in case.rows]
    path = folder / case.request.table.file
    encoding = "latin-1" if "latin-1" in options else "utf-8"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def kept(made: Request, rows: tuple[Row, ...]) -> list[Row]:
    """Return the rows that fulfil a request's condition."""
    its = made.condition
    if its is None:
        return list(rows)
    if its.is_text:
        return [row for row in rows if row[its.column].lower() == its.value.lower()]
    bound = float(its.value)
    compare = {"greater": lambda n: n > bound, "less": lambda n: n < bound, "equal": lambda n: n == bound}
    return [row for row in rows if compare[its.sign](row[its.column])]


def _measured(what: str, numbers: list[Any]) -> float:
    if what in ("count", "rows"):
        return len(numbers)
    if what == "mean":
        return sum(numbers) / len(numbers)
    return {"sum": sum, "min": min, "max": max}[what](numbers)  # type: ignore[operator]


def truth(case: AnalysisCase) -> Any:
    """Return what is true: a number, a mapping of groups to numbers, rows, names, or a list of points."""
    made, rows = case.request, kept(case.request, case.rows)
    if made.group:
        groups: dict[str, list[Any]] = {}
        for row in rows:
            groups.setdefault(row[made.group], []).append(row[made.column] if made.column else 1)
        return {name: _measured(made.what, numbers) for name, numbers in groups.items()}
    if made.what == "show":
        return [row[made.column] for row in rows] if made.chart else rows[:SHOWN_ROWS]
    if made.what == "columns":
        return [name for name, _ in made.table.columns]
    if made.what == "summary":
        return {name: _measured("mean", [row[name] for row in rows]) for name in made.table.named("number")}
    return _measured(made.what, [row[made.column] if made.column else 1 for row in rows])
