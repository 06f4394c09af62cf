"""Skill of data analysis: write Python that answers a question about a table, and say what came out.

Owns what can be asked (`Request`), the code for it and the sentence that tells its result. The code is short
and always put together in the same way; names are in single quotes in it and where the model is told of them,
so that they are the same tokens and can be copied.
"""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass, replace

from miniatures.text import words
from miniatures.text.chat_analysis_phrases import KNOWN, NEW
from miniatures.text.tables import Table, label, quantity

MEASURES = ("mean", "sum", "min", "max", "count")
CHARTS = ("bar", "line", "pie")
SHOWN_ROWS = 8
CHART_FILE = "chart.png"
_SIGNS = {"greater": ">", "less": "<", "equal": "="}


@dataclass(frozen=True)
class Condition:
    """Rows are kept whose `column` is greater than, less than or equal to a value; text is compared without case."""

    column: str
    sign: str
    value: str
    is_text: bool = False

    @property
    def code(self) -> str:
        """The line that filters."""
        if self.is_text:
            return f"d = d[d[{self.column!r}].str.lower() == {self.value!r}.lower()]"
        return f"d = d[d[{self.column!r}] {'==' if self.sign == 'equal' else _SIGNS[self.sign]} {self.value}]"


@dataclass(frozen=True)
class Request:
    """One thing asked of a table. `what` is a measure, "rows" (to count), "show", "columns" or "summary"."""

    table: Table
    what: str
    column: str = ""
    group: str = ""
    condition: Condition | None = None
    chart: str = ""


def code(request: Request) -> str:
    """Return the Python that answers a request.

    It opens with a comment that says what is asked: understanding a question is one step and writing code from
    that another, and a small model learns two steps sooner than their sum.
    """
    lines = [f"# {plan(request)}", "import pandas as pd", f"d = {request.table.read}"]
    if request.condition:
        lines.append(request.condition.code)
    if request.chart:
        lines.append(f"{_series(request)}.plot.{request.chart}().figure.savefig({CHART_FILE!r})")
    else:
        lines.append(f"print({_printed(request)})")
    return "\n".join(lines)


def plan(request: Request) -> str:
    """Return in a few regular words what is asked for."""
    subject = request.what
    if request.column:
        subject = repr(request.column) if request.what == "show" else f"{request.what} of {request.column!r}"
    chart = f"{request.chart} chart of " if request.chart else ""
    by = f" by {request.group!r}" if request.group else ""
    its = request.condition
    value = (repr(its.value) if its.is_text else its.value) if its else ""
    where = f" where {its.column!r} {_SIGNS[its.sign]} {value}" if its else ""
    return f"{chart}{subject}{by}{where}"


def _series(request: Request) -> str:
    """Return the expression of the values asked for, one for each group."""
    grouped = f"d.groupby({request.group!r}, sort=False)"
    if request.what == "rows":
        return f"{grouped}.size()"
    if request.what == "show":
        return f"d[{request.column!r}]"
    return f"{grouped}[{request.column!r}].{request.what}()"


def _printed(request: Request) -> str:
    what = request.what
    if request.group:
        rounded = ".round(2)" if what in MEASURES else ""
        return f"{_series(request)}{rounded}.to_csv(header=False)"
    if what in MEASURES:
        return f"round(d[{request.column!r}].{what}(), 2)"
    return {
        "rows": "len(d)", "columns": "', '.join(d.columns)", "summary": "d.describe().round(2).to_csv()",
        "show": f"d.head({SHOWN_ROWS}).to_csv(index=False)",
    }[what]  # fmt: skip


_OF = {
    "en": {
        "mean": "The mean of {c}", "sum": "The sum of {c}", "min": "The minimum of {c}", "max": "The maximum of {c}",
        "count": "The number of values of {c}", "rows": "The number of rows", "columns": "The columns are {out}.",
        "summary": "Here is the summary:", "show": "Here are the first rows", "no_rows": "There are no rows",
        "bar": "bar chart", "line": "line chart", "pie": "pie chart",
    },
    "pt": {
        "mean": "A média de {c}", "sum": "A soma de {c}", "min": "O mínimo de {c}", "max": "O máximo de {c}",
        "count": "O número de valores de {c}", "rows": "O número de linhas", "columns": "As colunas são {out}.",
        "summary": "Aqui está o resumo:", "show": "Aqui estão as primeiras linhas", "no_rows": "Não há linhas",
        "bar": "gráfico de barras", "line": "gráfico de linhas", "pie": "gráfico de pizza",
    },
}  # fmt: skip
_WORDS = {
    "en": {"by": " by {g}", "where": " where {}", "is": "is", "here": "Here is the {} of {}."},
    "pt": {"by": " por {g}", "where": " onde {}", "is": "é", "here": "Aqui está o {} de {}."},
}


def answer(request: Request, language: str, output: str) -> str:
    """Return the sentence that tells what the code printed; lines of a longer output follow it as they are."""
    of, said = _OF[language], _WORDS[language]
    output = output.strip("\n")
    by = said["by"].format(g=request.group) if request.group else ""
    kept = request.condition
    where = said["where"].format(f"{kept.column} {_SIGNS[kept.sign]} {kept.value}") if kept else ""
    if request.chart:
        text = said["here"].format(of[request.chart], f"{_charted(request, language)}{by}{where}")
        return text.replace(" de o ", " do ", 1).replace(" de a ", " da ", 1) if language == "pt" else text
    if request.what == "columns":
        return of["columns"].format(out=output)
    if request.what == "summary":
        return f"{of['summary']}\n{output}"
    if request.what == "show":
        return f"{of['show']}{where}:\n{output}"
    subject = f"{of[request.what].format(c=request.column)}{by}{where}"
    return f"{subject}:\n{output}" if request.group else f"{subject} {said['is']} {output}."


def _charted(request: Request, language: str) -> str:
    if request.what in ("sum", "show"):
        return request.column
    subject = _OF[language][request.what].format(c=request.column)
    return subject[0].lower() + subject[1:]


def request(rng: random.Random, table: Table, language: str, held_out: bool = False) -> Request:
    """Draw something that can be asked of a table."""
    numbers, texts = table.named("number"), table.named("text")
    column, group = rng.choice(numbers), rng.choice(texts)
    kind = rng.random()
    if kind < 0.06:
        return Request(table, rng.choice(("columns", "columns", "columns", "summary")))
    if kind < 0.36:
        return _chart(rng, table, column, group)
    condition = _condition(rng, table, language, held_out)
    if kind < 0.58:
        return Request(
            table, rng.choice(("rows", "rows", "show")), condition=condition if rng.random() < 0.9 else None
        )
    made = Request(table, rng.choice(MEASURES), column)
    if rng.random() < 0.5:
        made = replace(made, group=group)
        if rng.random() < 0.12:
            made = replace(made, what="rows", column="")
    return replace(made, condition=condition) if rng.random() < 0.12 else made


def _chart(rng: random.Random, table: Table, column: str, group: str) -> Request:
    chart, kind = rng.choice(CHARTS), rng.random()
    if kind < 0.7:
        return Request(
            table, rng.choice(("sum", "sum", "sum", "mean", "mean", "max", "min")), column, group, chart=chart
        )
    if kind < 0.85:
        return Request(table, "rows", group=group, chart=chart)
    return Request(table, "show", column, chart=rng.choice(("bar", "line")))


def _condition(rng: random.Random, table: Table, language: str, held_out: bool) -> Condition:
    if rng.random() < 0.35:
        return Condition(
            rng.choice(table.named("text")), "equal", label(rng, language, held_out), is_text=True
        )
    return Condition(rng.choice(table.named("number")), rng.choice(tuple(_SIGNS)), quantity(rng))


@dataclass(frozen=True)
class Manner:
    """How somebody asks: language, whether in words that training holds back, and how exactly names are written.

    Blurred, a wording has now and then a word too many: what connects the names may be anything.
    """

    language: str
    held_out: bool = False
    exact: bool = False
    is_blurred: bool = False


def ask(rng: random.Random, request: Request, manner: Manner, *, name_file: bool) -> str:
    """Put a request into words; names are now and then written as people do, the value never."""
    column = mention(rng, request.column, manner)
    group = mention(rng, request.group, manner)
    where = " " + _where(rng, request.condition, manner) if request.condition else ""
    of = " " + _phrase(rng, "of", manner).format(f=request.table.file) if name_file else ""
    by = " " + _phrase(rng, "by", manner).format(g=group) if group else ""
    w = f"{of}{where}" if rng.random() < 0.5 else f"{where}{of}"
    if request.chart:
        topic = _topic(rng, request, manner, column, group)
        by = "" if topic == group else by
        kind = _phrase(rng, request.chart, manner)
        frame = _phrase(rng, "charts", manner)
        for article in ("o", "a") if manner.language == "pt" else ():
            if topic.startswith(f"{article} "):
                frame, topic = frame.replace("de {n}", f"d{article} {{n}}"), topic.removeprefix(f"{article} ")
        return _begin(rng, frame.format(k=kind, n=f"{topic}{by}{w}"))
    if request.what in ("show", "columns", "summary") or (
        request.what == "rows" and (not group or rng.random() < 0.5)
    ):
        key = "how_many" if request.what == "rows" else request.what
        return _begin(rng, _phrase(rng, key, manner).format(w=f"{by}{w}"))
    subject = _phrase(rng, request.what, manner).format(c=column)
    return _begin(rng, _phrase(rng, "frames", manner).format(n=f"{subject}{by}{w}"))


def _topic(rng: random.Random, request: Request, manner: Manner, column: str, group: str) -> str:
    """Return what a chart is of."""
    if request.what == "rows" and rng.random() < 0.5:
        return group
    plain = request.what == "show" or (request.what == "sum" and rng.random() < 0.6)
    return _phrase(rng, "whole" if plain else request.what, manner).format(c=column)


def _phrase(rng: random.Random, key: str, manner: Manner) -> str:
    new = NEW[manner.language].get(key) if manner.held_out else None
    phrase = rng.choice(new or KNOWN[manner.language][key])
    if manner.is_blurred and key not in CHARTS and rng.random() < 0.12:
        parts = phrase.split(" ")
        parts.insert(rng.randrange(len(parts) + 1), words.common_word(rng, manner.language))
        return " ".join(parts)
    return phrase


def _where(rng: random.Random, condition: Condition, manner: Manner) -> str:
    value = condition.value
    if condition.is_text and rng.random() < 0.3:
        value = rng.choice(('"{}"', "'{}'")).format(value)
    elif not condition.is_text and manner.language == "pt" and rng.random() < 0.5:
        value = value.replace(".", ",")
    phrase = _phrase(rng, condition.sign, manner)
    return phrase.format(c=mention(rng, condition.column, manner), v=value)


def mention(rng: random.Random, name: str, manner: Manner) -> str:
    """Write a column's name as people do: most often exactly, else in other case, without accents, with spaces."""
    kind = 1.0 if manner.exact else rng.random()
    if kind < 0.04:
        return name.lower()
    if kind < 0.07:
        return name.replace("_", " ")
    if kind < 0.1:
        return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    return f"'{name}'" if name and kind < 0.12 else name


def _begin(rng: random.Random, text: str) -> str:
    text = text[0].upper() + text[1:] if rng.random() < 0.8 else text
    return text.rstrip("?.") if rng.random() < 0.12 else text
