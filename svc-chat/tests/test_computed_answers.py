"""How a run of the built-in model ends that computed with a table: the sentence is put together, not written."""

from __future__ import annotations

from typing import Any

import pytest

from servicekit.errors import NotReady
from svc_chat.domain.analysis import Table
from svc_chat.domain.ask_json import from_json, to_json
from svc_chat.domain.assistants.prompt import language_of
from svc_chat.domain.assistants.tables import BEGINNING_BYTES
from svc_chat.domain.service import Ask
from svc_chat.domain.table_calls import TableCalls
from svc_chat.domain.table_plan import TablePlan
from svc_chat.engine.tools_base import CodeResult, OutputFile

from .assisting import WEATHER, Make, Turns, call, official, said
from .test_run_tools import Interpreter

READ = "pd.read_csv('sales.csv')"
MEAN = call("python", code=TablePlan("mean", "amount", "city").code(READ))
LINES = "Recife,25.0\nNatal,12.5"
WRONG = "The mean of amount by city:\nRecife,2525.0"
TOOLS: Any = [{"type": "code_interpreter"}]


def ran(
    make_client: Make,
    engine: Turns,
    result: CodeResult,
    asked: str = "Mean of amount by city",
    **options: Any,
) -> tuple[Any, Any]:
    openai = official(make_client(engine, tools=(None, Interpreter(result))))
    content = b"city,amount\nRecife,25\nNatal,12.5\n"
    file = openai.files.create(file=("sales.csv", content), purpose="assistants")
    assistant = openai.beta.assistants.create(model="gpt-4o", **{"tools": TOOLS, **options})
    message: Any = {"role": "user", "content": asked, "attachments": [{"file_id": file.id, "tools": TOOLS}]}
    run = openai.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [message]}, poll_interval_ms=15
    )
    return openai, run


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("Mean of amount by city", f"The mean of amount by city:\n{LINES}"),
        ("Média de amount por city", f"A média de amount por city:\n{LINES}"),
        ("Largest amount by city", f"The mean of amount by city:\n{LINES}"),
    ],
)
def test_what_the_code_computed_is_told_and_the_model_is_not_asked(
    make_client: Make, asked: str, sentence: str
) -> None:
    engine = Turns(MEAN, WRONG)
    openai, run = ran(make_client, engine, CodeResult(f"{LINES}\n\n"), asked)
    assert (run.status, said(openai.beta, run.thread_id)[-1]) == ("completed", sentence)
    assert len(engine.requests) == 1
    assert run.usage.completion_tokens > 0
    steps = openai.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
    assert [(step.type, step.status) for step in steps] == [
        ("tool_calls", "completed"), ("message_creation", "completed"),
    ]  # fmt: skip


def test_a_chart_stands_before_the_sentence(make_client: Make) -> None:
    chart = call("python", code=TablePlan("sum", "amount", "city", chart="pie").code(READ))
    made = (OutputFile("chart.png", b"\x89PNG\r\n\x1a\n", True),)
    openai, run = ran(make_client, Turns(chart, WRONG), CodeResult("", made))
    picture, text = openai.beta.threads.messages.list(run.thread_id).data[0].content
    assert picture.type == "image_file"
    assert text.text.value == "Here is the pie chart of amount by city."


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (CodeResult("", error="Traceback\nKeyError: 'city'"), "The code gave no result: KeyError: 'city'"),
        (CodeResult("", timed_out=True), "The code gave no result: The code took too long and was ended."),
        (CodeResult(""), "There are no values to compute the mean of amount by city."),
    ],
)
def test_code_without_a_result_is_told_as_such(make_client: Make, result: CodeResult, sentence: str) -> None:
    openai, run = ran(make_client, Turns(MEAN, WRONG), result)
    assert said(openai.beta, run.thread_id)[-1] == sentence


def test_other_models_write_what_they_like(make_client: Make) -> None:
    engine = Turns(MEAN, "Recife leads.", builtin=False)
    openai, run = ran(make_client, engine, CodeResult(LINES))
    assert said(openai.beta, run.thread_id)[-1] == "Recife leads."
    assert [request.call_form for request in engine.requests] == [None, None]


@pytest.mark.parametrize(
    ("code", "output", "sentence"),
    [
        ("print(6 * 7)", "42\n", "The code printed:\n42"),
        ("x = 1", "", "The code ran and printed nothing."),
        (
            TablePlan("mean", "amount").code(READ).replace(".mean()", ".max()"),
            "25\n",
            "The code printed:\n25",
        ),
    ],
)
def test_of_code_that_is_no_plans_the_output_is_told(
    make_client: Make, code: str, output: str, sentence: str
) -> None:
    openai, run = ran(make_client, Turns(call("python", code=code), WRONG), CodeResult(output))
    assert said(openai.beta, run.thread_id)[-1] == sentence


def test_files_that_such_code_made_are_told_and_found(make_client: Make) -> None:
    made = (OutputFile("out.csv", b"a,b"),)
    openai, run = ran(make_client, Turns(call("python", code="save()"), WRONG), CodeResult("", made))
    (part,) = openai.beta.threads.messages.list(run.thread_id).data[0].content
    assert part.text.value == "The code printed:\nMade the file sandbox:/mnt/data/out.csv"
    assert openai.files.content(part.text.annotations[0].file_path.file_id).read() == b"a,b"


def test_where_no_code_can_be_run_it_says_why(make_client: Make) -> None:
    openai, run = ran(make_client, Turns(MEAN, WRONG), NotReady("The sandbox is away."), "Média de amount")  # type: ignore[arg-type]
    assert said(openai.beta, run.thread_id)[-1] == "O código não deu resultado: The sandbox is away."


def test_an_answer_of_a_schema_or_after_other_calls_is_the_models(make_client: Make) -> None:
    bound = {"type": "json_object"}
    openai, run = ran(make_client, Turns(MEAN, "{}"), CodeResult(LINES), response_format=bound)
    assert said(openai.beta, run.thread_id)[-1] == "{}"
    both = f"{MEAN}\n{call('weather', city='Recife')}"
    openai, run = ran(make_client, Turns(both, "Told."), CodeResult(LINES), tools=[*TOOLS, WEATHER])
    (wanted,) = run.required_action.submit_tool_outputs.tool_calls
    run = openai.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": wanted.id, "output": "sun"}]
    )
    assert said(openai.beta, run.thread_id)[-1] == "Told."


def test_the_built_in_model_is_held_to_calls_about_the_files_and_the_last_question(make_client: Make) -> None:
    engine = Turns(MEAN, WRONG)
    ran(make_client, engine, CodeResult(LINES), "Rows where city is natal")
    table = Table("sales.csv", (("city", "text"), ("amount", "number")), "", (("city", "Natal"),))
    assert engine.requests[-1].call_form == TableCalls((table,), "Rows where city is natal")


def test_cells_are_looked_for_in_files_that_are_read_whole(make_client: Make) -> None:
    engine = Turns(MEAN, WRONG)
    openai = official(make_client(engine, tools=(None, Interpreter(CodeResult(LINES)))))
    assistant = openai.beta.assistants.create(model="gpt-4o", tools=TOOLS)
    found = []
    for length in (BEGINNING_BYTES - 1, BEGINNING_BYTES):
        content = (
            (b"city,amount\nNatal,1\n" * (BEGINNING_BYTES // 20))[:length].rstrip(b"\n").ljust(length, b"1")
        )
        file = openai.files.create(file=("sales.csv", content), purpose="assistants")
        message: Any = {
            "role": "user",
            "content": "Rows in natal",
            "attachments": [{"file_id": file.id, "tools": TOOLS}],
        }
        openai.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [message]}, poll_interval_ms=15
        )
        found.append(engine.requests[-1].call_form.tables[0].said)  # type: ignore[union-attr]
    assert found == [(("city", "Natal"),), ()]


def test_what_may_be_computed_is_kept_for_a_restart() -> None:
    ask = Ask(tables=(Table("a.csv", (("b", "text"),), ", sep=';'", (("b", "x"),)),))
    assert from_json({**to_json(ask)}) == ask
    earlier = {name: value for name, value in to_json(ask).items() if name != "tables"}
    assert from_json(earlier).tables == ()


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Me ajude a achar a soma de vendas", "pt"), ("Agora mostre o total de okay", "pt"), ("Contar linhas", "pt"),
        ("Quero a maior nota", "pt"), ("Give me a chart, please", "en"), ("Sum of a by b", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_short_questions_are_told_apart(question: str, language: str) -> None:
    assert language_of(question) == language
