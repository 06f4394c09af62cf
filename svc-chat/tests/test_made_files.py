"""Files that a run's code made: kept for its owner, all of them or none."""

from __future__ import annotations

from typing import Any

from svc_chat.engine.tools_base import CodeResult, OutputFile

from .assisting import Make, Turns, official
from .test_run_tools import CODE, Interpreter


def plotted(openai: Any) -> Any:
    assistant = openai.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "plot"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    return openai.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data[0]


def test_of_files_that_code_made_all_are_kept_or_none(make_client: Make) -> None:
    made = (OutputFile("small.csv", b"a,b"), OutputFile("large.csv", b"x" * 20))
    tools = (None, Interpreter(CodeResult("42\n", made)))
    openai = official(make_client(Turns(CODE, "Done.", builtin=False), tools=tools, files_quota_bytes=10))
    (logs,) = plotted(openai).step_details.tool_calls[0].code_interpreter.outputs
    assert logs.logs.startswith("This did not work: ")
    assert openai.files.list().data == []


def test_a_file_without_content_that_code_made_is_no_mistake(make_client: Make) -> None:
    made = (OutputFile("empty.txt", b""), OutputFile("out.csv", b"a,b"))
    tools = (None, Interpreter(CodeResult("42\n", made)))
    openai = official(make_client(Turns(CODE, "Done.", builtin=False), tools=tools))
    (logs,) = plotted(openai).step_details.tool_calls[0].code_interpreter.outputs
    assert logs.logs == "42" and [file.filename for file in openai.files.list().data] == ["out.csv"]
