"""Runs with the official client: its pollers, its event handlers, its types."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openai import BadRequestError
from openai.types.beta.threads import Run
from openai.types.beta.threads.runs import RunStep

from svc_chat.engine.fake import FakeDescriber, FakeEngine

from .assisting import (
    BOTH,
    WEATHER,
    Handler,
    Make,
    Turns,
    asked,
    assert_exact,
    call,
    official,
    on_disk,
    said,
    until_ended,
)


@pytest.fixture
def beta(client: TestClient) -> Any:
    return official(client).beta


def test_a_run_answers_in_its_thread(client: TestClient, beta: Any) -> None:
    assistant, thread = asked(beta, instructions="Be kind.", name="Ana")
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    assert said(beta, thread.id) == ["hello there", "echo: hello there"]
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens > 0
    told = client.get(f"/v1/threads/{thread.id}/runs/{run.id}").json()
    assert_exact(Run, told)
    assert told["required_action"] is told["last_error"] is told["incomplete_details"] is None
    assert run.instructions == "Be kind."
    steps = client.get(f"/v1/threads/{thread.id}/runs/{run.id}/steps").json()["data"]
    assert [step["type"] for step in steps] == ["message_creation"]
    assert_exact(RunStep, steps[0])
    message = beta.threads.messages.list(thread.id).data[0]
    assert steps[0]["step_details"]["message_creation"]["message_id"] == message.id
    assert (message.run_id, message.assistant_id, message.status) == (run.id, assistant.id, "completed")
    assert [m.id for m in beta.threads.messages.list(thread.id, run_id=run.id)] == [message.id]


def test_a_stream_is_told_as_the_event_handler_reads_it(beta: Any) -> None:
    assistant, thread = asked(beta)
    handler = Handler()
    with beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        stream.until_done()
    assert (handler.text, handler.done, handler.ended) == ("echo: hello there",) + (
        ["echo: hello there"],
        1,
    )
    names = [
        n for i, n in enumerate(handler.names) if n != "thread.message.delta" or handler.names[i - 1] != n
    ]
    assert names == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.delta",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]
    assert stream.get_final_run().status == "completed"
    assert [m.content[0].text.value for m in stream.get_final_messages()] == ["echo: hello there"]


def test_a_thread_and_a_run_are_made_at_once(beta: Any) -> None:
    assistant = beta.assistants.create(model="gpt-4o")
    thread = {"messages": [{"role": "user", "content": "now"}], "metadata": {"a": "b"}}
    run = beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    assert run.status == "completed"
    assert said(beta, run.thread_id) == ["now", "echo: now"]
    with beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=thread) as stream:
        names = [event.event for event in stream]
    assert names[:2] == ["thread.created", "thread.run.created"]


def test_functions_are_called_by_the_caller_several_at_once(make_client: Make) -> None:
    engine = Turns(f"Let me see. {BOTH}", "Sun in both.")
    beta = official(make_client(engine)).beta
    assistant, thread = asked(beta, "weather?", tools=[WEATHER])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "requires_action"
    calls = run.required_action.submit_tool_outputs.tool_calls
    assert [json.loads(c.function.arguments) for c in calls] == [{"city": "Recife"}, {"city": "Natal"}]
    outputs = [{"tool_call_id": c.id, "output": f"sun {n}"} for n, c in enumerate(calls)]
    with pytest.raises(BadRequestError, match="Expected tool outputs"):
        beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=outputs[:1])
    run = beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs
    )
    assert run.status == "completed", run.last_error
    assert said(beta, thread.id) == ["weather?", "Let me see.", "Sun in both."]
    told = [(m.role, m.content) for m in engine.requests[-1].messages[-3:]]
    assert told == [("assistant", "Let me see."), ("tool", "sun 0"), ("tool", "sun 1")]
    steps = beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    assert [s.type for s in steps] == ["message_creation", "tool_calls", "message_creation"]
    assert [c.function.output for c in steps[1].step_details.tool_calls] == ["sun 0", "sun 1"]
    assert run.usage.completion_tokens == sum(s.usage.completion_tokens for s in steps)
    with pytest.raises(BadRequestError, match="do not accept tool outputs"):
        beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=outputs)


def test_functions_are_called_in_streams_too(make_client: Make) -> None:
    beta = official(make_client(Turns(BOTH, "Sun."))).beta
    assistant, thread = asked(beta, tools=[WEATHER])
    first, second = Handler(), Handler()
    with beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=first
    ) as stream:
        run = stream.get_final_run()
    assert (run.status, first.names[-1]) == ("requires_action", "thread.run.requires_action")
    assert [c.function.name for c in first.calls] == ["weather", "weather"]
    calls = run.required_action.submit_tool_outputs.tool_calls
    with beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=thread.id,
        tool_outputs=[{"tool_call_id": c.id, "output": "x"} for c in calls],
        event_handler=second,
    ) as stream:
        stream.until_done()
    assert second.names[:3] == ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]
    assert (second.text, second.names[-1]) == ("Sun.", "thread.run.completed")


def test_one_call_at_a_time_when_that_is_asked_for(make_client: Make) -> None:
    beta = official(make_client(Turns(BOTH, "Sun."))).beta
    assistant, thread = asked(beta, tools=[WEATHER])
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, parallel_tool_calls=False
    )
    assert len(run.required_action.submit_tool_outputs.tool_calls) == 1
    assert run.parallel_tool_calls is False


def test_a_thread_has_one_run_at_a_time_and_its_messages_are_locked(make_client: Make) -> None:
    beta = official(make_client(Turns(BOTH, "Sun."))).beta
    assistant, thread = asked(beta, tools=[WEATHER])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    with pytest.raises(BadRequestError, match=f"Thread {thread.id} already has an active run {run.id}"):
        beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    with pytest.raises(
        BadRequestError, match=f"Can't add messages to {thread.id} while a run {run.id} is active"
    ):
        beta.threads.messages.create(thread.id, role="user", content="x")
    with pytest.raises(BadRequestError, match="already has an active run"):
        beta.threads.runs.create(
            thread_id=thread.id,
            assistant_id=assistant.id,
            additional_messages=[{"role": "user", "content": "x"}],
        )
    assert beta.threads.runs.cancel(run.id, thread_id=thread.id).status == "cancelled"
    assert beta.threads.messages.create(thread.id, role="user", content="x").status == "completed"
    step = beta.threads.runs.steps.list(run.id, thread_id=thread.id).data[0]
    assert (step.status, step.cancelled_at is not None) == ("cancelled", True)
    with pytest.raises(BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        beta.threads.runs.cancel(run.id, thread_id=thread.id)


def test_a_run_that_writes_is_cancelled_and_keeps_what_it_wrote(make_client: Make) -> None:
    beta = official(make_client(FakeEngine("word " * 500, delay_s=0.02))).beta
    assistant, thread = asked(beta)
    names = []
    with beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        for event in stream:
            names.append(event.event)
            if event.event == "thread.message.delta" and "thread.run.cancelling" not in names:
                run = beta.threads.runs.list(thread.id).data[0]
                if run.status == "in_progress":
                    cancelled = beta.threads.runs.cancel(run.id, thread_id=thread.id)
                    assert cancelled.status in ("cancelling", "cancelled")
                    break
    until_ended(beta, thread.id, run.id)
    run = beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    assert (run.status, run.cancelled_at is not None) == ("cancelled", True)
    message = beta.threads.messages.list(thread.id).data[0]
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_cancelled")
    assert message.content[0].text.value.startswith("word")


def test_what_the_run_says_wins_over_the_assistant(make_client: Make) -> None:
    engine = FakeEngine('{"a": 1}')
    beta = official(make_client(engine)).beta
    assistant, thread = asked(beta, instructions="A", temperature=0.3, top_p=0.4)
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, instructions="B", additional_instructions="C",
        additional_messages=[{"role": "user", "content": "more"}], temperature=0.9, max_completion_tokens=77,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        metadata={"run": "1"},
    )  # fmt: skip
    assert run.status == "completed"
    request = engine.requests[-1]
    assert [m.content for m in request.messages] == ["B\n\nC", "hello there", "more"]
    assert (request.sampling.temperature, request.sampling.top_p) == (0.9, 0.4)
    assert (request.sampling.max_tokens, request.json_schema) == (77, {"type": "object"})
    assert (run.metadata, run.temperature, run.top_p) == ({"run": "1"}, 0.9, 0.4)
    assert beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"b": "c"}).metadata == {"b": "c"}


def test_limits_of_tokens_end_a_run_and_say_so(make_client: Make) -> None:
    engine = FakeEngine("one two three four five six")
    beta = official(make_client(engine)).beta
    assistant, thread = asked(beta)
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, max_completion_tokens=3
    )
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_completion_tokens")
    assert run.usage.completion_tokens == 3
    message = beta.threads.messages.list(thread.id).data[0]
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "max_tokens")
    long = beta.threads.create(messages=[{"role": "user", "content": "word " * 400}])
    run = beta.threads.runs.create_and_poll(
        thread_id=long.id, assistant_id=assistant.id, max_prompt_tokens=256
    )
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_prompt_tokens")


def test_the_oldest_messages_are_left_out_where_a_prompt_is_too_long(make_client: Make) -> None:
    engine = FakeEngine("ok", context_tokens=300)
    beta = official(make_client(engine)).beta
    assistant = beta.assistants.create(model="gpt-4o")
    old = [{"role": "user", "content": f"m{n} " + "word " * 100} for n in range(5)]
    thread = beta.threads.create(messages=[*old, {"role": "user", "content": "last"}])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    read = [m.content.split()[0] for m in engine.requests[-1].messages]
    assert read[-1] == "last"
    assert "m0" not in read
    few = {"type": "last_messages", "last_messages": 1}
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, truncation_strategy=few
    )
    assert [m.content for m in engine.requests[-1].messages] == ["ok"]
    assert run.truncation_strategy.last_messages == 1


def test_a_failure_says_why(make_client: Make) -> None:
    beta = official(make_client(FakeEngine("ok", context_tokens=3))).beta
    assistant, thread = asked(beta, "one two three four")
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert (run.status, run.last_error.code) == ("failed", "invalid_prompt")
    assert "tokens" in run.last_error.message
    assert run.failed_at is not None


def test_a_run_expires_when_its_time_is_over(make_client: Make) -> None:
    beta = official(make_client(Turns(BOTH, "x"), run_life_s=2.0)).beta
    assistant, thread = asked(beta, tools=[WEATHER])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "requires_action"
    deadline = run.expires_at + 120
    while run.status == "requires_action":
        run = beta.threads.runs.retrieve(run.id, thread_id=thread.id)
        assert deadline > time.time()
    assert run.status == "expired"
    slow = official(make_client(FakeEngine("w " * 900, delay_s=0.05), run_life_s=1.0)).beta
    assistant, thread = asked(slow)
    run = slow.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "expired"


def test_pictures_are_described_to_models_that_do_not_see(make_client: Make) -> None:
    describer, engine = FakeDescriber(), FakeEngine("ok")
    client = make_client(engine, describer)
    openai = official(client)
    picture = b"\x89PNG\r\n\x1a\n" + b"0" * 50
    file = openai.files.create(file=("a.png", picture), purpose="vision")
    content = [
        {"type": "text", "text": "What are these?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat"}},
        {"type": "image_file", "image_file": {"file_id": file.id}},
    ]
    assistant = openai.beta.assistants.create(model="gpt-4o")
    run = openai.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": content}]}
    )
    assert run.status == "completed"
    read = engine.requests[-1].messages[-1].content
    assert read.startswith("What are these?\n[image: a picture called cat]\n[image: ")
    assert describer.asked[1][0].startswith("data:image/png;base64,")
    text = openai.files.create(file=("a.txt", b"no picture"), purpose="vision")
    with pytest.raises(BadRequestError, match="no picture"):
        openai.beta.threads.create_and_run(
            assistant_id=assistant.id,
            thread={
                "messages": [
                    {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": text.id}}]}
                ]
            },
        )


def test_tools_of_a_run_may_be_forbidden_or_forced(make_client: Make) -> None:
    engine = Turns(call("weather", city="Recife"), "Sun.")
    beta = official(make_client(engine)).beta
    assistant, thread = asked(beta, tools=[WEATHER])
    forced = {"type": "function", "function": {"name": "weather"}}
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, tool_choice=forced
    )
    assert engine.requests[-1].forced_tools == ("weather",)
    call_id = run.required_action.submit_tool_outputs.tool_calls[0].id
    run = beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": call_id, "output": "x"}]
    )
    assert (run.status, engine.requests[-1].forced_tools) == ("completed", ())
    beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, tool_choice="none")
    assert engine.requests[-1].tools == ()
    with pytest.raises(BadRequestError, match="not among the tools"):
        beta.threads.runs.create(
            thread_id=thread.id,
            assistant_id=assistant.id,
            tool_choice={"type": "function", "function": {"name": "other"}},
        )


def test_nothing_of_a_deleted_thread_or_assistant_stays(
    client: TestClient, beta: Any, tmp_path: Path
) -> None:
    mark = "segredo da casa"
    assistant, thread = asked(beta, f"{mark} 1", instructions=f"{mark} 2")
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, additional_instructions=f"{mark} 3"
    )
    assert run.status == "completed"
    assert on_disk(tmp_path, mark)
    beta.threads.delete(thread.id)
    beta.assistants.delete(assistant.id)
    assert on_disk(tmp_path, mark) == []


def test_a_thread_is_deleted_while_its_run_writes(make_client: Make, tmp_path: Path) -> None:
    beta = official(make_client(FakeEngine("palavra " * 500, delay_s=0.02))).beta
    assistant, thread = asked(beta, "segredo")
    beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    beta.threads.delete(thread.id)
    assert on_disk(tmp_path, "segredo") == []
    assert on_disk(tmp_path, "palavra") == []


def test_a_caller_has_so_many_active_runs(make_client: Make) -> None:
    client = make_client(Turns(BOTH, "x"), runs_max=1)
    beta = official(client).beta
    assistant, thread = asked(beta, tools=[WEATHER])
    beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    other = beta.threads.create(messages=[{"role": "user", "content": "x"}])
    answer = client.post(f"/v1/threads/{other.id}/runs", json={"assistant_id": assistant.id})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_runs")
    assert answer.headers["retry-after"]
