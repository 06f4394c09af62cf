"""Answers outlive the process that writes them: killed, or told to stop, and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from tests.ports import free_port

PROGRAM = """
import sys
from servicekit.serve import serve
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.group import EngineGroup
from svc_chat.settings import Settings

folder, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
WORDS = " ".join(f"w{n}" for n in range(60))
OTHER = " ".join(f"{sys.argv[4]}{n}" for n in range(60))

class Engine(FakeEngine):
    def generate(self, request):
        if kind == "changing":  # another start, other words: only the beginning is taken over
            said = request.answer_prefix
            self.script = said + OTHER if not said else said + " " + OTHER
        return super().generate(request)

settings = Settings(data_dir=folder, port=port, auth="off", drain_s=float(sys.argv[5]))
# the first start is ended in the middle, however long that takes
holds_after = 40 if kind == "changing" and sys.argv[4] == "a" else None
serve(create_app(settings, EngineGroup([Engine(WORDS, delay_s=0.03, holds_after=holds_after)])), settings)
"""
WORDS = " ".join(f"w{n}" for n in range(60))


class Service:
    """A service in a process of its own that can be killed and started again on the same data."""

    def __init__(self, folder: Path):
        self.folder, self.starts = folder, 0
        self.port = free_port()
        self.openai = OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key="x", max_retries=0)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, kind: str, drain_s: float = 1.0) -> None:
        """Start it; each start has a letter of its own."""
        letter = "abcdefgh"[self.starts]
        self.starts += 1
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            str(self.folder),
            str(self.port),
            kind,
            letter,
            str(drain_s),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
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
        self.process.wait(60)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(60)


def read_some(service: Service, enough: Callable[[list[Any]], bool], **options: Any) -> list[Any]:
    """Ask, read events until there are enough, kill the service without warning, and return what was told."""
    told: list[Any] = []
    with contextlib.suppress(httpx.HTTPError, ConnectionError):
        for event in service.openai.responses.create(model="gpt-4o", input="x", stream=True, **options):
            told.append(event)
            if enough(told):
                break
    service.kill()
    return told


def deltas(events: list[Any], kind: str = "response.output_text.delta") -> str:
    """Return what deltas say together."""
    return "".join(event.delta for event in events if event.type == kind)


def rest(service: Service, told: list[Any]) -> list[Any]:
    """Return the events after the last that was told; the numbers go on where they were."""
    responses = service.openai.responses
    last = told[-1].sequence_number
    more = list(responses.retrieve(told[0].response.id, stream=True, starting_after=last))
    assert [event.sequence_number for event in more] == list(range(last + 1, last + 1 + len(more)))
    return more


def test_a_killed_answer_goes_on_after_what_was_told(service: Service) -> None:
    service.start("changing")
    told = read_some(service, lambda events: deltas(events).count(" ") > 10)
    service.start("changing")
    more = rest(service, told)
    text = deltas(told) + deltas(more)
    assert more[-1].type == "response.completed"
    assert more[-1].response.output_text == text
    first, second = (
        [w for w in text.split(" ") if w.startswith("a")],
        [w for w in text.split(" ") if w.startswith("b")],
    )
    assert first == [f"a{n}" for n in range(len(first))]
    assert second == [f"b{n}" for n in range(60)]
    assert 10 < len(first) < 60
    usage = more[-1].response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    whole = list(service.openai.responses.retrieve(told[0].response.id, stream=True))
    assert [event.to_dict() for event in whole] == [event.to_dict() for event in [*told, *more]]


def test_told_to_stop_it_ends_streams_in_time(service: Service) -> None:
    service.start("plain", drain_s=20)
    stream = iter(service.openai.responses.create(model="gpt-4o", input="x", stream=True))
    told = [next(stream)]
    assert service.process is not None
    os.kill(service.process.pid, signal.SIGTERM)
    told += list(stream)
    assert told[-1].type == "response.completed"
    assert told[-1].response.output_text == WORDS
    service.process.wait(60)


def test_told_to_stop_at_once_it_goes_on_at_the_next_start(service: Service) -> None:
    service.start("changing")
    assert service.process is not None
    told: list[Any] = []
    for event in service.openai.responses.create(model="gpt-4o", input="x", stream=True):
        told.append(event)
        if event.type == "response.output_text.delta":
            os.kill(service.process.pid, signal.SIGTERM)
    assert "completed" not in told[-1].type
    assert service.process.wait(60) in (0, -signal.SIGTERM)
    service.start("changing")
    more = rest(service, told)
    assert more[-1].type == "response.completed"
    assert more[-1].response.output_text == deltas(told) + deltas(more)
    assert more[-1].response.output_text.endswith("b59")
