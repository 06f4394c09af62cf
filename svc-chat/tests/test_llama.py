"""llama.cpp with a tiny random model made on the spot: limits, leaving, broken files."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest

from servicekit.models import ModelSlot
from svc_chat.engine.base import GenerationRequest, Message, Sampling
from svc_chat.engine.llama_backend import LlamaBackend
from svc_chat.engine.llama_engine import LlamaEngine, installed_from
from svc_chat.engine.loop import EngineLoop
from svc_chat.engine.scheduler import Limits
from svc_chat.errors import ContextTooLong, ModelBroken, QueueFull

pytestmark = pytest.mark.model
ASK = GenerationRequest("random", (Message("user", "hello"),), sampling=Sampling(max_tokens=8, seed=1))


def write_random_model(path: Path) -> None:
    """Write a GGUF llama of two layers with a byte vocabulary and random weights."""
    width, heads, hidden = 64, 4, 128
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

    shifted = iter(range(256))
    table = {c: chr(c) for c in [*range(33, 127), *range(161, 173), *range(174, 256)]}
    for code in range(256):
        if code not in table:
            table[code] = chr(256 + next(shifted))
    tokens = specials + [table[c] for c in range(256)]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(2)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(specials) + [1] * 256)
    writer.add_token_merges([f"{table[104]} {table[105]}"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    random = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.05).astype(np.float32)

    writer.add_tensor("token_embd.weight", weights(len(tokens), width))
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    shapes = {"attn_q": (width, width), "attn_k": (width, width), "attn_v": (width, width),
              "attn_output": (width, width), "ffn_gate": (hidden, width), "ffn_up": (hidden, width),
              "ffn_down": (width, hidden)}  # fmt: skip
    for layer in range(2):
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", weights(*shape))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "random.gguf"
    write_random_model(path)
    return path


@pytest.fixture
def engine(model_path: Path) -> Iterator[LlamaEngine]:
    def start() -> EngineLoop:
        backend = LlamaBackend(model_path, context_tokens=4096, cache_bytes=1 << 24, threads=1)
        return EngineLoop(backend, Limits(running=2, waiting=1))

    slot = ModelSlot(start, unload=EngineLoop.close)
    engine = LlamaEngine(installed_from([model_path], model_path), {"random": slot})
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
    await asyncio.wait_for(text_of(engine, ASK), 5)
    async with asyncio.timeout(5):
        while engine.queue()["running"]:  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.01)


async def test_a_full_queue_is_refused(engine: LlamaEngine) -> None:
    long = GenerationRequest("random", (Message("user", "x"),), sampling=Sampling(max_tokens=300))
    running = [asyncio.create_task(text_of(engine, long)) for _ in range(3)]
    async with asyncio.timeout(5):
        while sum(engine.queue().values()) < 3:  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.001)
    with pytest.raises(QueueFull):
        await text_of(engine, ASK)
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
