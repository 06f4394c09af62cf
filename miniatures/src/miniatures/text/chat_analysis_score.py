"""Run the held-out cases of data analysis on a GGUF file: is what its code yields true, and what it says of it?

`python -m miniatures.text.chat_analysis_score --model oficina-chat.gguf`. The model answers greedily through
llama-cpp-python; its code is run by pandas in a process of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from miniatures.text.analysis_cases import AnalysisCase, analysis_cases, truth, write_csv
from miniatures.text.chat_analysis import Request, answer
from miniatures.text.chat_analysis_talk import python_tool, system_text
from miniatures.text.chat_format import TOOL_CALL, TOOL_CALL_END
from miniatures.text.chat_score import Speaker
from miniatures.text.tables import with_named

HELD_OUT_SEED = 424_242
MOST_CALL_TOKENS, MOST_ANSWER_TOKENS = 260, 400
RUN_LIMIT_S = 600


@dataclass
class Analysed:
    """Right code and right sentences, by what was asked; what went wrong, for a reader."""

    total: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    right_in: Counter[str] = field(default_factory=Counter)
    total_in: Counter[str] = field(default_factory=Counter)
    told: int = 0
    wrong: list[tuple[AnalysisCase, str, str]] = field(default_factory=list)

    @property
    def share_right(self) -> float:
        """How many of the pieces of code yielded what is true."""
        return sum(self.right.values()) / max(1, sum(self.total.values()))

    @property
    def by_language(self) -> dict[str, tuple[int, int]]:
        """Right pieces of code, and all, of each language."""
        return {language: (self.right_in[language], count) for language, count in self.total_in.items()}

    def note(self, case: AnalysisCase, written: str, result: dict[str, Any], last: str) -> None:
        """Count what was written for a case, what its code gave, and the sentence about that; `last` may be empty."""
        kind, right = kind_of(case.request), is_true(case, result)
        told = right and last == answer(case.request, case.language, result["printed"])
        self.total[kind] += 1
        self.right[kind] += right
        self.total_in[case.language] += 1
        self.right_in[case.language] += right
        self.told += told
        if not told:
            self.wrong.append((case, written, last or result["error"] or result["printed"]))

    def summary(self) -> dict[str, Any]:
        """Return the scores for a card."""
        by_kind = {kind: f"{self.right[kind]}/{count}" for kind, count in sorted(self.total.items())}
        count = sum(self.total.values())
        languages = {name: f"{right}/{of}" for name, (right, of) in sorted(self.by_language.items())}
        return {
            "right": sum(self.right.values()), "told": self.told, "cases": count,
            "by_kind": by_kind, "by_language": languages,
        }  # fmt: skip


def kind_of(made: Request) -> str:
    """Name what a request asks for, as a card does."""
    if made.chart:
        return f"{made.chart} chart"
    if made.what in ("columns", "summary"):
        return "columns and summary"
    if made.what in ("rows", "show") and not made.group:
        return "count rows" if made.what == "rows" else "show rows"
    return "of a column, by group" if made.group else "of a column"


def run(path: Path, cases: list[AnalysisCase]) -> Analysed:
    """Let a model write the code, run it, let the model tell the result, and judge both."""
    speaker, found = Speaker(path), Analysed()
    asked = [_messages(case) for case in cases]
    tools = [python_tool().as_json()]
    said = [speaker.answer(messages, tools, most_tokens=MOST_CALL_TOKENS) for messages in asked]
    yielded = run_code(cases, [code_of(text) for text in said])
    for case, messages, text, result in zip(cases, asked, said, yielded, strict=True):
        messages += [{"role": "assistant", "content": text}, {"role": "tool", "content": result["printed"]}]
        right = is_true(case, result)
        last = speaker.answer(messages, tools, most_tokens=MOST_ANSWER_TOKENS) if right else ""
        found.note(case, text, result, last)
    return found


def _messages(case: AnalysisCase) -> list[dict[str, Any]]:
    files = sorted((case.request.table, *case.others), key=lambda one: one.file)
    return [
        {"role": "system", "content": system_text("", files)},
        {"role": "user", "content": with_named(case.asked, files)},
    ]


def code_of(said: str) -> str:
    """Return the code of a call as the model wrote it; empty when it wrote none."""
    body = said.split(TOOL_CALL, 1)[-1].split(TOOL_CALL_END, 1)[0]
    try:
        return str(json.loads(body)["arguments"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def run_code(cases: list[AnalysisCase], codes: list[str]) -> list[dict[str, Any]]:
    """Run each code beside its case's file; return what `analysis_runner` tells."""
    with tempfile.TemporaryDirectory() as root:
        jobs = []
        for number, (case, code) in enumerate(zip(cases, codes, strict=True)):
            folder = Path(root) / str(number)
            folder.mkdir()
            write_csv(case, folder)
            jobs.append([str(folder), code])
        done = subprocess.run(
            [sys.executable, "-m", "miniatures.text.analysis_runner"],
            input=json.dumps(jobs), capture_output=True, text=True, timeout=RUN_LIMIT_S, check=True,
        )  # fmt: skip
    return list(json.loads(done.stdout))


def is_true(case: AnalysisCase, result: dict[str, Any]) -> bool:
    """Say whether what code printed or drew is what is true of the file."""
    if result["error"]:
        return False
    try:
        return (
            _chart_is_true(case, result["charts"])
            if case.request.chart
            else _text_is_true(case, result["printed"])
        )
    except (ValueError, IndexError, KeyError):
        return False


def _chart_is_true(case: AnalysisCase, charts: list[dict[str, Any]]) -> bool:
    wanted = truth(case)
    values = list(wanted.values()) if isinstance(wanted, dict) else wanted
    if len(charts) != 1 or charts[0]["kind"] != case.request.chart:
        return False
    if case.request.chart == "pie":
        values = [value / sum(values) for value in values]
    named = not isinstance(wanted, dict) or case.request.chart == "line" or charts[0]["names"] == list(wanted)
    return named and _same(charts[0]["values"], values, 1e-4)


def _text_is_true(case: AnalysisCase, printed: str) -> bool:
    made, wanted = case.request, truth(case)
    lines = printed.strip("\n").split("\n")
    if made.what == "columns":
        return printed.strip() == ", ".join(wanted)
    if made.what == "summary":
        head, *rows = csv.reader(lines)
        means = next((row for row in rows if row[0] == "mean"), [])
        return head[1:] == list(wanted) and _same([float(cell) for cell in means[1:]], list(wanted.values()))
    if made.what == "show" and not made.group:
        head, *rows = csv.reader(lines)
        return head == [name for name, _ in made.table.columns] and _same_rows(rows, wanted)
    if made.group:
        told = dict(csv.reader(lines))
        return list(told) == list(wanted) and _same([float(n) for n in told.values()], list(wanted.values()))
    return _same([float(printed)], [wanted])


def _same_rows(told: list[list[str]], wanted: list[dict[str, Any]]) -> bool:
    cells = [list(row.values()) for row in wanted]
    return len(told) == len(cells) and all(
        one == other if isinstance(other, str) else math.isclose(float(one), other, abs_tol=0.006)
        for mine, its in zip(told, cells, strict=True)
        for one, other in zip(mine, its, strict=True)
    )


def _same(told: list[float], wanted: list[float], tolerance: float = 0.006) -> bool:
    return len(told) == len(wanted) and all(
        math.isclose(one, other, rel_tol=1e-5, abs_tol=tolerance)
        for one, other in zip(told, wanted, strict=True)
    )


def main() -> None:
    """Print the scores as JSON, and some of what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--known", action="store_true", help="words and wordings of training instead")
    parser.add_argument("--show", type=int, default=12)
    args = parser.parse_args()
    found = run(args.model, analysis_cases(args.count, args.seed, held_out=not args.known))
    for case, said, last in found.wrong[: args.show]:
        print(f"{case.asked!r}\n  of {case.request}\n  {said!r}\n  -> {last!r}")
    print(json.dumps(found.summary(), indent=1))


if __name__ == "__main__":
    main()
