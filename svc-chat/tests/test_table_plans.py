"""Plans of what to compute with a table: their programs, and the calls that may be written."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniatures.text import chat_analysis as taught
from miniatures.text.analysis_cases import AnalysisCase, analysis_cases
from miniatures.text.chat_analysis_talk import call
from svc_chat.domain.analysis import Table, table_of, with_said
from svc_chat.domain.table_calls import TableCalls, numbers_in, texts_in
from svc_chat.domain.table_plan import Condition, TablePlan, plan_of

SALES = Table("sales.csv", (("city", "text"), ("year", "number"), ("amount", "number")))
TONS = Table("tons d'eau.csv", (("it's", "text"), ('the "size"', "number")), ", sep='\\t'")
ASKED = "Mean of amount by city where year is above 2,019 or city is 'New York', not l'Est?"


def a_call(code: str) -> bytes:
    return json.dumps({"name": "python", "arguments": {"code": code}}, ensure_ascii=False).encode()


def may_be_written(code: str, *tables: Table, asked: str = ASKED) -> bool:
    calls, whole = TableCalls(tables or (SALES,), asked), a_call(code)
    return all(calls.may_begin(whole[:length]) for length in range(len(whole) + 1))


@pytest.fixture(scope="module")
def cases() -> list[AnalysisCase]:
    return analysis_cases(400, seed=51) + analysis_cases(200, seed=52, held_out=False)


def test_the_program_of_a_plan_is_the_one_that_the_model_was_taught(cases: list[AnalysisCase]) -> None:
    for case in cases:
        plan = plan_of(taught.code(case.request))
        assert plan is not None, case.request
        assert plan.text == taught.plan(case.request)


def test_each_call_that_is_taught_may_be_written(cases: list[AnalysisCase]) -> None:
    refused = []
    for case in cases:
        tables = [Table(one.file, one.columns, one.options) for one in (case.request.table, *case.others)]
        written = call(case.request).split("\n")[1].encode()
        if not TableCalls(tables, case.asked).may_begin(written):
            refused.append((case.asked, written))
    assert refused == []


@pytest.mark.parametrize(
    "code",
    [
        TablePlan("mean", "amount", "city").code(SALES.read),
        TablePlan("mean", "amount", "city", Condition("year", ">", "2019", False)).code(SALES.read),
        TablePlan("rows", condition=Condition("city", "=", "New York", True)).code(SALES.read),
        TablePlan("rows", condition=Condition("city", "=", "l'Est", True)).code(SALES.read),
        TablePlan("sum", "amount", "year", chart="pie").code(SALES.read),
        TablePlan("summary").code(SALES.read),
    ],
)
def test_a_plan_of_columns_that_are_there_and_values_that_were_said_may_be_written(code: str) -> None:
    assert may_be_written(code)
    assert plan_of(code) is not None


@pytest.mark.parametrize(
    "code",
    [
        TablePlan("mean", "amounts", "city").code(SALES.read),
        TablePlan("mean", "amount", "cit").code(SALES.read),
        TablePlan("mean", "city").code(SALES.read),
        TablePlan("mean", "amount", "amount").code(SALES.read),
        TablePlan("mean", "amount", chart="bar").code(SALES.read),
        TablePlan("rows", condition=Condition("year", ">", "2018", False)).code(SALES.read),
        TablePlan("rows", condition=Condition("year", "=", "above", True)).code(SALES.read),
        TablePlan("rows", condition=Condition("city", "=", "Recife", True)).code(SALES.read),
        TablePlan("rows", condition=Condition("city", "=", "city is", True)).code(SALES.read),
        TablePlan("rows", condition=Condition("city", "=", "2,019", True)).code(SALES.read),
        TablePlan("rows").code("pd.read_csv('other.csv')"),
        TablePlan("rows").code(SALES.read) + "\nprint('more')",
        TablePlan("mean", "amount").code(SALES.read).replace("].mean", "].max"),
        "import os",
    ],
)
def test_other_code_may_not(code: str) -> None:
    assert not may_be_written(code)


@pytest.mark.parametrize(
    ("asked", "may"),
    [
        ("Mean of amount in sales.csv", False),
        ("Por favor, a média de amount dentro de sales.csv", False),
        ("Mean of amount per town", True),
        ("Média de amount por município", True),
        ("Mean of amount, city", True),
        ("How does it look?", False),
    ],
)
def test_groups_are_by_a_column_that_is_named_or_where_the_question_says_by(asked: str, may: bool) -> None:
    assert may_be_written(TablePlan("mean", "amount", "city").code(SALES.read), asked=asked) == may
    assert may_be_written(TablePlan("mean", "amount", "city", chart="bar").code(SALES.read), asked=asked)


def test_calls_of_other_functions_are_left_alone() -> None:
    calls = TableCalls((SALES,), ASKED)
    assert calls.may_begin(b'{"name": "weather", "arguments": {"city": "x"}}')
    assert calls.may_begin(b'{"name": "pyt')
    assert calls.may_begin(b"")


def test_a_plan_is_over_the_columns_of_one_file() -> None:
    other = Table("people.csv", (("name", "text"), ("age", "number")))
    assert may_be_written(TablePlan("mean", "age", "name").code(other.read), SALES, other)
    assert not may_be_written(TablePlan("mean", "age", "city").code(other.read), SALES, other)
    assert not may_be_written(TablePlan("mean", "age", "name").code(SALES.read), SALES, other)


@pytest.mark.parametrize("tables", [(SALES,), (TONS, SALES), (Table("a.csv", (("é", "number"),)),)])
@pytest.mark.parametrize("asked", [ASKED, "", "água 1.234,5 -3 'd\"oh' \\"])
def test_whichever_way_is_taken_a_plan_comes_of_it(tables: tuple[Table, ...], asked: str) -> None:
    calls, rng = TableCalls(tables, asked), random.Random(f"{tables}{asked}")
    for _ in range(60):
        text, options = a_call("")[: -len(b'"}}')], calls.codes()
        while True:
            options = list(options)
            assert {piece for piece, _ in options} <= set(calls.rests(text))
            piece, then = rng.choice(options)
            cut = rng.randrange(1, len(piece))
            assert piece[cut:] in set(calls.rests(text + piece[:cut]))
            text += piece
            assert calls.may_begin(text)
            if then is None:
                break
            options = then()
        code = json.loads(text + b"}}")["arguments"]["code"]
        plan = plan_of(code)
        assert plan is not None, code
        assert any(plan.code(table.read) == code for table in tables)
        compile(code, "code", "exec")


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("above 1.234?", {"1234": ">", "1.234": ">"}),
        ("acima de 1.234,50.", {"1234.50": ">"}),
        ("over 1,234,567 or at 2,5", {"1234567": ">", "2.5": "=><"}),
        ("menor do que -3 e igual a -0,25", {"-3": "<", "-0.25": "="}),
        ("price < 5, not more than 6, size = 7, equal to 8", {"5": "<", "6": "=><", "7": "=", "8": "="}),
        ("o maior valor em 2019", {"2019": "=><"}),
        ("greater than or equal to 9", {"9": "=><"}),
        ("item A12, 007 and 10-20", {"10": "=><", "20": "=><"}),
        ("none", {}),
    ],
)
def test_numbers_of_a_question_are_read_as_python_writes_them_with_the_signs_they_may_have(
    asked: str, numbers: dict[str, str]
) -> None:
    assert {number: "".join(signs) for number, signs in numbers_in(asked)} == numbers


def test_a_cell_that_the_question_holds_is_what_a_column_is_compared_with() -> None:
    content = "city,year\nSão José,1\nJosé,2\nsao jose,3\nnow,4\n".encode()
    table = with_said(
        Table("a.csv", (("city", "text"), ("year", "number"))), content, "Rows in sao jose now?"
    )
    assert table.said == (("city", "São José"), ("city", "sao jose"), ("city", "now"))
    for value, may in (
        ("São José", True),
        ("now", True),
        ("José", False),
        ("jose now", False),
        ("Rows", False),
    ):
        code = TablePlan("rows", condition=Condition("city", "=", value, True)).code(table.read)
        assert may_be_written(code, table, asked="Rows in sao jose now?") == may


def test_cells_are_found_however_a_file_is_written() -> None:
    content = "região;valor\nnorte;1,5\nSul;2,5\n".encode("latin-1")
    table = table_of("a.csv", content)
    assert table is not None
    assert with_said(table, content, "Soma de valor onde região é sul").said == (("região", "Sul"),)
    assert with_said(table, content, "Soma de valor").said == ()
    assert with_said(table, b"\0", "x") == table


def test_values_are_words_of_the_question_with_or_without_the_marks_around_them() -> None:
    assert {"New York", '"New York"?', "City", "City is"} <= set(texts_in('City is "New York"?'))
    assert "New\nYork" not in set(texts_in("New\nYork"))


@given(st.text())
def test_whatever_code_is_only_the_program_of_a_plan_is_read_as_one(code: str) -> None:
    assert plan_of(code) is None
    assert plan_of(f"# {code}") is None


@pytest.mark.parametrize(
    "changed",
    [
        ("mean of", "sum of"),
        ("'amount'].mean", "'year'].mean"),
        ("> 2019]", "> 2020]"),
        ("print(", "print(1 + "),
        ("import pandas as pd", "import pandas as pd\nimport os"),
    ],
)
def test_code_that_does_other_than_its_first_line_says_is_no_plans(changed: tuple[str, str]) -> None:
    code = TablePlan("mean", "amount", condition=Condition("year", ">", "2019", False)).code(SALES.read)
    assert plan_of(code) is not None
    assert code.replace(*changed, 1) != code
    assert plan_of(code.replace(*changed, 1)) is None


def test_names_with_quotes_are_read_back() -> None:
    plan = TablePlan("max", 'the "size"', "it's", Condition("it's", "=", "a 'b' \"c\" \\", True))
    assert plan_of(plan.code(TONS.read)) == plan
