"""Data analysis: the code that training shows is right, and what is held out is really held out."""

import json
import random
import re
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from miniatures.text import tables
from miniatures.text.analysis_cases import AnalysisCase, analysis_cases, truth, write_csv
from miniatures.text.chat_analysis import Condition, Request, answer, code, plan
from miniatures.text.chat_analysis_phrases import KNOWN, NEW
from miniatures.text.chat_analysis_score import code_of, is_true, kind_of, run_code
from miniatures.text.chat_analysis_talk import call
from miniatures.text.chat_format import TOOL_CALL
from miniatures.text.chat_world import dialogues
from svc_chat.domain import analysis as served


@pytest.fixture(scope="module")
def cases() -> list[AnalysisCase]:
    return analysis_cases(90, seed=7) + analysis_cases(30, seed=8, held_out=False)


def test_the_code_that_is_taught_yields_what_is_true(cases: list[AnalysisCase]) -> None:
    results = run_code(cases, [code(case.request) for case in cases])
    assert [
        (case, result) for case, result in zip(cases, results, strict=True) if not is_true(case, result)
    ] == []
    assert len({kind_of(case.request) for case in cases}) == 8


def test_other_code_does_not(cases: list[AnalysisCase]) -> None:
    some = [case for case in cases if case.request.what in ("min", "sum", "columns", "summary", "show")]
    changed = [
        replace(case.request, what="max" if case.request.column else "rows", condition=None) for case in some
    ]
    results = run_code(some, [code(made) for made in changed])
    wrong = [not is_true(case, result) for case, result in zip(some, results, strict=True)]
    # A group of one row has one value for all measures, and a filter may keep all rows.
    assert sum(wrong) > 0.85 * len(wrong)


def test_a_chart_of_another_kind_or_of_nothing_is_not_true(cases: list[AnalysisCase]) -> None:
    bars = [case for case in cases if case.request.chart == "bar" and case.request.what == "sum"][:4]
    lines = [code(replace(case.request, chart="line")) for case in bars]
    unsaved = [code(case.request).replace(".figure.savefig('chart.png')", "") for case in bars]
    for result in (*run_code(bars, lines), *run_code(bars, unsaved)):
        assert not is_true(bars[0], result)


def test_code_that_fails_or_is_missing_is_told_as_such(cases: list[AnalysisCase]) -> None:
    broken, missing = run_code(cases[:2], ["import pandas\nnothing", ""])
    assert broken["error"].startswith("NameError")
    assert not is_true(cases[0], broken)
    assert not is_true(cases[1], missing)
    assert code_of("I do not know.") == ""


def test_a_call_is_json_that_gives_the_code_back(cases: list[AnalysisCase]) -> None:
    assert [code_of(call(case.request)) for case in cases] == [code(case.request) for case in cases]


def test_the_sentence_tells_what_was_asked_and_the_value() -> None:
    table = tables.Table("sales.csv", (("region", "text"), ("amount", "number")))
    mean = Request(table, "mean", "amount")
    assert answer(mean, "en", "12.5\n") == "The mean of amount is 12.5."
    assert answer(mean, "pt", "12.5\n") == "A média de amount é 12.5."
    grouped = replace(mean, group="region")
    assert answer(grouped, "pt", "sul,1\nnorte,2\n\n") == "A média de amount por region:\nsul,1\nnorte,2"
    chart = Request(table, "sum", "amount", "region", chart="bar")
    assert answer(chart, "en", "") == "Here is the bar chart of amount by region."
    assert (
        answer(replace(chart, what="max"), "pt", "")
        == "Aqui está o gráfico de barras do máximo de amount por region."
    )


def test_the_code_opens_with_what_is_asked() -> None:
    table = tables.Table("sales.csv", (("region", "text"), ("amount", "number")))
    made = Request(table, "sum", "amount", "region", Condition("amount", "greater", "5"), "pie")
    assert plan(made) == "pie chart of sum of 'amount' by 'region' where 'amount' > 5"
    assert (
        code(Request(table, "rows"))
        == "# rows\nimport pandas as pd\nd = pd.read_csv('sales.csv')\nprint(len(d))"
    )


def test_held_out_names_have_no_word_of_training_and_wordings_are_other() -> None:
    rng = random.Random(3)
    for held_out in (False, True):
        for _ in range(200):
            table = tables.table(rng, held_out)
            names = [table.file.rsplit(".", 1)[0], *(name for name, _ in table.columns)]
            for name in filter(str.islower, names):
                parts = set(re.findall(r"[^\W\d_]+", name))
                its = {part for part in parts if tables.is_held_out(part)}
                known = {part for part in parts if part in tables._seen()}
                assert its == parts and not known if held_out else its <= known
    for language, phrases in NEW.items():
        for key, new in phrases.items():
            assert not set(new) & set(KNOWN[language][key])


def test_files_are_told_of_in_the_words_that_the_chat_service_uses() -> None:
    assert (tables.PYTHON, tables.PYTHON_TEXT) == (served.PYTHON, served.PYTHON_TEXT)
    rng = random.Random(4)
    for _ in range(50):
        some = [tables.table(rng) for _ in range(2)]
        theirs = [served.Table(one.file, one.columns, one.options) for one in some]
        assert tables.files_text(some) == served.files_text(theirs)


def test_names_in_a_question_are_linked_as_the_chat_service_links_them(cases: list[AnalysisCase]) -> None:
    for case in cases:
        files = [case.request.table, *case.others]
        theirs = [served.Table(one.file, one.columns, one.options) for one in files]
        told = tables.with_named(case.asked, files)
        assert told == served.with_named(case.asked, theirs)
        assert all(repr(name) in told for name in (case.request.column, case.request.group) if name)


def test_what_the_chat_service_reads_of_a_file_is_enough_to_compute_with_it(
    cases: list[AnalysisCase], tmp_path: Path
) -> None:
    clear, codes = [], []
    for case in cases:
        read = served.table_of(case.request.table.file, write_csv(case, tmp_path).read_bytes())
        assert read is not None
        assert read.columns == case.request.table.columns
        # Thousands of which none is beside a smaller number cannot be told from decimals.
        if ("thousands" in read.options) >= ("thousands" in case.request.table.options):
            clear.append(case)
            codes.append(code(replace(case.request, table=replace(case.request.table, options=read.options))))
    assert len(clear) > 0.9 * len(cases)
    results = run_code(clear, codes)
    assert [case for case, result in zip(clear, results, strict=True) if not is_true(case, result)] == []


def test_what_is_true_is_worked_out_by_hand() -> None:
    table = tables.Table("a.csv", (("g", "text"), ("n", "number")))
    rows = ({"g": "x", "n": 1}, {"g": "y", "n": 2.5}, {"g": "x", "n": 4})
    case = AnalysisCase("en", "", Request(table, "mean", "n"), rows)
    assert truth(case) == 2.5
    assert truth(replace(case, request=Request(table, "sum", "n", "g"))) == {"x": 5, "y": 2.5}
    assert truth(replace(case, request=Request(table, "rows"))) == 3


def test_dialogues_of_analysis_call_the_tool_on_offer_with_code_for_a_file_that_they_name() -> None:
    calls = 0
    for dialogue in islice(dialogues(9, analysis_share=1.0), 120):
        for turn in dialogue.turns:
            if turn.text.startswith(f"{TOOL_CALL}\n" + '{"name": "python"'):
                written = json.loads(turn.text.split("\n")[1])["arguments"]["code"]
                assert written.split("\nd = ")[1].split("\n")[0] in dialogue.system
                calls += 1
    assert calls > 60
