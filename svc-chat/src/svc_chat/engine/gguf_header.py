"""What a GGUF file says of itself, checked before llama.cpp sees it.

Owns the meaning of the header's keys and the rules that a loadable file keeps. Imports no llama_cpp,
maps nothing into memory, reads the header only. `gguf_reader.py` owns the bytes.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from svc_chat.engine.gguf_keys import Keys
from svc_chat.engine.gguf_reader import (
    INT32,
    MAX_KEY_BYTES,
    MAX_KEYS,
    STRING,
    UINT32,
    HeaderReader,
    Malformed,
    Value,
)
from svc_chat.engine.gguf_tensors import Tensor, check_extents, read_tensors
from svc_chat.engine.gguf_types import ENCODERS, FILE_TYPES, REPACKED
from svc_chat.engine.template import MAX_TEMPLATE_CHARS
from svc_chat.errors import ModelBroken

Kind = Literal["model", "adapter", "projector", "encoder"]
MAX_LAYERS, MAX_EMBEDDING, MAX_HEADS, MAX_CONTEXT = 512, 1 << 18, 4096, 1 << 27
MAX_VOCABULARY = 1 << 21


@dataclass(frozen=True)
class GgufHeader:
    """A file's own description. Only `kind` "model" writes text; an adapter needs its base.

    `kv_heads` has one entry a layer; `repacked_bytes` are of weights that are held twice. `context_tokens` and the shapes are 0 for what is not a model.
    """

    kind: Kind
    architecture: str
    name: str
    context_tokens: int
    block_count: int
    embedding_length: int
    feed_forward_length: int
    heads: int
    kv_heads: tuple[int, ...]
    key_length: int
    value_length: int
    vocab_size: int
    has_chat_template: bool
    license: str | None
    languages: tuple[str, ...]
    quantization: str | None
    parameters: int
    tensor_bytes: int
    repacked_bytes: int
    header_bytes: int
    file_bytes: int


def read_header(path: Path) -> GgufHeader:
    """Return what the file says, after checking that it can be true.

    Raises:
        ModelBroken: it cannot; the message says what is wrong and what to do.
    """
    name = path.stem[:80]
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise Malformed("it is not a file", "Name a GGUF file")
        with path.open("rb") as file:
            return _read(file, facts.st_size)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise ModelBroken(
            f"The model '{name}' cannot be read: {reason}. Check that its file is there and readable."
        ) from error
    except Malformed as error:
        raise ModelBroken(f"The model '{name}' cannot be used: {error.what}. {error.remedy}.") from error


def read_opened(file: BinaryIO, size: int, name: str) -> GgufHeader:
    """Return what a file of `size` bytes says that is open, here or far away; only its header is read.

    Raises:
        ModelBroken: it cannot be true.
    """
    try:
        return _read(file, size)
    except Malformed as error:
        raise ModelBroken(f"The model '{name}' cannot be used: {error.what}. {error.remedy}.") from error


def _read(file: BinaryIO, size: int) -> GgufHeader:
    reader = HeaderReader(file, size)
    tensor_count, key_count = _preamble(reader)
    keys = Keys(_read_keys(reader, key_count))
    alignment = keys.integer("general.alignment", 1, 1 << 20, default=32)
    tensors = read_tensors(reader, tensor_count)
    header_bytes = reader.position
    check_extents(tensors, header_bytes, alignment, size)
    return _described(keys, tensors, header_bytes, size)


def _preamble(reader: HeaderReader) -> tuple[int, int]:
    """Check magic and version; return how many tensors and keys are declared."""
    if reader.left < 24:
        raise Malformed("the file is too short to be GGUF", "Download it again: it is not complete")
    if reader.take(4) != b"GGUF":
        raise Malformed("its file is not GGUF", "Download the GGUF version of the model, or convert it")
    version = reader.u32()
    if version not in (2, 3):
        big_endian = int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3)
        detail = "it was written for big-endian machines" if big_endian else f"it is GGUF version {version}"
        raise Malformed(f"{detail}; versions 2 and 3, little-endian, are read", "Convert the model again")
    tensor_count, key_count = reader.u64(), reader.u64()
    if key_count > MAX_KEYS or key_count * 13 > reader.left:
        raise Malformed(f"it says it has {key_count} keys, at most {MAX_KEYS} make sense")
    return tensor_count, key_count


def _read_keys(reader: HeaderReader, count: int) -> dict[str, Value]:
    keys: dict[str, Value] = {}
    for _ in range(count):
        key = reader.text(MAX_KEY_BYTES, "a key")
        if key in keys:
            raise Malformed(f"the key '{key[:80]}' comes twice")
        if not key.isprintable() or not key:
            raise Malformed("a key holds characters that cannot be printed")
        keys[key] = reader.value(key)
    return keys


def _described(keys: Keys, tensors: Mapping[str, Tensor], header_bytes: int, file_bytes: int) -> GgufHeader:
    architecture = keys.text("general.architecture") or ""
    if not architecture or not architecture.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise Malformed("it does not say of which architecture it is ('general.architecture')")
    kind = _kind(keys, architecture)
    vocab_size = _check_vocabulary(keys, tensors) if kind == "model" else 0
    shape = _shape(keys, architecture) if kind == "model" else _Shape()
    template = keys.text("tokenizer.chat_template")
    if template is not None and len(template) > MAX_TEMPLATE_CHARS:
        raise Malformed(
            f"its chat template has {len(template)} characters, at most {MAX_TEMPLATE_CHARS} are run"
        )
    if kind == "model" and keys.integer("split.count", 0, 1 << 16, default=0) > 1:
        raise Malformed("it is one part of several", "Join them with `llama-gguf-split --merge`")
    return GgufHeader(
        kind, architecture, (keys.text("general.name") or "")[:200], shape.context_tokens, shape.layers,
        shape.embedding, shape.feed_forward, shape.heads, shape.kv_heads, shape.key_length,
        shape.value_length, vocab_size, template is not None, keys.text("general.license"),
        keys.texts("general.languages"), FILE_TYPES.get(keys.integer("general.file_type", 0, 2**32, default=2**32)),
        sum(tensor.elements for tensor in tensors.values()),
        sum(tensor.byte_count for tensor in tensors.values()),
        sum(t.byte_count for name, t in tensors.items() if t.type in REPACKED and name != "token_embd.weight"),
        header_bytes, file_bytes,
    )  # fmt: skip


def _kind(keys: Keys, architecture: str) -> Kind:
    said = keys.text("general.type") or "model"
    if said == "adapter":
        if keys.text("adapter.type") != "lora":
            raise Malformed("it is an adapter that is not LoRA", "Use a LoRA adapter")
        return "adapter"
    if said == "mmproj" or architecture == "clip":
        return "projector"
    return "encoder" if architecture in ENCODERS else "model"


@dataclass(frozen=True)
class _Shape:
    """The sizes of a model's layers."""

    context_tokens: int = 0
    layers: int = 0
    embedding: int = 0
    feed_forward: int = 0
    heads: int = 0
    kv_heads: tuple[int, ...] = ()
    key_length: int = 0
    value_length: int = 0


def _shape(keys: Keys, architecture: str) -> _Shape:
    context = keys.integer(f"{architecture}.context_length", 1, MAX_CONTEXT)
    layers = keys.integer(f"{architecture}.block_count", 1, MAX_LAYERS)
    embedding = keys.integer(f"{architecture}.embedding_length", 1, MAX_EMBEDDING)
    feed_forward = max(keys.per_layer(f"{architecture}.feed_forward_length", layers, 1 << 20))
    attention = f"{architecture}.attention"
    heads = max(keys.per_layer(f"{attention}.head_count", layers, MAX_HEADS))
    kv_heads = keys.per_layer(f"{attention}.head_count_kv", layers, MAX_HEADS, default=heads)
    if max(kv_heads) > heads:
        raise Malformed(f"it has {max(kv_heads)} key heads for {heads} heads")
    width = max(1, embedding // heads) if heads else 1
    key_length = keys.integer(f"{attention}.key_length", 1, MAX_EMBEDDING, default=width)
    value_length = keys.integer(f"{attention}.value_length", 1, MAX_EMBEDDING, default=width)
    return _Shape(context, layers, embedding, feed_forward, heads, kv_heads, key_length, value_length)


def _check_vocabulary(keys: Keys, tensors: Mapping[str, Tensor]) -> int:
    """Return the number of tokens; every list that goes with them must be as long."""
    if keys.text("tokenizer.ggml.model") is None:
        raise Malformed("it holds no tokenizer", "Convert the model with its tokenizer")
    count = keys.array("tokenizer.ggml.tokens", (STRING,)) or 0
    if not 1 <= count <= MAX_VOCABULARY:
        raise Malformed(f"its vocabulary has {count} tokens, 1 to {MAX_VOCABULARY} make sense")
    for key, kinds in (("token_type", (INT32, UINT32)), ("scores", (6,))):
        length = keys.array(f"tokenizer.ggml.{key}", kinds)
        if length not in (None, count):
            raise Malformed(f"its vocabulary has {count} tokens and {length} entries of '{key}'")
    keys.array("tokenizer.ggml.merges", (STRING,))
    embeddings = tensors.get("token_embd.weight")
    if embeddings is not None and embeddings.shape[1:2] != (count,):
        rows = embeddings.shape[1] if len(embeddings.shape) > 1 else 0
        raise Malformed(f"its vocabulary has {count} tokens and its embeddings {rows} rows")
    return count
