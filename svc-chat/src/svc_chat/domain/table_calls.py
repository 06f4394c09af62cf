"""Which calls the built-in model may write about tables: those of plans that name what is there.

A small model understands a question and then breaks a name off in its middle, or ends it as another one. So each
token is held to what can still become a plan over the files' own columns, with values that the question holds, and
the program below the plan to the plan's own. PICARD does so for SQL (Scholak et al. 2021, arXiv 2109.05093). Which
plan it is stays the model's choice. Knows no model. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from svc_chat.domain.analysis import PYTHON, Table, folded, places_of
from svc_chat.domain.table_plan import CHARTS, MEASURES, SIGNS, Condition, TablePlan

MOST_WORDS, MOST_VALUE_WORDS = 120, 6
"""Words of a question at which a value may begin, and words of one value."""
_SIGN_WORDS = {
    ">": r">|greater|more|above|over|larger|higher|bigger|exceeds?|maior(?:es)?|mais|acima|superior(?:es)?|passam?",
    "<": r"<|less|fewer|below|under|smaller|lower|menor(?:es)?|menos|abaixo|inferior(?:es)?",
    "=": r"=|equals?|igual|iguais",
}
"""How people say signs, right before a number; the highest of a column is said otherwise."""
_SIGNS_SAID = {
    sign: re.compile(
        rf"(?:^|(?<=\s))(?P<not>(?:not?|or|não|nem|ou)\s+)?(?:{words})(?:\s+do)?(?:\s+(?:than|to|que|a|de))?\s*$"
    )
    for sign, words in _SIGN_WORDS.items()
}
_BY = re.compile(
    r"\b(?:by|per|each|every|group\w*|split|across|according|cada|por(?! favor)|pel[oa]s?|agrup\w*|separ\w*|divid\w*|segundo|"
    r"conforme)\b",
    re.IGNORECASE,
)
"""Words that say that groups are wanted."""
_HEAD = f'{{"name": "{PYTHON}", "arguments": {{"code": "'.encode()
_NUMBER = re.compile(r"(?<![\w.,])-?\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3})*(?:(?!\1)[.,]\d+)?")
_PYTHON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_MARKS = "\"'“”‘’«».,;:!?()"

Options = Iterable[tuple[bytes, "Callable[[], Options] | None"]]
"""What may come next: a piece of a call, and what may come behind it; None is anything."""


@dataclass(frozen=True)
class TableCalls:
    """The calls that may follow a question `asked` about `tables`."""

    tables: Sequence[Table]
    asked: str

    def may_begin(self, text: bytes) -> bool:
        """Say whether a call that may be written begins with `text`; calls of other functions all may."""
        return not text.startswith(_HEAD) or _may_begin(self.codes(), text.removeprefix(_HEAD))

    def rests(self, text: bytes) -> Iterable[bytes]:
        """Yield how calls that begin with `text` go on, up to where they part; nothing is anything."""
        return _rests(self.codes(), text.removeprefix(_HEAD)) if text.startswith(_HEAD) else (b"",)

    def codes(self) -> Options:
        """Yield how the code of a call may begin."""
        for plans in self._plans:
            yield from plans.beginnings()

    @cached_property
    def _plans(self) -> Sequence[_Plans]:
        numbers = tuple((value, sign) for value, signs in numbers_in(self.asked) for sign in signs)
        return [
            _Plans(table, _groups(self.asked, table), _values(self.asked, table), numbers)
            for table in self.tables
        ]


def _groups(asked: str, table: Table) -> Sequence[str]:
    """Return the columns by which a question may want groups: those that it names, or all if it says "by" or the like."""
    names = [name for name, _ in table.columns]
    named = places_of(asked, names)
    return [name for name in names if folded(name) in named or _BY.search(asked)]


def _values(asked: str, table: Table) -> Sequence[str]:
    """Return the words of a question that may be cells: no names of columns, and no numbers if a column has such."""
    named = list(places_of(asked, [name for name, _ in table.columns]))
    has_numbers = any(kind == "number" for _, kind in table.columns)
    return [
        text
        for text in dict.fromkeys(texts_in(asked))
        if not (places_of(text, named) or (has_numbers and _NUMBER.fullmatch(text.strip(_MARKS))))
    ]


def _may_begin(options: Options, text: bytes) -> bool:
    for piece, then in options:
        if piece.startswith(text):
            return True
        if text.startswith(piece) and (then is None or _may_begin(then(), text[len(piece) :])):
            return True
    return False


def _rests(options: Options, text: bytes) -> Iterator[bytes]:
    for piece, then in options:
        if len(piece) > len(text):
            if piece.startswith(text):
                yield piece[len(text) :]
        elif text.startswith(piece):
            yield from _rests(then(), text[len(piece) :]) if then is not None else (b"",)


@dataclass(frozen=True)
class _Plans:
    """The plans over one table, piece by piece."""

    table: Table
    groups: Sequence[str]
    texts: Sequence[str]
    numbers: Sequence[tuple[str, str]]
    """The question's numbers, each with the signs that stand before it there."""

    def beginnings(self) -> Options:
        for what in ("columns", "summary"):
            plan = TablePlan(what)
            yield _json(f"# {plan.text}"), lambda plan=plan: self._end(plan)  # type: ignore[misc]
        for what in ("rows", "show"):
            plan = TablePlan(what)
            yield _json(f"# {plan.text}"), lambda plan=plan: self._behind(plan)  # type: ignore[misc]
        yield from self._measures("# ", "")
        for chart in CHARTS:
            yield _json(f"# {chart} chart of "), lambda chart=chart: self._charted(chart)  # type: ignore[misc]

    def _charted(self, chart: str) -> Options:
        yield _json("rows"), lambda: self._groups(TablePlan("rows", chart=chart))
        if len(self.table.columns) > 1:
            yield from self._measures("", chart)
        yield from self._of_columns(TablePlan("show", chart=chart))

    def _measures(self, before: str, chart: str) -> Options:
        for what in MEASURES:
            plan = TablePlan(what, chart=chart)
            yield _json(f"{before}{what} of "), lambda plan=plan: self._of_columns(plan)  # type: ignore[misc]

    def _of_columns(self, plan: TablePlan) -> Options:
        names = [name for name, kind in self.table.columns]
        numbers = [name for name, kind in self.table.columns if kind == "number"]
        for column in numbers or names:
            whole = replace(plan, column=column)
            yield _json(repr(column)), lambda whole=whole: self._behind(whole)  # type: ignore[misc]

    def _behind(self, plan: TablePlan) -> Options:
        """Yield groups and conditions; a chart of a measure has to have groups, rows that are shown have none."""
        if plan.what != "show":
            yield from self._groups(plan)
        if plan.what == "show" or not plan.chart:
            yield from self._conditions(plan)

    def _groups(self, plan: TablePlan) -> Options:
        for column in [name for name, _ in self.table.columns] if plan.chart else self.groups:
            if column != plan.column:  # a mean of each number by itself is nothing that is asked for
                whole = replace(plan, group=column)
                yield _json(f" by {column!r}"), lambda whole=whole: self._conditions(whole)  # type: ignore[misc]

    def _conditions(self, plan: TablePlan) -> Options:
        yield from self._end(plan)
        for column, kind in self.table.columns:
            if self.numbers if kind == "number" else self._values(column):
                yield (
                    _json(f" where {column!r} "),
                    lambda column=column, kind=kind: self._kept(plan, column, kind),  # type: ignore[misc]
                )

    def _kept(self, plan: TablePlan, column: str, kind: str) -> Options:
        if kind == "number":
            kept = [Condition(column, sign, number, False) for number, sign in self.numbers]
        else:
            kept = [Condition(column, "=", value, True) for value in self._values(column)]
        for condition in kept:
            whole = replace(plan, condition=condition)
            yield _json(f"{condition.sign} {condition.written}"), lambda whole=whole: self._end(whole)  # type: ignore[misc]

    def _values(self, column: str) -> Sequence[str]:
        """Return what a column may be compared with: cells that the question holds, or else some of its words."""
        return [value for name, value in self.table.said if name == column] or self.texts

    def _end(self, plan: TablePlan) -> Options:
        rest = plan.code(self.table.read).removeprefix(f"# {plan.text}")
        yield _json(rest) + b'"', None


def texts_in(asked: str) -> Iterator[str]:
    """Yield what a cell of text may be compared with: some words of a question, one after the other."""
    words = list(islice(re.finditer(r"\S+", asked), MOST_WORDS))
    for place, first in enumerate(words):
        for last in words[place : place + MOST_VALUE_WORDS]:
            value = asked[first.start() : last.end()]
            yield from (text for text in (value, value.strip(_MARKS)) if text and "\n" not in text)


def numbers_in(asked: str) -> Iterator[tuple[str, Collection[str]]]:
    """Yield the numbers of a question as Python writes them, with the signs that its words leave open.

    `1.234` may be a thousand, and `2,5` has a half.
    """
    for found in _NUMBER.finditer(asked):
        written, signs = found[0], _signs(asked[: found.start()])
        if (thousands := _THOUSANDS.fullmatch(written)) is not None:
            yield written.replace(thousands[1], "").replace(",", "."), signs
        plain = written.replace(",", ".")
        if _PYTHON_NUMBER.fullmatch(plain):
            yield plain, signs


def _signs(before: str) -> Collection[str]:
    """Return the signs that a number may have: one where the words before it say so."""
    for sign, pattern in _SIGNS_SAID.items():
        if (found := pattern.search(before.lower())) is not None:
            return SIGNS if found["not"] else sign
    return SIGNS


def _json(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()
