"""What tests of assistants share: a model that says one thing after the other, and the official client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from openai import AssistantEventHandler, OpenAI

from svc_chat.engine.base import Delta, GenerationRequest
from svc_chat.engine.fake import FakeEngine

Make = Callable[..., TestClient]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


BOTH = call("weather", city="Recife") + "\n" + call("weather", city="Natal")


class Turns(FakeEngine):
    """Says one text after the other: which one follows from how many turns with calls there were."""

    def __init__(self, *texts: str, **options: Any):
        super().__init__(**options)
        self.texts = texts

    def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        done = sum(bool(message.tool_calls) for message in request.messages)
        self.script = self.texts[min(done, len(self.texts) - 1)]
        return super().generate(request)


def official(client: TestClient) -> OpenAI:
    return OpenAI(base_url="http://testserver/v1", api_key="x", http_client=client, max_retries=0)  # type: ignore[arg-type]


def assert_exact(model: Any, body: dict[str, Any], *, but: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    model.model_validate(body, strict=True)
    assert body.keys() - model.model_fields.keys() <= {"reasoning_effort"}
    assert model.model_fields.keys() - body.keys() <= but


def asked(beta: Any, text: str = "hello there", **options: Any) -> tuple[Any, Any]:
    assistant = beta.assistants.create(model="gpt-4o", **options)
    thread = beta.threads.create(messages=[{"role": "user", "content": text}])
    return assistant, thread


def said(beta: Any, thread_id: str) -> list[str]:
    messages = beta.threads.messages.list(thread_id, order="asc")
    return ["".join(p.text.value for p in m.content if p.type == "text") for m in messages]


def until_ended(beta: Any, thread_id: str, run_id: str) -> Any:
    return beta.threads.runs.poll(run_id=run_id, thread_id=thread_id, poll_interval_ms=20)


def on_disk(folder: Path, mark: str) -> list[Path]:
    wanted = (mark.encode(), json.dumps(mark)[1:-1].encode())
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(one in path.read_bytes() for one in wanted)
    ]


class Handler(AssistantEventHandler):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.text = ""
        self.done: list[str] = []
        self.calls: list[Any] = []
        self.ended = 0

    def on_event(self, event: Any) -> None:
        self.names.append(event.event)

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.text += delta.value or ""
        assert snapshot.value == self.text

    def on_text_done(self, text: Any) -> None:
        self.done.append(text.value)

    def on_tool_call_created(self, tool_call: Any) -> None:
        self.calls.append(tool_call)

    def on_end(self) -> None:
        self.ended += 1
