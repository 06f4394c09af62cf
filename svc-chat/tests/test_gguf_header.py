"""A GGUF file's header is read within limits: true files are described, all others refused quickly."""

import struct
import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svc_chat.engine.gguf_header import read_header
from svc_chat.errors import ModelBroken
from svc_chat.settings import Settings

BUILTIN = Settings().builtin_model_path
U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10
PACKED = {U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q"}


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def one(kind: int, value: Any) -> bytes:
    return text(value) if kind == STRING else struct.pack(PACKED[kind], value)


def listed(kind: int, values: Any) -> bytes:
    return struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(one(kind, v) for v in values)


def scalar(kind: int, value: Any) -> bytes:
    return struct.pack("<I", kind) + one(kind, value)


def small_keys(vocabulary: int = 32) -> dict[str, bytes]:
    return {
        "general.architecture": scalar(STRING, "llama"),
        "general.license": scalar(STRING, "mit"),
        "general.languages": listed(STRING, ["pt", "en"]),
        "general.file_type": scalar(U32, 7),
        "llama.context_length": scalar(U32, 512),
        "llama.block_count": scalar(U32, 2),
        "llama.embedding_length": scalar(U32, 64),
        "llama.feed_forward_length": scalar(U32, 128),
        "llama.attention.head_count": scalar(U32, 4),
        "llama.attention.head_count_kv": listed(I32, [2, 1]),
        "tokenizer.ggml.model": scalar(STRING, "gpt2"),
        "tokenizer.ggml.tokens": listed(STRING, [f"t{n}" for n in range(vocabulary)]),
        "tokenizer.ggml.token_type": listed(I32, [1] * vocabulary),
        "tokenizer.chat_template": scalar(STRING, "{{ messages }}"),
    }


class Tensors(list[tuple[str, tuple[int, ...], int, int]]):
    """(name, shape, type, offset) of each."""

    @property
    def described(self) -> bytes:
        return b"".join(
            text(n) + struct.pack(f"<I{len(s)}QIQ", len(s), *s, t, offset) for n, s, t, offset in self
        )


SMALL_TENSORS = Tensors([("token_embd.weight", (64, 32), 0, 0), ("norm", (64,), 0, 8192)])


def written(
    keys: Mapping[str, bytes] | None = None,
    tensors: Tensors = SMALL_TENSORS,
    *,
    version: int = 3,
    key_count: int | None = None,
    tensor_count: int | None = None,
    data: int = 8192 + 256,
    extra: bytes = b"",
) -> bytes:
    keys = small_keys() if keys is None else keys
    counts = (
        len(tensors) if tensor_count is None else tensor_count,
        len(keys) if key_count is None else key_count,
    )
    content = b"GGUF" + struct.pack("<IQQ", version, *counts)
    content += b"".join(text(key) + value for key, value in keys.items()) + extra + tensors.described
    return content + b"\0" * (-len(content) % 32) + b"\0" * data


def changed(**keys: bytes | None) -> dict[str, bytes]:
    """Return the small model's keys with some replaced (None: taken out); `__` stands for a dot."""
    merged: dict[str, bytes | None] = {**small_keys(), **{k.replace("__", "."): v for k, v in keys.items()}}
    return {key: value for key, value in merged.items() if value is not None}


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[bytes], str]:
    """Return a function that gives the message with which a file is refused."""

    def message(content: bytes) -> str:
        path = tmp_path / "strange.gguf"
        path.write_bytes(content)
        with pytest.raises(ModelBroken) as caught:
            read_header(path)
        assert str(tmp_path) not in caught.value.message
        return caught.value.message

    return message


def test_the_builtin_model_is_described_as_the_gguf_package_reads_it() -> None:
    header, read = read_header(BUILTIN), gguf.GGUFReader(BUILTIN)

    def told(key: str) -> Any:
        return read.fields[key].contents()

    assert (header.kind, header.architecture, header.license) == ("model", "llama", "mit")
    assert header.context_tokens == told("llama.context_length")
    assert header.embedding_length == told("llama.embedding_length")
    assert header.heads == told("llama.attention.head_count")
    assert header.kv_heads == (told("llama.attention.head_count_kv"),) * told("llama.block_count")
    assert header.key_length == int(read.tensors[2].shape[1]) // header.kv_heads[0]
    assert header.vocab_size == len(read.fields["tokenizer.ggml.tokens"].data)
    assert header.parameters == sum(int(tensor.n_elements) for tensor in read.tensors)
    assert header.tensor_bytes == sum(int(tensor.n_bytes) for tensor in read.tensors)
    assert (header.quantization, header.languages, header.has_chat_template) == ("Q8_0", ("pt", "en"), True)


def test_a_small_model_is_described(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(written())
    header = read_header(path)
    assert (header.kv_heads, header.value_length, header.vocab_size) == ((2, 1), 16, 32)
    assert (header.parameters, header.tensor_bytes) == (64 * 32 + 64, 8192 + 256)


def test_an_adapter_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "adapter.gguf"
    keys = {
        "general.architecture": scalar(STRING, "llama"),
        "general.type": scalar(STRING, "adapter"),
        "adapter.type": scalar(STRING, "lora"),
        "adapter.lora.alpha": scalar(F32, 16.0),
    }
    path.write_bytes(written(keys, Tensors([("blk.0.attn_q.weight.lora_a", (64, 4), 0, 0)]), data=1024))
    assert read_header(path).kind == "adapter"


@pytest.mark.parametrize(("kind", "architecture"), [("projector", "clip"), ("encoder", "bert")])
def test_what_writes_no_text_is_no_model(tmp_path: Path, kind: str, architecture: str) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(written({"general.architecture": scalar(STRING, architecture)}))
    assert read_header(path).kind == kind


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "too short"),
        (b"GGUF" + b"\xff" * 60, "version 4294967295"),
        (b"PK\3\4" + b"\0" * 60, "not GGUF"),
        (written(version=1), "version 1"),
        (written(version=3 << 24), "big-endian"),
        (written(key_count=2**63), "keys"),
        (written(key_count=100_000), "keys"),
        (written(tensor_count=2**64 - 1), "tensors"),
        (written(tensor_count=0), "no tensors"),
        (written(data=100), "too early"),
        (written()[:-1], "1 bytes too early"),
        (written(extra=text("general.architecture") + scalar(STRING, "x"), key_count=15), "comes twice"),
        (written(changed(a__b=struct.pack("<I", 13))), "unknown type 13"),
        (written(changed(a__b=struct.pack("<IIQ", ARRAY, ARRAY, 1))), "list of lists"),
        (written(changed(a__b=struct.pack("<IIQ", ARRAY, 99, 1))), "unknown type 99"),
        (written(changed(a__b=struct.pack("<IIQ", ARRAY, STRING, 2**61))), "room for"),
        (written(changed(a__b=struct.pack("<IIQ", ARRAY, U32, 2**62))), "room for"),
        (written(changed(a__b=struct.pack("<IQ", STRING, 2**64 - 1))), "at most"),
        (written(changed(a__b=struct.pack("<IQ", STRING, 2) + b"\xff\xfe")), "UTF-8"),
        (written(changed(general__alignment=scalar(U32, 24))), "alignment"),
        (written(changed(general__alignment=scalar(U32, 0))), "alignment"),
        (written(changed(general__architecture=None)), "architecture"),
        (written(changed(general__architecture=scalar(U32, 3))), "not a text"),
        (written(changed(llama__context_length=None)), "missing"),
        (written(changed(llama__context_length=scalar(STRING, "many"))), "whole number"),
        (written(changed(llama__context_length=scalar(U32, 0))), "make sense"),
        (written(changed(llama__block_count=scalar(U64, 2**40))), "make sense"),
        (written(changed(llama__block_count=scalar(I32, -1))), "make sense"),
        (written(changed(llama__attention__head_count_kv=scalar(U32, 9))), "key heads"),
        (written(changed(llama__attention__head_count_kv=listed(U32, [1]))), "2 layers"),
        (written(changed(tokenizer__ggml__model=None)), "no tokenizer"),
        (written(changed(tokenizer__ggml__tokens=listed(STRING, ["a"] * 31))), "31 tokens"),
        (written(changed(tokenizer__ggml__tokens=listed(U32, [1] * 32))), "right type"),
        (written(changed(tokenizer__ggml__token_type=listed(I32, [1] * 8))), "8 entries"),
        (written(changed(tokenizer__ggml__token_type=listed(BOOL, [True] * 32))), "right type"),
        (written(changed(tokenizer__chat_template=scalar(STRING, "x" * 200_001))), "chat template"),
        (written(changed(split__count=scalar(U32, 3))), "one part of several"),
        (written(tensors=Tensors([("a", (64,), 4, 0)])), "not known here"),
        (written(tensors=Tensors([("a", (0, 4), 0, 0)])), "shape"),
        (written(tensors=Tensors([("a", (2**40, 2**40), 0, 0)])), "shape"),
        (written(tensors=Tensors([("a", (33,), 2, 0)])), "shape"),
        (written(tensors=Tensors([("a", (1, 1, 1, 1, 1), 0, 0)])), "5 dimensions"),
        (written(tensors=Tensors([("a", (8,), 0, 0), ("a", (8,), 0, 32)])), "comes twice"),
        (written(tensors=Tensors([("a", (8,), 0, 32)])), "would be right"),
        (written(tensors=Tensors([("a" * 64, (8,), 0, 0)])), "64 bytes"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_is_refused_with_the_reason(
    refusal: Callable[[bytes], str], content: bytes, said: str
) -> None:
    assert said in refusal(content)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder.gguf"
    folder.mkdir()
    for path in (folder, tmp_path / "missing.gguf", Path("/dev/zero")):
        with pytest.raises(ModelBroken):
            read_header(path)


def only_refused(path: Path) -> None:
    """Reading must be quick, take little memory and end well or with ModelBroken."""
    started = time.thread_time()
    try:
        read_header(path)
    except ModelBroken as error:
        assert str(path.parent) not in error.message
    assert time.thread_time() - started < 2.0


ANYWHERE = st.integers(0, 2**32)
ONE_FILE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ONE_FILE
@given(st.lists(st.tuples(ANYWHERE, st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes_of_a_small_file_never_do_harm(tmp_path: Path, flips: list[tuple[int, int]]) -> None:
    content = bytearray(written())
    header = len(content) - 8192
    for place, value in flips:
        content[place % header] = value
    path = tmp_path / "flipped.gguf"
    path.write_bytes(content)
    only_refused(path)


@ONE_FILE
@given(ANYWHERE, st.binary(max_size=40))
def test_an_end_anywhere_never_does_harm(tmp_path: Path, place: int, tail: bytes) -> None:
    content = written()
    path = tmp_path / "cut.gguf"
    path.write_bytes(content[: place % len(content)] + tail)
    only_refused(path)


@settings(ONE_FILE, max_examples=60)
@given(st.lists(st.tuples(ANYWHERE, st.integers(0, 255)), min_size=1, max_size=8), st.booleans(), ANYWHERE)
def test_the_builtin_model_changed_or_cut_never_does_harm(
    tmp_path: Path, flips: list[tuple[int, int]], cut: bool, end: int
) -> None:
    content = bytearray(BUILTIN.read_bytes())
    for place, value in flips:
        content[place % 80_000] = value
    path = tmp_path / "changed.gguf"
    path.write_bytes(content[: end % len(content)] if cut else content)
    only_refused(path)


@ONE_FILE
@given(st.binary(max_size=400))
def test_noise_after_the_magic_never_does_harm(tmp_path: Path, noise: bytes) -> None:
    path = tmp_path / "noise.gguf"
    path.write_bytes(b"GGUF\3\0\0\0" + noise)
    only_refused(path)


def big(path: Path, vocabulary: int) -> Path:
    """Write a header as large as that of a big vocabulary, with merges and scores."""
    keys = small_keys(vocabulary)
    keys["tokenizer.ggml.merges"] = listed(STRING, ["some pair"] * vocabulary)
    keys["tokenizer.ggml.scores"] = listed(F32, [0.5] * vocabulary)
    path.write_bytes(written(keys, Tensors([("a", (8,), 0, 0)]), data=32))
    return path


def test_a_large_vocabulary_is_read_in_less_than_a_second(tmp_path: Path) -> None:
    path = big(tmp_path / "big.gguf", 152_000)
    started = time.thread_time()
    assert read_header(path).vocab_size == 152_000
    assert time.thread_time() - started < 1.0


def test_reading_takes_little_memory(tmp_path: Path) -> None:
    path = big(tmp_path / "big.gguf", 300_000)
    tracemalloc.start()
    try:
        read_header(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_an_endless_list_of_empty_texts_is_refused_in_time(tmp_path: Path) -> None:
    path = tmp_path / "sparse.gguf"
    content = written(changed(a__b=struct.pack("<IIQ", ARRAY, STRING, 1_900_000)))
    path.write_bytes(content)
    with path.open("r+b") as file:
        file.truncate(40 * 2**30)  # sparse: zeros are texts of no length
    only_refused(path)


def test_the_table_of_tensor_types_is_that_of_the_library() -> None:
    import ctypes

    import llama_cpp

    from svc_chat.engine.gguf_types import TENSOR_TYPES

    library = ctypes.CDLL(str(next((Path(llama_cpp.__file__).parent / "lib").glob("libggml-base.so"))))
    library.ggml_type_size.restype = ctypes.c_size_t
    library.ggml_blck_size.restype = ctypes.c_int64
    for number, (_, block, size) in TENSOR_TYPES.items():
        assert (library.ggml_blck_size(number), library.ggml_type_size(number)) == (block, size)
