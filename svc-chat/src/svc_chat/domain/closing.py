"""The sentence that tells what code printed or drew, put together from both. Pure.

The built-in model was taught the same sentences (`miniatures.text.chat_analysis`; a test holds both equal) and gets
a third of them wrong: letters of names, lines of a long output. What is told here is the plan of the code that ran,
not of the question, and the output as it is: it is true whatever was asked.
"""

from __future__ import annotations

import re
from typing import Literal

from svc_chat.domain.table_plan import TablePlan

Language = Literal["en", "pt"]
_OF = {
    "en": {
        "mean": "The mean of {c}", "sum": "The sum of {c}", "min": "The minimum of {c}", "max": "The maximum of {c}",
        "count": "The number of values of {c}", "rows": "The number of rows", "columns": "The columns are {out}.",
        "summary": "Here is the summary:", "show": "Here are the first rows",
        "bar": "bar chart", "line": "line chart", "pie": "pie chart",
    },
    "pt": {
        "mean": "A média de {c}", "sum": "A soma de {c}", "min": "O mínimo de {c}", "max": "O máximo de {c}",
        "count": "O número de valores de {c}", "rows": "O número de linhas", "columns": "As colunas são {out}.",
        "summary": "Aqui está o resumo:", "show": "Aqui estão as primeiras linhas",
        "bar": "gráfico de barras", "line": "gráfico de linhas", "pie": "gráfico de pizza",
    },
}  # fmt: skip
_WORDS = {
    "en": {
        "by": " by {g}", "where": " where {}", "is": "is", "here": "Here is the {} of {}.",
        "none": "There are no values to compute {}.", "failed": "The code gave no result: {}",
        "printed": "The code printed:\n{}", "silent": "The code ran and printed nothing.",
    },
    "pt": {
        "by": " por {g}", "where": " onde {}", "is": "é", "here": "Aqui está o {} de {}.",
        "none": "Não há valores para calcular {}.", "failed": "O código não deu resultado: {}",
        "printed": "O código escreveu:\n{}", "silent": "O código rodou e não escreveu nada.",
    },
}  # fmt: skip


def told(plan: TablePlan, language: Language, output: str) -> str:
    """Return the sentence; lines of a longer output follow it as they are."""
    of, words, output = _OF[language], _WORDS[language], output.strip("\n")
    by = words["by"].format(g=plan.group) if plan.group else ""
    kept = plan.condition
    where = words["where"].format(f"{kept.column} {kept.sign} {kept.value}") if kept else ""
    if plan.chart:
        text = words["here"].format(of[plan.chart], f"{_charted(plan, language)}{by}{where}")
        return text.replace(" de o ", " do ", 1).replace(" de a ", " da ", 1) if language == "pt" else text
    if plan.what == "columns":
        return of["columns"].format(out=output)
    if plan.what == "summary":
        return f"{of['summary']}\n{output}"
    if plan.what == "show":
        return f"{of['show']}{where}:\n{output}"
    subject = f"{of[plan.what].format(c=plan.column)}{by}{where}"
    if output in ("", "nan"):
        return words["none"].format(_lowered(subject))
    return f"{subject}:\n{output}" if plan.group else f"{subject} {words['is']} {output}."


def printed(language: Language, output: str) -> str:
    """Return what is told of code of which no plan is known."""
    output = output.strip("\n")
    return _WORDS[language]["printed"].format(output) if output else _WORDS[language]["silent"]


def failed(language: Language, told: str) -> str:
    """Return the sentence for code that failed, with the last line of what is told of it."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return _WORDS[language]["failed"].format(lines[-1] if lines else "?")


def without_names(asked: str, plan: TablePlan | None) -> str:
    """Return a question without the plan's names and values, whose language need not be the question's."""
    if plan is None:
        return asked
    its = plan.condition
    names = [plan.column, plan.group, *((its.column, its.value) if its else ())]
    for name in sorted(filter(None, names), key=len, reverse=True):
        asked = re.sub(re.escape(name), " ", asked, flags=re.IGNORECASE)
    return asked


def _charted(plan: TablePlan, language: Language) -> str:
    if plan.what in ("sum", "show"):
        return plan.column
    return _lowered(_OF[language][plan.what].format(c=plan.column))


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]
