"""A program written for OpenAI's Assistants API, against the whole stack: files, search, pictures, deletion."""

from __future__ import annotations

import io
import time

import httpx
import numpy as np
import pytest
from openai import OpenAI
from PIL import Image

from deploy import machine
from tests.conftest import Stack
from tests.e2e.conftest import picture

pytestmark = pytest.mark.e2e
MARK = "bigorna-de-vidro"
_BLUE = (31, 119, 180)
"""In which matplotlib draws."""
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


@pytest.mark.skipif(machine.sandbox_missing() is not None, reason=str(machine.sandbox_missing()))
@pytest.mark.parametrize(
    ("asked", "head"),
    [
        ("Make a bar chart of sales by city", "city,month,sales"),
        ("Faça um gráfico de barras de vendas por cidade", "cidade,mês,vendas"),
    ],
)
def test_the_built_in_model_draws_the_bars_of_a_table(official: OpenAI, asked: str, head: str) -> None:
    content = f"{head}\nRecife,1,30\nNatal,1,10\nRecife,2,20\nManaus,1,80\nNatal,2,15\n"
    file = official.files.create(file=("table.csv", content.encode()), purpose="assistants")
    assistant = official.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
    attached = {"file_id": file.id, "tools": [{"type": "code_interpreter"}]}
    run = official.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": asked, "attachments": [attached]}]},  # type: ignore[typeddict-item]
    )
    assert run.status == "completed", run.last_error
    steps = official.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    picture, text = official.beta.threads.messages.list(run.thread_id).data[0].content
    assert (picture.type, text.type) == ("image_file", "text"), steps
    png = official.files.content(picture.image_file.file_id).read()
    assert bars(png) == pytest.approx([50 / 80, 25 / 80, 1.0], abs=0.02), steps


def bars(png: bytes) -> list[float]:
    """Return the heights of a chart's bars, left to right, as parts of the highest."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    blue = (abs(pixels - _BLUE) < 12).all(axis=2).sum(axis=0)
    starts = [x for x in range(1, len(blue)) if blue[x] and not blue[x - 1]]
    heights = [int(np.median(blue[x : x + 15])) for x in starts]
    return [height / max(heights) for height in heights]
