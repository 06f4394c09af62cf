"""The batching loop with a backend that checks its use: order, budget, no cell lost, who leaves frees a place."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svc_chat.engine.base import GenerationRequest, Sampling
from svc_chat.engine.fake_backend import END, FakeBackend, salt, successor
from svc_chat.engine.loop import EngineLoop
from svc_chat.engine.scheduler import Limits
from svc_chat.errors import ContextTooLong, QueueFull


def expected(prompt: str, limit: int, adapter: str | None = None) -> str:
    """Return what the backend writes after `prompt` when it is asked alone."""
    held = [max(byte, 1) + salt(adapter) for byte in prompt.encode()]
    written = ""
    while len(written) < limit and (token := successor(held)) != END:
        held.append(token + salt(adapter))
        written += chr(token)
    return written


def ask(prompt: str, limit: int = 20, **more: object) -> GenerationRequest:
    sampling = Sampling(max_tokens=limit, temperature=0)
    return GenerationRequest("m", prompt=prompt, sampling=sampling, **more)  # type: ignore[arg-type]


async def written(loop: EngineLoop, request: GenerationRequest, adapter: str | None = None) -> str:
    return "".join([delta.text async for delta in loop.run(request, adapter)])


def settle(loop: EngineLoop) -> None:
    """Check that nothing is left over once all is quiet."""
    assert loop.queue() == {"running": 0, "waiting": 0}
    backend = loop.backend
    assert isinstance(backend, FakeBackend)
    assert loop.slots.ledger.cells - loop.slots.ledger.free == backend.used
    loop.slots.clear()
    assert loop.slots.ledger.free == backend.cells
    assert backend.used == 0


@pytest.fixture
def loop() -> Iterator[EngineLoop]:
    loop = EngineLoop(FakeBackend(), Limits(running=4, waiting=4, batch_tokens=64, prompt_tokens=16))
    yield loop
    loop.close()
    assert isinstance(loop.backend, FakeBackend)
    assert loop.backend.closed


async def quiet(loop: EngineLoop) -> None:
    async with asyncio.timeout(60):
        while sum(loop.queue().values()):  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.001)


async def test_an_answer_is_what_the_model_writes_alone(loop: EngineLoop) -> None:
    assert await written(loop, ask("hello")) == expected("hello", 20)


async def test_answers_written_together_do_not_mix(loop: EngineLoop) -> None:
    prompts = [f"question number {i} of many" for i in range(8)]
    answers = await asyncio.gather(*(written(loop, ask(p)) for p in prompts))
    assert answers == [expected(p, 20) for p in prompts]
    settle(loop)


async def test_the_next_turn_reads_only_what_is_new(loop: EngineLoop) -> None:
    first = "a conversation that has gone on for a while. "
    answer = await written(loop, ask(first))
    deltas = [d async for d in loop.run(ask(first + answer + " and then?"))]
    usage = deltas[-1].usage
    assert usage is not None
    assert usage.cached_tokens >= len(first + answer) - 1
    assert "".join(d.text for d in deltas) == expected(first + answer + " and then?", 20)


async def test_several_choices_share_the_prompt(loop: EngineLoop) -> None:
    request = ask("x" * 100, 12, choices=3)
    texts = {0: "", 1: "", 2: ""}
    async for delta in loop.run(request):
        texts[delta.index] += delta.text
    assert set(texts.values()) == {expected("x" * 100, 12)}
    backend = loop.backend
    assert isinstance(backend, FakeBackend)
    assert sum(map(len, backend.steps)) < 250, "not three times the whole prompt"


async def test_too_long_a_prompt_is_refused_and_nothing_is_booked(loop: EngineLoop) -> None:
    with pytest.raises(ContextTooLong):
        await written(loop, ask("x" * 128))
    settle(loop)


async def test_an_answer_ends_where_the_context_ends(loop: EngineLoop) -> None:
    prompt = "y" * 120
    deltas = [d async for d in loop.run(ask(prompt, 500))]
    assert "".join(d.text for d in deltas) == expected(prompt, 8)


async def test_one_more_than_fits_is_refused() -> None:
    gate = threading.Event()
    loop = EngineLoop(FakeBackend(before_decode=gate.wait), Limits(running=2, waiting=1))
    tasks = [asyncio.create_task(written(loop, ask(f"{i}"))) for i in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await written(loop, ask("one more"))
    gate.set()
    assert await asyncio.gather(*tasks) == [expected(f"{i}", 20) for i in range(3)]
    await asyncio.to_thread(loop.close)


async def test_who_leaves_in_the_middle_of_a_prompt_breaks_the_step_off() -> None:
    in_step, left = threading.Event(), threading.Event()

    def before() -> None:
        in_step.set()
        left.wait(60)

    loop = EngineLoop(FakeBackend(before_decode=before), Limits(running=2, waiting=1))
    task = asyncio.create_task(written(loop, ask("z" * 100)))
    await asyncio.to_thread(in_step.wait, 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    left.set()
    await quiet(loop)
    backend = loop.backend
    assert isinstance(backend, FakeBackend)
    assert backend.steps == [], "the step that was broken off counts for nothing"
    settle(loop)
    await asyncio.to_thread(loop.close)


async def test_a_late_answer_ends_with_what_there_is() -> None:
    for limit_s in (0.2, 2.0, 20.0):  # the machine may be too busy for the shorter ones
        steps = 0

        def slow(limit_s: float = limit_s) -> None:
            nonlocal steps
            steps += 1
            if steps == 4:
                time.sleep(limit_s + 0.1)

        loop = EngineLoop(FakeBackend(before_decode=slow), Limits(running=2, waiting=1))
        deltas = [d async for d in loop.run(ask("hello", 100, timeout_s=limit_s))]
        await asyncio.to_thread(loop.close)
        if text := "".join(d.text for d in deltas):
            break
    assert deltas[-1].finish_reason == "length"
    assert 0 < len(text) < len(expected("hello", 100))


async def test_a_failing_step_ends_its_answers_and_the_loop_lives(loop: EngineLoop) -> None:
    backend = loop.backend
    assert isinstance(backend, FakeBackend)

    def fail() -> None:
        backend.before_decode = None
        raise RuntimeError("out of order")

    backend.before_decode = fail
    with pytest.raises(Exception, match="failed while it was writing"):
        await written(loop, ask("hello"))
    assert await written(loop, ask("hello")) == expected("hello", 20)
    settle(loop)


async def test_adapters_take_turns_and_share_no_memory(loop: EngineLoop) -> None:
    adapters = [None, "a", "bb", None]
    prompt = "the same prompt " * 6
    answers = await asyncio.gather(*(written(loop, ask(prompt), a) for a in adapters))
    assert answers == [expected(prompt, 20, a) for a in adapters]


async def test_a_grammar_binds_every_token(loop: EngineLoop) -> None:
    request = ask("hello", 6, json_schema={"bytes": [65, 66]})
    assert set(await written(loop, request)) <= {"A", "B"}


async def test_a_conversation_that_found_no_room_comes_back_from_main_memory() -> None:
    loop = EngineLoop(FakeBackend(cells=160, context_tokens=128), Limits(running=1, waiting=4))
    first = "q" * 90
    await written(loop, ask(first, 5))
    await written(loop, ask("w" * 100, 5))
    last = [d async for d in loop.run(ask(first + "!", 5))][-1]
    assert last.usage is not None
    assert last.usage.cached_tokens >= 90
    settle(loop)
    await asyncio.to_thread(loop.close)


CONTEXT = 200
arrivals = st.lists(
    st.tuples(
        st.sampled_from(["", "shared beginning of a prompt that is long enough to be worth copying. " * 2]),
        st.text("abcdefgh ", min_size=1, max_size=60),
        st.integers(1, 30),
        st.sampled_from([None, None, "adapter"]),
        st.one_of(st.none(), st.integers(0, 12)),  # leaves after so many pieces
        st.integers(0, 3),  # event loop turns before it arrives
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(
    arrivals,
    st.integers(200, 400),
    st.integers(1, 5),
    st.booleans(),
    st.integers(4, 64),
    st.sampled_from([0, 1 << 20]),
    st.sampled_from([0, 1024]),
)
def test_any_arrivals_and_departures_keep_the_books(
    people: list, cells: int, running: int, partial: bool, prompt_tokens: int, spill_bytes: int, resting: int
) -> None:
    backend = FakeBackend(cells=cells, context_tokens=CONTEXT, sequences=running + 2, partial=partial)
    limits = Limits(running=running, waiting=100, batch_tokens=64, prompt_tokens=prompt_tokens)

    async def visit(
        beginning: str, rest: str, limit: int, adapter: str | None, leave: int | None, pause: int
    ):
        for _ in range(pause):
            await asyncio.sleep(0)
        text, stream = "", loop.run(ask(beginning + rest, limit), adapter)
        async for delta in stream:
            text += delta.text
            if leave is not None and len(text) >= leave:
                await stream.aclose()
                break
        # an answer ends where the context ends
        whole = expected(beginning + rest, min(limit, CONTEXT - len(beginning + rest)), adapter)
        assert whole.startswith(text) if leave is not None else text == whole

    async def day() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(visit(*person) for person in people))
            await quiet(loop)
        settle(loop)

    loop = EngineLoop(backend, limits, spill_bytes=spill_bytes)
    loop.slots.resting_cells = resting
    try:
        asyncio.run(day())
    finally:
        loop.close()
    for step in backend.steps:
        assert len(step) <= limits.batch_tokens
        assert len(set(step.sequences)) <= running
