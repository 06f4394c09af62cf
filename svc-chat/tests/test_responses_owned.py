"""The server owns a stored answer: callers come and go, it is written to its end, once, and can be ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from svc_chat.api import streams
from svc_chat.engine.base import GenerationRequest
from svc_chat.engine.fake import FakeEngine
from svc_chat.errors import QueueFull

Serve = Callable[..., Any]
Until = Callable[..., None]
WORDS = " ".join(f"w{n}" for n in range(40))


def slow() -> FakeEngine:
    """Return an engine that takes about a second."""
    return FakeEngine(WORDS, delay_s=0.025)


def held(words: int = 5) -> FakeEngine:
    """Return an engine that waits after so many words, until it is let go."""
    return FakeEngine(WORDS, holds_after=words)


def let_go(served: Any) -> None:
    """Let the engine write on."""
    served.engine.holds_after = None


def test_an_answer_is_written_to_its_end_when_the_caller_leaves(serve: Serve, until: Until) -> None:
    served = serve(slow())
    stream = served.openai.responses.create(model="gpt-4o", input="x", stream=True)
    response_id = next(iter(stream)).response.id
    stream.close()
    until(lambda: served.openai.responses.retrieve(response_id).status == "completed")
    assert served.openai.responses.retrieve(response_id).output_text == WORDS
    assert len(served.engine.requests) == 1


def test_a_caller_who_waits_for_the_whole_may_leave_too(serve: Serve, until: Until) -> None:
    served = serve(held())
    conversation = served.openai.conversations.create()
    body = {"input": "x", "conversation": conversation.id}
    served.leave("/v1/responses", body, lambda: served.engine.running)
    let_go(served)
    items = served.openai.conversations.items
    until(lambda: len(items.list(conversation.id).data) == 2)
    assert items.list(conversation.id).data[0].content[0].text == WORDS


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_may_leave_before_the_first_word(serve: Serve, until: Until, stream: bool) -> None:
    served = serve(FakeEngine("late words", holds_after=0))
    conversation = served.openai.conversations.create()
    body = {"input": "x", "conversation": conversation.id, "stream": stream}
    served.leave("/v1/responses", body, lambda: served.engine.running)
    let_go(served)
    items = served.openai.conversations.items
    until(lambda: len(items.list(conversation.id).data) == 2)
    assert items.list(conversation.id).data[0].content[0].text == "late words"


def test_an_error_after_the_caller_left_is_kept(serve: Serve, until: Until) -> None:
    served = serve(Failing(QueueFull(3), 0, held=True))
    conversation = served.openai.conversations.create()
    body = {"input": "x", "conversation": conversation.id}
    served.leave("/v1/responses", body, lambda: served.engine.asked)
    url = f"{served.url}/v1/conversations/{conversation.id}"
    response_id = httpx.get(url, timeout=60).json()["response_in_progress"]
    let_go(served)
    until(lambda: served.openai.responses.retrieve(response_id).status == "failed")
    assert httpx.get(url, timeout=60).json()["response_in_progress"] is None


def test_an_answer_that_is_not_stored_ends_with_its_caller(serve: Serve, until: Until) -> None:
    served = serve(held())
    stream = served.openai.responses.create(model="gpt-4o", input="x", stream=True, store=False)
    next(iter(stream))
    until(lambda: served.engine.running == 1)
    stream.close()
    until(lambda: served.engine.running == 0)


def test_readers_begin_where_they_want_and_all_read_the_same(serve: Serve) -> None:
    served = serve(slow())
    first = served.openai.responses.create(model="gpt-4o", input="x", stream=True)
    events = iter(first)
    response_id = next(events).response.id
    responses = served.openai.responses
    seen: dict[int, list[Any]] = {}

    def read(after: int) -> None:
        seen[after] = list(responses.retrieve(response_id, stream=True, starting_after=after))

    readers = [threading.Thread(target=read, args=(after,)) for after in (0, 3, 7)]
    for reader in readers:
        reader.start()
    whole = list(events)
    for reader in readers:
        reader.join()
    for after, told in seen.items():
        assert [event.to_dict() for event in told] == [
            event.to_dict() for event in whole if event.sequence_number > after
        ]
    again = list(responses.retrieve(response_id, stream=True))
    assert [event.to_dict() for event in again[1:]] == [event.to_dict() for event in whole]
    assert list(responses.retrieve(response_id, stream=True, starting_after=10_000)) == []


def test_what_is_read_meanwhile_is_the_beginning_of_the_end(serve: Serve, until: Until) -> None:
    served = serve(held())
    made = served.openai.responses.create(model="gpt-4o", input="x", background=True)
    responses = served.openai.responses
    until(lambda: responses.retrieve(made.id).output_text)
    part = responses.retrieve(made.id)
    assert part.status == "in_progress"
    let_go(served)
    until(lambda: responses.retrieve(made.id).status == "completed")
    assert WORDS.startswith(part.output_text)


def test_a_background_answer_is_queued_at_once_and_completed_later(serve: Serve, until: Until) -> None:
    served = serve(slow())
    made = served.openai.responses.create(model="gpt-4o", input="x", background=True)
    assert made.status == "queued"
    until(lambda: served.openai.responses.retrieve(made.id).status == "completed")
    events = [event.type for event in served.openai.responses.retrieve(made.id, stream=True)]
    assert events[:3] == ["response.created", "response.queued", "response.in_progress"]


def test_background_answers_take_turns_and_are_limited_for_each_caller(serve: Serve, until: Until) -> None:
    served = serve(held(), background_max=3, background_running=1)
    create = served.openai.responses.create
    made = [create(model="gpt-4o", input="x", background=True) for _ in range(3)]
    with pytest.raises(openai.RateLimitError) as refused:
        create(model="gpt-4o", input="x", background=True)
    assert refused.value.code == "background_queue_full"
    assert int(refused.value.response.headers["retry-after"]) >= 1
    until(lambda: served.engine.running == 1)
    let_go(served)
    until(lambda: all(served.openai.responses.retrieve(m.id).status == "completed" for m in made))
    create(model="gpt-4o", input="x", background=True)


def test_cancelling_frees_the_model_at_once_and_keeps_what_is_written(serve: Serve, until: Until) -> None:
    served = serve(held())
    conversation = served.openai.conversations.create()
    stream = iter(
        served.openai.responses.create(model="gpt-4o", input="x", stream=True, conversation=conversation.id)
    )
    response_id = next(stream).response.id
    while next(stream).type != "response.output_text.delta":
        pass
    ended = served.openai.responses.cancel(response_id)
    assert served.engine.running == 0
    assert (ended.status, ended.output[0].status) == ("cancelled", "incomplete")
    last = list(stream)[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "cancelled")
    kept = served.openai.conversations.items.list(conversation.id).data
    assert [item.role for item in kept] == ["assistant", "user"]
    assert kept[0].content[0].text == ended.output_text
    assert served.openai.responses.cancel(response_id).to_dict() == ended.to_dict()


def test_a_queued_answer_can_be_cancelled(serve: Serve) -> None:
    served = serve(held(), background_running=1)
    made = [served.openai.responses.create(model="gpt-4o", input="x", background=True) for _ in range(2)]
    assert served.openai.responses.cancel(made[1].id).status == "cancelled"
    assert len(served.engine.requests) <= 1


def test_deleting_an_answer_ends_it(serve: Serve) -> None:
    served = serve(slow())
    made = served.openai.responses.create(model="gpt-4o", input="x", background=True)
    served.openai.responses.delete(made.id)
    assert served.engine.running == 0
    with pytest.raises(openai.NotFoundError):
        served.openai.responses.retrieve(made.id)


def test_a_conversation_has_one_answer_at_a_time(serve: Serve, until: Until) -> None:
    served = serve(held())
    conversation = served.openai.conversations.create()
    create = served.openai.responses.create
    made = create(model="gpt-4o", input="one", conversation=conversation.id, background=True)
    with pytest.raises(openai.ConflictError) as refused:
        create(model="gpt-4o", input="two", conversation=conversation.id)
    assert refused.value.code == "conversation_locked"
    with pytest.raises(openai.ConflictError):
        served.openai.conversations.items.create(conversation.id, items=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.ConflictError) as early:
        create(model="gpt-4o", input="two", previous_response_id=made.id)
    assert early.value.code == "response_in_progress"
    shown = httpx.get(f"{served.url}/v1/conversations/{conversation.id}", timeout=60).json()
    assert shown["response_in_progress"] == made.id
    let_go(served)
    until(lambda: served.openai.responses.retrieve(made.id).status == "completed")
    create(model="gpt-4o", input="two", conversation=conversation.id)
    turns = [turn.content for turn in served.engine.requests[-1].messages]
    assert turns == ["one", WORDS, "two"]


def test_deleting_a_conversation_ends_what_is_written_in_it(serve: Serve) -> None:
    served = serve(slow())
    conversation = served.openai.conversations.create()
    made = served.openai.responses.create(
        model="gpt-4o", input="one", conversation=conversation.id, background=True
    )
    served.openai.conversations.delete(conversation.id)
    assert served.engine.running == 0
    with pytest.raises(openai.NotFoundError):
        served.openai.responses.retrieve(made.id)


class Failing(FakeEngine):
    """Raises what it is told, before the first word or after the third; held, not before it is let go."""

    def __init__(self, error: Exception, after: int, times: int = 1000, *, held: bool = False):
        super().__init__(WORDS, holds_after=0 if held else None)
        self.error, self.after, self.times, self.asked = error, after, times, 0

    async def generate(self, request: GenerationRequest) -> Any:
        said = 0
        self.asked += 1
        async for delta in super().generate(request):
            if said == self.after and self.times > 0:
                self.times -= 1
                raise self.error
            said += 1
            yield delta


def test_an_early_error_keeps_its_status_and_leaves_nothing(serve: Serve) -> None:
    served = serve(Failing(QueueFull(3), 0))
    conversation = served.openai.conversations.create()
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as refused:
            served.openai.responses.create(
                model="gpt-4o", input="x", conversation=conversation.id, stream=stream
            )
        assert refused.value.code == "queue_full"
    assert served.openai.conversations.items.list(conversation.id).data == []


@pytest.mark.parametrize("store", [True, False])
def test_a_late_error_is_told_in_the_answer(serve: Serve, store: bool) -> None:
    served = serve(Failing(ZeroDivisionError("x") if store else QueueFull(3), 3))
    made = served.openai.responses.create(model="gpt-4o", input="x", store=store)
    assert made.status == "failed"
    assert made.error is not None
    assert made.error.code == ("server_error" if store else "rate_limit_exceeded")
    assert "division" not in made.error.message
    assert made.output_text == "w0 w1 w2"


def test_a_silent_stream_says_that_it_is_alive(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_S", 0.1)
    served = serve(FakeEngine("late", delay_s=1.3))
    body = {"input": "x", "stream": True}
    lines = httpx.post(f"{served.url}/v1/responses", json=body, timeout=60).text.splitlines()
    assert ": keep-alive" in lines
    assert lines[-3] == "event: response.completed"


def test_a_background_answer_waits_for_a_busy_model(serve: Serve, until: Until) -> None:
    served = serve(Failing(QueueFull(3), 0, times=1))
    made = served.openai.responses.create(model="gpt-4o", input="x", background=True)
    until(lambda: served.openai.responses.retrieve(made.id).status == "completed")


def test_pieces_of_one_transaction_are_one_event(serve: Serve) -> None:
    served = serve(FakeEngine(" ".join([WORDS] * 10)))
    events = list(served.openai.responses.create(model="gpt-4o", input="x", stream=True))
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in deltas) == " ".join([WORDS] * 10)
    assert len(deltas) < 200  # a few dozen, of 400 words
