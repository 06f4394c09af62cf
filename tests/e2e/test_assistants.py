"""A program written for OpenAI's Assistants API, against the whole stack: files, search, pictures, deletion."""

from __future__ import annotations

import time

import httpx
import pytest
from openai import OpenAI

from tests.conftest import Stack
from tests.e2e.conftest import picture

pytestmark = pytest.mark.e2e
MARK = "bigorna-de-vidro"
TEXT = f"The warranty of the {MARK} lasts three years. The red kettle has no warranty."


@pytest.fixture
def official(stack: Stack) -> OpenAI:
    return OpenAI(base_url=f"{stack.url}/v1", api_key=stack.api_key, max_retries=0)


def on_disk(stack: Stack, mark: str) -> list[str]:
    """Return the files of the services that hold `mark`, but for logs."""
    assert stack.data_dir is not None
    files = (path for name in ("svc-chat", "svc-rag") for path in (stack.data_dir / name).rglob("*"))
    return [str(path) for path in files if path.is_file() and mark.encode() in path.read_bytes()]


def test_an_assistant_answers_from_files_and_nothing_of_them_stays(stack: Stack, official: OpenAI) -> None:
    beta = official.beta
    file = official.files.create(file=(f"{MARK}.txt", TEXT.encode()), purpose="assistants")
    store = official.vector_stores.create()
    batch = official.vector_stores.file_batches.create_and_poll(store.id, file_ids=[file.id])
    assert batch.file_counts.completed == 1
    assistant = beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    question = f"How long does the warranty of the {MARK} last?"
    thread = beta.threads.create(messages=[{"role": "user", "content": question}])
    with beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id, temperature=0) as stream:
        names = [event.event for event in stream]
    assert names[-1] == "thread.run.completed"
    text = beta.threads.messages.list(thread.id).data[0].content[0].text  # type: ignore[union-attr]
    assert text.annotations, text.value
    cited = text.annotations[0].file_citation  # type: ignore[union-attr]
    assert (cited.file_id, cited.quote) == (file.id, TEXT.split(". ")[0] + ".")  # type: ignore[attr-defined]
    assert on_disk(stack, MARK)
    beta.threads.delete(thread.id)
    beta.assistants.delete(assistant.id)
    official.files.delete(file.id)
    assert official.vector_stores.retrieve(store.id).file_counts.total == 0
    assert on_disk(stack, MARK) == []


def test_a_picture_among_the_files_is_seen(official: OpenAI) -> None:
    file = official.files.create(file=("a.png", picture()), purpose="vision")
    assistant = official.beta.assistants.create(model="gpt-4o")
    content = [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_file", "image_file": {"file_id": file.id}},
    ]
    run = official.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        temperature=0,
        thread={"messages": [{"role": "user", "content": content}]},  # type: ignore[typeddict-item]
    )
    assert run.status == "completed", run.last_error
    said = official.beta.threads.messages.list(run.thread_id).data[0].content[0].text.value  # type: ignore[union-attr]
    assert "circle" in said


def test_a_large_file_goes_through_the_gateway(stack: Stack, official: OpenAI) -> None:
    content = b"0123456789abcdef" * (60 * 2**16)  # 60 MiB, more than other bodies may have
    began = time.monotonic()
    made = official.files.create(file=("large.bin", content), purpose="user_data")
    assert made.bytes == len(content)
    assert official.files.content(made.id).read() == content
    assert time.monotonic() - began < 120
    assert official.files.delete(made.id).deleted
    with stack.client() as client:
        answer: httpx.Response = client.post("/v1/conversations", content=content[: 51 * 2**20])
    assert answer.status_code == 413
