"""Tools that are run here for an assistant: searching files, and running code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from openai import NotFoundError

from servicekit.errors import NotFound, NotReady
from svc_chat.domain.assistants.citations import Source, cited, quote, window
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.tools_base import Bearer, CodeResult, InputFile, OutputFile, Passage

from .assisting import WEATHER, Handler, Make, Turns, asked, call, official, said

SHIPS = "Old ships lie at the bottom of the sea. Divers find silver coins in the ships every year."
PNG = b"\x89PNG\r\n\x1a\n chart"


class Search:
    """Finds what it was given, in any store."""

    def __init__(self, *passages: Passage):
        self.passages, self.asked = passages, []
        self.made: list[tuple[Any, Any]] = []
        self.deleted: list[str] = []
        self.error: Exception | None = None

    async def search(
        self, store_ids: Sequence[str], query: str, limit: int, threshold: float, bearer: Bearer
    ) -> Sequence[Passage]:
        self.asked.append((list(store_ids), query, limit, threshold))
        if self.error is not None:
            raise self.error
        return self.passages[:limit]

    async def make_store(self, file_ids: Sequence[str], options: Any, bearer: Bearer) -> str:
        self.made.append((list(file_ids), dict(options)))
        return f"vs_{len(self.made)}"

    async def add_file(self, store_id: str, file_id: str, bearer: Bearer) -> bool:
        new = (store_id, file_id) not in self.made
        self.made.append((store_id, file_id))
        return new

    async def remove_file(self, store_id: str, file_id: str, bearer: Bearer) -> None:
        self.deleted.append(f"{store_id}/{file_id}")

    async def delete_store(self, store_id: str, bearer: Bearer) -> None:
        self.deleted.append(store_id)


class Interpreter:
    """Gives one result, and remembers what it was asked to run."""

    def __init__(self, result: CodeResult | Exception):
        self.result, self.ran, self.forgotten = result, [], []

    async def run(self, session_id: str, code: str, files: Sequence[InputFile], bearer: Bearer) -> CodeResult:
        self.ran.append((session_id, code, [(f.name, f.path.read_bytes()) for f in files]))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def forget(self, session_id: str, bearer: Bearer) -> None:
        self.forgotten.append(session_id)

    async def close(self) -> None:
        return None


@pytest.fixture
def start(make_client: Make) -> Any:
    def begin(engine: FakeEngine, search: Any = None, interpreter: Any = None) -> Any:
        return official(make_client(engine, tools=(search, interpreter)))

    return begin


def searching(openai: Any, text: str = "Where are old ships?", **options: Any) -> tuple[Any, Any, Any]:
    resources = {"file_search": {"vector_store_ids": ["vs_x"]}}
    assistant = openai.beta.assistants.create(
        model="gpt-4o", tools=[{"type": "file_search", **options}], tool_resources=resources
    )
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": text}])
    return (
        assistant,
        thread,
        openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id),
    )


def test_a_run_searches_first_and_cites_with_the_quoted_span(start: Any) -> None:
    search = Search(Passage("file-s", "ships.txt", 0.9, SHIPS))
    engine = FakeEngine("Divers find silver coins in old ships.")
    openai = start(engine, search)
    _, thread, run = searching(openai)
    assert run.status == "completed", run.last_error
    assert search.asked == [(["vs_x"], "Where are old ships?", 5, 0.0)]
    read = engine.requests[-1].messages
    assert [message.role for message in read] == ["system", "user"]
    assert read[0].content.startswith("Answer only from the numbered passages.")
    assert read[1].content == f"Passages:\n[1] {SHIPS}\n\nQuestion: Where are old ships?"
    assert engine.requests[-1].tools == ()  # the built-in model reads passages, and never asks for them
    text = openai.beta.threads.messages.list(thread.id).data[0].content[0].text
    assert text.value == "Divers find silver coins in old ships. 【1†source】"
    (note,) = text.annotations
    assert text.value[note.start_index : note.end_index] == note.text == "【1†source】"
    assert note.file_citation.file_id == "file-s"
    assert note.file_citation.quote == "Divers find silver coins in the ships every year."
    assert note.file_citation.quote in SHIPS
    steps = openai.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    assert [s.type for s in steps] == ["tool_calls", "message_creation"]
    (made,) = steps[0].step_details.tool_calls
    assert (made.type, made.file_search.results[0].file_name) == ("file_search", "ships.txt")
    assert made.file_search.results[0].content is None
    with_text = openai.beta.threads.runs.steps.retrieve(
        steps[0].id, run_id=run.id, thread_id=thread.id,
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )  # fmt: skip
    assert with_text.step_details.tool_calls[0].file_search.results[0].content[0].text == SHIPS


def test_marks_that_the_model_writes_become_citations_in_the_stream(start: Any) -> None:
    two = Passage("file-b", "bread.md", 0.5, "The bakery sells bread of rye at seven.")
    engine = FakeEngine("Bread at seven 【2†source】, ships below 【1】. Nothing 【9†source】.")
    openai = start(engine, Search(Passage("file-s", "ships.txt", 0.9, SHIPS), two))
    resources = {"file_search": {"vector_store_ids": ["vs_x"]}}
    assistant, thread = asked(openai.beta, "?", tools=[{"type": "file_search"}], tool_resources=resources)
    handler = Handler()
    with openai.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        (message,) = stream.get_final_messages()
    notes = message.content[0].text.annotations
    assert [(n.text, n.file_citation.file_id) for n in notes] == [
        ("【2†source】", "file-b"),
        ("【1】", "file-s"),
    ]
    assert [c.type for c in handler.calls] == ["file_search"]


def test_the_model_may_search_again(start: Any) -> None:
    search = Search(Passage("file-s", "ships.txt", 0.9, SHIPS))
    again = call("file_search", query="silver coins")
    engine = Turns(again, "Found [2].", builtin=False)
    openai = start(engine, search)
    _, thread, run = searching(
        openai, file_search={"max_num_results": 3, "ranking_options": {"score_threshold": 0.2}}
    )
    assert [a[1:] for a in search.asked] == [("Where are old ships?", 3, 0.2), ("silver coins", 3, 0.2)]
    (note,) = openai.beta.threads.messages.list(thread.id).data[0].content[0].text.annotations
    assert note.text == "[2]"
    assert "[1] (ships.txt) Old ships" in engine.requests[0].messages[-1].content
    assert engine.requests[-1].messages[-1].content.startswith("[2] (ships.txt) Old ships")


def test_passages_and_their_instruction_are_in_the_language_of_the_question(start: Any) -> None:
    engine = FakeEngine("ok")
    openai = start(engine, Search(Passage("f", "n.txt", 0.9, "Navios antigos ficam no fundo do mar.")))
    searching(openai, "Onde ficam os navios antigos?")
    head, asked = engine.requests[-1].messages
    assert head.content.startswith("Responda apenas com os trechos numerados.")
    assert asked.content.startswith("Trechos:\n[1] Navios")
    assert asked.content.endswith("Pergunta: Onde ficam os navios antigos?")


def test_a_small_model_reads_the_part_of_a_passage_that_fits_the_question() -> None:
    text = " ".join(f"Line {n} is about nothing at all." for n in range(60)) + " The key is under the mat."
    seen = window("Where is the key?", text, 200)
    assert seen.endswith("The key is under the mat.")
    assert len(seen) <= 200
    assert seen in text


def test_an_answer_that_no_passage_supports_is_not_given_a_source(start: Any) -> None:
    openai = start(FakeEngine("Trains leave at noon."), Search(Passage("f", "s.txt", 0.9, SHIPS)))
    _, thread, _ = searching(openai)
    text = openai.beta.threads.messages.list(thread.id).data[0].content[0].text
    assert (text.value, text.annotations) == ("Trains leave at noon.", [])


@pytest.mark.parametrize("error", [NotReady("away"), NotFound("no such store")])
def test_a_search_that_fails_tells_the_model_and_the_run_goes_on(start: Any, error: Exception) -> None:
    search, engine = Search(), FakeEngine("I cannot look.")
    search.error = error
    _, _, run = searching(start(engine, search))
    assert run.status == "completed"
    assert "This did not work" in engine.requests[-1].messages[-1].content


def test_files_that_come_with_messages_are_made_findable_for_the_thread(start: Any) -> None:
    search = Search()
    openai = start(FakeEngine("ok"), search)
    ids = [openai.files.create(file=(f"{n}.txt", b"text"), purpose="assistants").id for n in range(2)]
    tools = [{"type": "file_search"}]
    thread = openai.beta.threads.create(
        messages=[{"role": "user", "content": "x", "attachments": [{"file_id": ids[0], "tools": tools}]}]
    )
    assert thread.tool_resources.file_search.vector_store_ids == ["vs_1"]
    expires = {"expires_after": {"anchor": "last_active_at", "days": 7}}
    assert search.made == [([ids[0]], expires)]
    message = openai.beta.threads.messages.create(
        thread.id, role="user", content="y", attachments=[{"file_id": ids[1], "tools": tools}]
    )
    assert message.attachments[0].file_id == ids[1]
    assert search.made[1:] == [("vs_1", ids[1])]
    assistant = openai.beta.assistants.create(model="gpt-4o", tools=tools)
    openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert search.asked[0][0] == ["vs_1"]
    openai.beta.threads.delete(thread.id)
    assert search.deleted == ["vs_1"]
    with pytest.raises(NotFoundError):
        openai.beta.threads.create(
            messages=[
                {"role": "user", "content": "x", "attachments": [{"file_id": "file-0", "tools": tools}]}
            ]
        )


def test_a_store_is_made_where_files_are_named(start: Any) -> None:
    search = Search()
    openai = start(FakeEngine("ok"), search)
    file = openai.files.create(file=("a.txt", b"text"), purpose="assistants")
    wanted = {"file_search": {"vector_stores": [{"file_ids": [file.id], "metadata": {"a": "b"}}]}}
    made = openai.beta.assistants.create(
        model="gpt-4o", tools=[{"type": "file_search"}], tool_resources=wanted
    )
    assert made.tool_resources.file_search.vector_store_ids == ["vs_1"]
    assert search.made[0][0] == [file.id]


CODE = call("python", code="plot()")


def test_the_model_is_told_how_to_read_files_and_which_columns_they_have(start: Any) -> None:
    engine = Turns(call("python", code="print('São')"), "Done.", builtin=False)
    openai = start(engine, None, Interpreter(CodeResult("São\n", ())))
    table = openai.files.create(file=("vendas.csv", "região;valor\nsul;1,5\n".encode()), purpose="assistants")
    other = openai.files.create(file=("notes.txt", b"Only words.\n"), purpose="assistants")
    assistant = openai.beta.assistants.create(
        model="gpt-4o",
        instructions="Be brief.",
        tools=[{"type": "code_interpreter"}],
        tool_resources={"code_interpreter": {"file_ids": [table.id, other.id]}},
    )
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "Sum of VALOR?"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    read = engine.requests[-1].messages
    assert read[0].content == (
        "Be brief.\n\nFiles, how to read them and their columns:\n"
        "pd.read_csv('vendas.csv', sep=';', decimal=','): 'região' (text), 'valor' (number)\n'notes.txt'"
    )
    assert engine.requests[-1].tables
    named = "pd.read_csv('vendas.csv', sep=';', decimal=','): 'valor' (number)"
    assert read[1].content == f"Sum of VALOR?\n\nNamed here:\n{named}"
    assert openai.beta.threads.messages.list(thread.id).data[-1].content[0].text.value == "Sum of VALOR?"
    assert read[2].tool_calls[0]["function"]["arguments"] == '{"code": "print(\'São\')"}'


def test_a_run_that_may_run_code_takes_the_likeliest_words_unless_told_otherwise(start: Any) -> None:
    engine = FakeEngine("Done.")
    openai = start(engine, None, Interpreter(CodeResult("", ())))
    runs = openai.beta.threads.runs
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    code = [{"type": "code_interpreter"}]
    for of_assistant, of_run, used in (
        ({}, {}, 0.8),
        ({"tools": code}, {}, 0.0),
        ({}, {"tools": code}, 0.0),
        ({"tools": code}, {"tools": []}, 0.8),
        ({"tools": code, "temperature": 0.7}, {}, 0.7),
        ({"tools": code}, {"temperature": 0.5}, 0.5),
    ):
        assistant = openai.beta.assistants.create(model="gpt-4o", **of_assistant)
        run = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, **of_run)
        assert run.status == "completed", run.last_error
        assert not engine.requests[-1].tables  # there are no files
        assert run.temperature == engine.requests[-1].sampling.temperature == used


def test_code_is_run_and_its_chart_is_a_file_in_the_answer(start: Any) -> None:
    made = (OutputFile("chart-1.png", PNG, True), OutputFile("out.csv", b"a,b"))
    interpreter = Interpreter(CodeResult("42\n", made))
    openai = start(Turns(CODE, "See sandbox:/mnt/data/out.csv please.", builtin=False), None, interpreter)
    data = openai.files.create(file=("sales.csv", b"1,2"), purpose="assistants")
    assistant = openai.beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "code_interpreter"}],
        tool_resources={"code_interpreter": {"file_ids": [data.id]}},
    )
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "plot"}])
    handler = Handler()
    with openai.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        run = stream.get_final_run()
        (streamed,) = stream.get_final_messages()
    assert run.status == "completed", run.last_error
    assert interpreter.ran == [(thread.id, "plot()", [("sales.csv", b"1,2")])]
    message = openai.beta.threads.messages.list(thread.id).data[0]
    assert [part.type for part in message.content] == ["image_file", "text"]
    assert [part.type for part in streamed.content] == ["image_file", "text"]
    picture = openai.files.retrieve(message.content[0].image_file.file_id)
    assert (picture.purpose, picture.filename) == ("assistants_output", "chart-1.png")
    assert openai.files.content(picture.id).read() == PNG
    (note,) = message.content[1].text.annotations
    assert (note.type, note.text) == ("file_path", "sandbox:/mnt/data/out.csv")
    assert openai.files.content(note.file_path.file_id).read() == b"a,b"
    steps = openai.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    (code,) = steps[0].step_details.tool_calls
    assert code.code_interpreter.input == "plot()"
    logs, image = code.code_interpreter.outputs
    assert (logs.logs, image.image.file_id) == ("42", picture.id)
    openai.beta.threads.delete(thread.id)
    assert interpreter.forgotten == [thread.id]


def test_two_files_of_one_name_are_both_there_and_told_apart(start: Any) -> None:
    engine, interpreter = Turns(CODE, "Done."), Interpreter(CodeResult("42\n", ()))
    openai = start(engine, None, interpreter)
    tables = [b"a\n1\n", b"b\n2\n", b"c\n3\n"]
    files = [openai.files.create(file=("sales.csv", table), purpose="assistants") for table in tables[:2]]
    files.append(openai.files.create(file=("sales-2.csv", tables[2]), purpose="assistants"))
    assistant = openai.beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "code_interpreter"}],
        tool_resources={"code_interpreter": {"file_ids": [file.id for file in files]}},
    )
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "sum"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    ((_, _, there),) = interpreter.ran
    assert there == list(zip(("sales.csv", "sales-3.csv", "sales-2.csv"), tables, strict=True))
    told = engine.requests[-1].messages[0].content
    assert "read_csv('sales.csv'): 'a'" in told and "read_csv('sales-3.csv'): 'b'" in told


def test_code_and_functions_of_one_turn_are_both_answered(start: Any) -> None:
    both = f"{CODE}\n{call('weather', city='Recife')}"
    openai = start(Turns(both, "Done."), None, Interpreter(CodeResult("7")))
    assistant, thread = asked(openai.beta, tools=[WEATHER, {"type": "code_interpreter"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    (wanted,) = run.required_action.submit_tool_outputs.tool_calls
    assert wanted.function.name == "weather"
    run = openai.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": wanted.id, "output": "sun"}]
    )
    assert (run.status, said(openai.beta, thread.id)[-1]) == ("completed", "Done.")


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (CodeResult("before", error="ZeroDivisionError: division by zero"), "division by zero"),
        (CodeResult("before", timed_out=True), "took too long"),
        (NotReady("The sandbox needs bubblewrap."), "needs bubblewrap"),
        (CodeResult("x" * 100_000), "characters left out"),
        (CodeResult(""), ""),
    ],
)
def test_code_that_fails_tells_the_model_and_the_run_goes_on(start: Any, result: Any, told: str) -> None:
    engine = Turns(CODE, "Sorry.", builtin=False)
    openai = start(engine, None, Interpreter(result))
    assistant, thread = asked(openai.beta, tools=[{"type": "code_interpreter"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    assert told in engine.requests[-1].messages[-1].content
    assert len(engine.requests[-1].messages[-1].content) < 10_000


def test_where_no_code_is_run_the_answer_says_how_to_turn_it_on(start: Any) -> None:
    engine = Turns(CODE, "It is off.")
    openai = start(engine)
    assistant, thread = asked(openai.beta, tools=[{"type": "code_interpreter"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    steps = openai.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    assert "CODE_URL" in steps[0].step_details.tool_calls[0].code_interpreter.outputs[0].logs


def test_a_model_that_calls_for_ever_is_ended(start: Any) -> None:
    openai = start(Turns(CODE, builtin=False), None, Interpreter(CodeResult("1")))
    assistant, thread = asked(openai.beta, tools=[{"type": "code_interpreter"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert "times without an answer" in run.last_error.message


def test_a_quote_is_a_span_of_its_passage() -> None:
    assert quote("silver coins are found", SHIPS) == "Divers find silver coins in the ships every year."
    assert quote("", "one") == "one"
    addition, notes = cited("Coins [1] and [2].", [Source(1, "f", SHIPS)], {})
    assert (addition, [n["text"] for n in notes]) == ("", ["[1]"])
