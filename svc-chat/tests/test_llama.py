"""llama.cpp with a tiny random model made on the spot: limits, leaving, broken files."""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from svc_chat.build import start_loop
from svc_chat.engine import llama_backend
from svc_chat.engine.backend import Batch, Decoded
from svc_chat.engine.base import GenerationRequest, Message, Sampling
from svc_chat.engine.library import ModelLibrary
from svc_chat.engine.llama_backend import LlamaBackend
from svc_chat.engine.llama_engine import LlamaEngine
from svc_chat.engine.loop import EngineLoop
from svc_chat.engine.pool import ModelPool
from svc_chat.engine.prober import Prober
from svc_chat.engine.scheduler import Limits
from svc_chat.errors import ContextTooLong, ModelBroken, QueueFull
from svc_chat.settings import Settings

pytestmark = pytest.mark.model
WriteModel = Callable[..., Path]
ASK = GenerationRequest("random", (Message("user", "hello"),), sampling=Sampling(max_tokens=8, seed=1))


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory, write_model: WriteModel) -> Path:
    return write_model(tmp_path_factory.mktemp("gguf") / "random.gguf")


@pytest.fixture
def engine(model_path: Path) -> Iterator[LlamaEngine]:
    def start(path: Path, _: Callable[[float], bool]) -> EngineLoop:
        backend = LlamaBackend(path, context_tokens=4096, cache_bytes=1 << 24, threads=1)
        return EngineLoop(backend, Limits(running=2, waiting=1))

    library = ModelLibrary([model_path], [], model_path, lambda header: header.file_bytes)
    pool = ModelPool(start, EngineLoop.close, budget_bytes=1 << 30)
    engine = LlamaEngine(library, pool, Prober(model_path.parent / "tried.json"))
    yield engine
    asyncio.run(engine.close())


async def text_of(engine: LlamaEngine, ask: GenerationRequest) -> str:
    return "".join([delta.text async for delta in engine.generate(ask)])


async def test_a_seed_gives_the_same_text_again(engine: LlamaEngine) -> None:
    assert await text_of(engine, ASK) == await text_of(engine, ASK)


async def test_the_second_turn_reuses_what_was_read(engine: LlamaEngine) -> None:
    await text_of(engine, ASK)
    last = [delta async for delta in engine.generate(ASK)][-1]
    assert last.usage is not None
    assert last.usage.cached_tokens > last.usage.prompt_tokens // 2


async def test_too_long_a_prompt_is_refused_before_any_work(engine: LlamaEngine) -> None:
    with pytest.raises(ContextTooLong):
        await text_of(engine, GenerationRequest("random", (Message("user", "x" * 3000),)))


async def test_output_follows_a_json_schema(engine: LlamaEngine) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    schema["additionalProperties"] = False
    ask = GenerationRequest(
        "random", (Message("user", "x"),), json_schema=schema, sampling=Sampling(max_tokens=60)
    )
    assert (await text_of(engine, ask)).replace(" ", "").replace("\n", "") in ('{"ok":true}', '{"ok":false}')


async def test_logprobs_are_of_the_chosen_token(engine: LlamaEngine) -> None:
    greedy = Sampling(max_tokens=4, temperature=0, top_logprobs=3)
    ask = GenerationRequest("random", (Message("user", "hello"),), sampling=greedy)
    scores = [s async for d in engine.generate(ask) for s in d.logprobs]
    assert len(scores) == 4
    assert all(s.top[0] == (s.token, s.logprob) and s.logprob <= 0 for s in scores)


async def test_a_client_that_leaves_frees_its_place(engine: LlamaEngine) -> None:
    long = GenerationRequest("random", (Message("user", "x"),), sampling=Sampling(max_tokens=400))
    leaving = engine.generate(long)
    await anext(leaving)
    await leaving.aclose()
    await asyncio.wait_for(text_of(engine, ASK), 60)
    async with asyncio.timeout(60):
        while engine.queue()["running"]:  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.01)


async def test_a_full_queue_is_refused(engine: LlamaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    await text_of(engine, ASK)
    go, decode = threading.Event(), LlamaBackend.decode
    monkeypatch.setattr(LlamaBackend, "decode", lambda *given: decode(*given) if go.wait(120) else None)
    long = GenerationRequest("random", (Message("user", "x"),), sampling=Sampling(max_tokens=300))
    running = [asyncio.create_task(text_of(engine, long)) for _ in range(3)]
    async with asyncio.timeout(60):
        while sum(engine.queue().values()) < 3:  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.001)
    with pytest.raises(QueueFull):
        await text_of(engine, ASK)
    go.set()
    await asyncio.gather(*running)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model", b"GGUF\x03\0\0\0" + b"\xff" * 64])
def test_a_broken_file_is_refused_and_the_process_lives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelBroken) as caught:
        LlamaBackend(path, context_tokens=64, cache_bytes=1 << 20, threads=1)
    assert str(tmp_path) not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelBroken):
        LlamaBackend(tmp_path / "none.gguf", context_tokens=64, cache_bytes=1 << 20, threads=1)


def test_a_model_of_which_a_part_cannot_be_loaded_leaves_nothing_in_memory(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed = []
    for name in ("llama_free", "llama_model_free"):
        free = getattr(llama_backend.api, name)
        monkeypatch.setattr(
            llama_backend.api, name, lambda it, name=name, free=free: (freed.append(name), free(it))
        )

    def broken(*_: object, **__: object) -> None:
        raise ModelBroken("the template")

    monkeypatch.setattr(llama_backend, "ChatTemplate", broken)
    with pytest.raises(ModelBroken, match="template"):
        LlamaBackend(model_path, context_tokens=64, cache_bytes=1 << 20, threads=1)
    assert freed == ["llama_free", "llama_model_free"]


def test_of_many_adapters_a_few_stay_in_memory_and_all_can_be_used(
    tmp_path: Path, model_path: Path, write_adapter: Callable[..., Path]
) -> None:
    names = [None, *(str(write_adapter(tmp_path / f"{n}.gguf", seed=n)) for n in range(1, 5))]

    def last_row(
        backend: LlamaBackend, adapter: str | None, in_use: Collection[str | None] = ()
    ) -> list[float]:
        backend.use_adapter(adapter, in_use)
        backend.truncate(0, 0)
        batch = Batch()
        batch.add(0, 0, [5, 40, 77, 30, 20], last_row=True)
        assert backend.decode(batch) is Decoded.DONE
        return [float(number) for number in backend.logits()[0]]

    def fresh() -> LlamaBackend:
        return LlamaBackend(
            model_path, context_tokens=64, cache_bytes=1 << 20, threads=1, sequences=1, adapters_kept=2
        )

    alone = {}
    for name in names:
        backend = fresh()
        alone[name] = last_row(backend, name)
        backend.close()
    assert len({tuple(row) for row in alone.values()}) == 5, "each one changes something"
    backend = fresh()
    for name in (*names, *names, *names[::-1], names[1], names[2], names[1]):
        assert last_row(backend, name) == alone[name]
        assert len(backend._adapters) <= 2
    for name in names[1:]:
        last_row(backend, name, names[1:4])
    Path(str(names[1])).unlink()  # who writes with it does not need its file
    for name in names[1:4]:
        assert last_row(backend, name, names[1:4]) == alone[name]
    last_row(backend, names[4])
    assert len(backend._adapters) == 2, "those that nobody uses any more leave"
    backend.close()


@pytest.mark.parametrize(("parallel", "kept"), [(2, 8), (12, 12)])
def test_as_many_adapters_stay_as_answers_are_written_at_once(
    tmp_path: Path, model_path: Path, parallel: int, kept: int
) -> None:
    settings = Settings(data_dir=tmp_path, parallel=parallel, context_tokens=512, cache_mb=1, device="cpu")
    loop = start_loop(model_path, settings)
    assert isinstance(loop.backend, LlamaBackend) and loop.backend._adapters_kept == kept
    loop.close()
