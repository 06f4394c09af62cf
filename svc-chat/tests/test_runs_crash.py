"""Runs outlive the process that works on them: killed at any moment, nothing is lost and nothing done twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.ports import free_port

from .assisting import WEATHER

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "6"))
"""20 rounds are asked for now and then (CRASH_ROUNDS); each takes seconds."""
PROGRAM = """
import asyncio, json, sys
from servicekit.serve import serve
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.group import EngineGroup
from svc_chat.engine.tools_base import CodeResult, OutputFile
from svc_chat.settings import Settings

folder, port = sys.argv[1], int(sys.argv[2])

def call(name, **arguments):
    return "<tool_call>\\n" + json.dumps({"name": name, "arguments": arguments}) + "\\n</tool_call>"

TURNS = [
    "Let me see. " + call("weather", city="Recife"),
    "Now I count. " + call("python", code="print(42)"),
    " ".join(f"w{n}" for n in range(40)),
]

class Engine(FakeEngine):
    def generate(self, request):
        done = sum(bool(m.tool_calls) for m in request.messages)
        said = request.answer_prefix
        text = TURNS[min(done, len(TURNS) - 1)]
        assert text.startswith(said), (text, said)
        self.script = text
        return super().generate(request)

class Interpreter:
    async def run(self, session_id, code, files, bearer):
        with open(f"{folder}/ran", "a") as ran:
            ran.write(session_id + "\\n")
        with open(f"{folder}/bearers", "a") as bearers:
            bearers.write(json.dumps(bearer) + "\\n")
        await asyncio.sleep(0.15)
        return CodeResult("42", (OutputFile("chart.png", b"\\x89PNG" + session_id.encode(), True),))

    async def forget(self, session_id, bearer):
        pass

    async def close(self):
        pass

class Delegation:
    async def for_work(self, bearer, seconds):
        return {"Authorization": "Bearer kept"}

settings = Settings(data_dir=folder, port=port, auth="off", drain_s=1.0, vision_url="", rag_url="")
engine, tools = EngineGroup([Engine(delay_s=0.02, builtin=False)]), (None, Interpreter())
serve(create_app(settings, engine, tools=tools, delegation=Delegation()), settings)
"""
FINAL = " ".join(f"w{n}" for n in range(40))
TOOLS = [WEATHER, {"type": "code_interpreter"}]


class Service:
    """A service in a process of its own that can be killed and started again on the same data."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        url = f"http://127.0.0.1:{self.port}/v1"
        self.beta = OpenAI(base_url=url, api_key="x", max_retries=0, timeout=150).beta
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-c", PROGRAM, str(self.folder), str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 90
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{self.port}/healthz").status_code == 200:
                    return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without warning."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)

    def revive(self) -> None:
        """Start it again when it is dead."""
        assert self.process is not None
        self.process.wait(60)
        self.start()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(60)


def drive(service: Service, thread_id: str, run_id: str) -> Any:
    """Do what a caller does, whatever happens to the service, until the run has ended."""
    runs, deadline = service.beta.threads.runs, time.monotonic() + 300
    while True:
        assert time.monotonic() < deadline
        try:
            run = runs.retrieve(run_id, thread_id=thread_id)
            if run.status == "requires_action":
                calls = run.required_action.submit_tool_outputs.tool_calls
                outputs = [{"tool_call_id": c.id, "output": "sun"} for c in calls]
                with contextlib.suppress(openai.BadRequestError):  # taken before the crash
                    runs.submit_tool_outputs(run_id, thread_id=thread_id, tool_outputs=outputs)
            elif run.status not in ("queued", "in_progress"):
                return run
            time.sleep(0.03)
        except openai.APIConnectionError:
            service.revive()


def assert_whole(service: Service, thread_id: str, run: Any, *, interrupted: bool) -> None:
    beta = service.beta
    assert run.status == "completed", run.last_error
    steps = beta.threads.runs.steps.list(run.id, thread_id=thread_id, order="asc").data
    kinds = [step.type for step in steps]
    assert kinds == ["message_creation", "tool_calls"] * 2 + ["message_creation"]
    assert [step.status for step in steps] == ["completed"] * 5
    (weather,), (code,) = (step.step_details.tool_calls for step in steps if step.type == "tool_calls")
    assert (weather.function.name, weather.function.output) == ("weather", "sun")
    assert code.code_interpreter.input == "print(42)"
    messages = beta.threads.messages.list(thread_id, order="asc").data
    texts = ["".join(p.text.value for p in m.content if p.type == "text") for m in messages]
    assert texts == ["go", "Let me see.", "Now I count.", FINAL]
    assert {m.status for m in messages} == {"completed"}
    ran = (service.folder / "ran").read_text().split().count(thread_id)
    assert ran <= 1
    logs = code.code_interpreter.outputs[0].logs
    assert logs == "42" if ran and not interrupted else logs in ("42", INTERRUPTED)


INTERRUPTED = "The service was restarted while this code ran. It was not run again: what it did is not known."


@pytest.mark.timeout(1200)
def test_killed_at_any_moment_nothing_is_lost_and_nothing_done_twice(service: Service) -> None:
    chance = random.Random(os.environ.get("CRASH_SEED", "7"))
    assistant = service.beta.assistants.create(model="gpt-4o", tools=TOOLS)  # type: ignore[arg-type]
    kills = 0
    for _ in range(ROUNDS):
        thread = service.beta.threads.create(messages=[{"role": "user", "content": "go"}])
        run = service.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
        timer = threading.Timer(chance.uniform(0.0, 2.0), service.kill)
        timer.start()
        first = service.process
        ended = drive(service, thread.id, run.id)
        timer.cancel()
        timer.join()
        if service.process is first and first is not None and first.poll() is not None:
            service.revive()
        killed = service.process is not first
        kills += killed
        assert_whole(service, thread.id, ended, interrupted=killed)
        events = follow(service, thread.id, run.id)
        assert [number for number, _ in events] == list(range(len(events)))
        told = [name for _, name in events]
        assert told.count("thread.run.completed") == told.count("thread.run.requires_action") == 1
        assert told.count("thread.run.step.completed") == told.count("thread.run.step.created") == 5
        assert told.count("thread.message.completed") == 3
    assert kills > 0
    permissions = (service.folder / "bearers").read_text().splitlines()
    assert set(permissions) == {'{"Authorization": "Bearer kept"}'}, "a run lost its permission"
    assert kept_permissions(service.folder) == (0, ROUNDS)


def kept_permissions(folder: Path) -> tuple[int, int]:
    """Return in how many runs a permission is kept, and how many runs there are."""
    with contextlib.closing(sqlite3.connect(folder / "service.db")) as db:
        bodies = [body for (body,) in db.execute("SELECT body FROM runs")]
    return sum("_permit" in body or "Bearer kept" in body for body in bodies), len(bodies)


def follow(service: Service, thread_id: str, run_id: str) -> list[tuple[int, str]]:
    url = f"http://127.0.0.1:{service.port}/v1/threads/{thread_id}/runs/{run_id}?stream=true"
    lines = httpx.get(url, timeout=60).text.splitlines()
    ids = [int(line[4:]) for line in lines if line.startswith("id: ")]
    names = [line[7:] for line in lines if line.startswith("event: ") and line != "event: done"]
    return list(zip(ids, names, strict=True))


def test_a_stream_goes_on_after_what_was_told(service: Service) -> None:
    beta = service.beta
    assistant = beta.assistants.create(model="gpt-4o")
    thread = beta.threads.create(messages=[{"role": "user", "content": "go"}])
    told = ""
    with beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        for text in stream.text_deltas:
            told += text
            if len(told) > 5:
                break
        service.kill()
    service.revive()
    run = drive_text(service, thread.id)
    assert run.status == "completed"
    message = beta.threads.messages.list(thread.id).data[0]
    assert message.content[0].text.value.startswith(told)


def drive_text(service: Service, thread_id: str) -> Any:
    run = service.beta.threads.runs.list(thread_id).data[0]
    return service.beta.threads.runs.poll(run_id=run.id, thread_id=thread_id, poll_interval_ms=30)


def test_told_to_stop_in_the_middle_a_run_goes_on_at_the_next_start(service: Service) -> None:
    beta = service.beta
    assistant = beta.assistants.create(model="gpt-4o", tools=TOOLS)  # type: ignore[arg-type]
    thread = beta.threads.create(messages=[{"role": "user", "content": "go"}])
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=20
    )
    calls = run.required_action.submit_tool_outputs.tool_calls  # type: ignore[union-attr]
    outputs = [{"tool_call_id": c.id, "output": "sun"} for c in calls]
    stream = beta.threads.runs.submit_tool_outputs(
        run.id,
        thread_id=thread.id,
        tool_outputs=outputs,
        stream=True,  # type: ignore[arg-type]
    )
    for event in stream:
        if event.event == "thread.message.delta":
            break
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) in (0, -signal.SIGTERM)
    service.start()
    ended = drive(service, thread.id, run.id)
    assert_whole(service, thread.id, ended, interrupted=True)
