"""One GGUF model in memory, through llama.cpp's low-level API: the only file that imports llama_cpp.

Sequences share one unified key-value memory, so that copying a prefix copies no tensor. Owned by one thread, but for
`abort` and what only reads the vocabulary.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as api
from llama_cpp.llama_grammar import json_schema_to_gbnf
from numpy.typing import NDArray

from servicekit.logs import log_event
from svc_chat.engine.backend import Batch, Decoded, Logits
from svc_chat.engine.base import GenerationRequest, Repetition
from svc_chat.engine.gguf_header import read_header
from svc_chat.engine.memory_need import cells_for
from svc_chat.engine.template import CHATML, ChatTemplate
from svc_chat.errors import GenerationFailed, ModelBroken

SMALL_MODEL_BYTES = 64 * 1024 * 1024
"""Below this a second thread waits longer than it works. Measured 2026-11-21 on two busy cores with a 0.4 MB
model: about 0.5 s a token with two threads, 0.3 ms with one."""
MAX_GRAMMAR_CHARS = 200_000
ADAPTERS_KEPT = 8
"""Adapters that stay beside a model, at least. Trained ones come and go: each would stay until the model is freed."""
log = logging.getLogger(__name__)
_starting = threading.Lock()
_log_sink = api.llama_log_callback(lambda level, text, data: None)


class LlamaBackend:
    """A loaded model with its context, tokenizer and template.

    Args:
        path: a GGUF file.
        context_tokens: tokens of one conversation; at most what the model was trained for is used.
        cache_bytes: memory for what it has read (see `cells_for`).
        threads: processor threads; a small model takes one.
        sequences: conversations that the memory may hold, those that rest included.
        adapters_kept: adapters that stay beside it, and more while answers use them. As many as answers are written at
            once: these take turns, and each turn would read one from the disk.
        offload: use a GPU where llama.cpp was built for one.
        progress: told from 0 to 1 while the file is read; returning False ends it.

    Raises:
        ModelBroken: the file is not a model that llama.cpp can load.
    """

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int,
        cache_bytes: int,
        threads: int,
        sequences: int = 48,
        batch_tokens: int = 512,
        adapters_kept: int = ADAPTERS_KEPT,
        offload: bool = True,
        progress: Callable[[float], bool] | None = None,
    ):
        header = read_header(path)
        if header.kind != "model":
            raise ModelBroken(f"The file '{path.stem}' holds no model that writes text.")
        _start_library()
        self.sequences, self.batch_tokens = sequences, batch_tokens
        self._name, self._adapters_kept = path.stem, adapters_kept
        params = api.llama_context_default_params()
        params.n_ctx = cells_for(header, context_tokens, cache_bytes)
        params.n_batch = params.n_ubatch = batch_tokens
        params.n_seq_max = sequences
        # the output layer's buffer has a row of the vocabulary for each; llama.cpp wants one a sequence
        params.n_outputs_max = sequences
        params.n_threads = params.n_threads_batch = 1 if path.stat().st_size < SMALL_MODEL_BYTES else threads
        params.kv_unified = True
        params.no_perf = True
        self._adapters: dict[str, Any] = {}
        self._adapter: str | None = None
        self._pieces: dict[int, bytes] = {}
        self._rows = 0
        with contextlib.ExitStack() as held:  # what is loaded goes again if the rest fails
            self._load(_load_model(path, offload, progress), params, held)
            self._held = held.pop_all()
        self.context_tokens = min(context_tokens, header.context_tokens, self.cells)
        log_event(
            log, "model in memory", model=self._name, context_tokens=self.context_tokens, cells=self.cells
        )

    def _load(self, model: Any, params: Any, held: contextlib.ExitStack) -> None:
        held.callback(api.llama_model_free, model)
        self._model, self._vocab = model, api.llama_model_get_vocab(model)
        self._vocabulary = int(api.llama_vocab_n_tokens(self._vocab))
        self._context = api.llama_init_from_model(model, params)
        if not self._context:
            raise ModelBroken(f"There is not enough memory for the model '{self._name}' and its context.")
        held.callback(api.llama_free, self._context)
        self.cells = int(api.llama_n_ctx(self._context))
        self._memory = api.llama_get_memory(self._context)
        self._batch = _NativeBatch(self.batch_tokens)
        held.callback(self._batch.close)
        self._abort = _AbortFlag(self._context)
        self.template = self._read_template()

    def prompt_tokens(self, request: GenerationRequest) -> list[int]:
        if request.prompt is not None:
            return self._tokenize(request.prompt + request.answer_prefix, special=False, bos=True)
        text = self.template.render(request.messages, request.tools) + request.answer_prefix
        tokens = self._tokenize(text, special=True, bos=False)
        bos = api.llama_vocab_bos(self._vocab)
        wants_bos = api.llama_vocab_get_add_bos(self._vocab)
        return [bos, *tokens] if wants_bos and bos >= 0 and tokens[:1] != [bos] else tokens

    def decode(self, batch: Batch) -> Decoded:
        self._rows = sum(batch.rows)
        outcome = api.llama_decode(self._context, self._batch.fill(batch))
        if outcome == 0:
            return Decoded.DONE
        if outcome in (1, 2):
            return Decoded.NO_ROOM if outcome == 1 else Decoded.ABORTED
        raise GenerationFailed()

    def logits(self) -> Logits:
        pointer = api.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, shape=(self._rows, self._vocabulary))

    def copy(self, source: int, target: int, length: int) -> None:
        api.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def truncate(self, sequence: int, length: int) -> bool:
        return bool(api.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def save(self, sequence: int) -> bytes:
        size = api.llama_state_seq_get_size(self._context, sequence)
        buffer = (ctypes.c_uint8 * size)()
        written = api.llama_state_seq_get_data(self._context, buffer, size, sequence)
        return bytes(memoryview(buffer)[:written])

    def restore(self, sequence: int, state: bytes) -> bool:
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        return bool(api.llama_state_seq_set_data(self._context, buffer, len(state), sequence))

    def use_adapter(self, adapter: str | None, in_use: Collection[str | None] = ()) -> None:
        if adapter == self._adapter:
            return
        if adapter is None:
            api.llama_set_adapters_lora(self._context, None, 0, None)
        else:
            loaded = self._adapters.pop(adapter, None)  # what was used last stands last
            loaded = loaded or api.llama_adapter_lora_init(self._model, adapter.encode())
            if not loaded:
                raise ModelBroken(
                    f"The adapter '{Path(adapter).stem}' does not fit the model '{self._name}'."
                )
            self._adapters[adapter] = loaded
            adapters = (api.llama_adapter_lora_p_ctypes * 1)(loaded)
            api.llama_set_adapters_lora(self._context, adapters, 1, (ctypes.c_float * 1)(1.0))
            spare = [kept for kept in self._adapters if kept != adapter and kept not in in_use]
            for unused in spare[: max(0, len(self._adapters) - self._adapters_kept)]:
                api.llama_adapter_lora_free(self._adapters.pop(unused))
        self._adapter = adapter

    def arm(self) -> None:
        self._abort.clear()

    def abort(self) -> None:
        self._abort.set()

    def piece(self, token: int) -> bytes:
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._piece(token, special=False)
        return known

    def shown(self, token: int) -> str:
        return self._piece(token, special=True).decode("utf-8", "replace")

    def is_end(self, token: int) -> bool:
        return bool(api.llama_vocab_is_eog(self._vocab, token))

    def grammar(self, schema: Mapping[str, Any], repetition: Repetition | None) -> LlamaGrammar:
        text = json_schema_to_gbnf(json.dumps(schema))
        if len(text) > MAX_GRAMMAR_CHARS:
            raise ValueError("the schema is too large")
        return LlamaGrammar(self._vocab, repeated(text, repetition))

    def close(self) -> None:
        for adapter in self._adapters.values():
            api.llama_adapter_lora_free(adapter)
        self._held.close()

    def _tokenize(self, text: str, *, special: bool, bos: bool) -> list[int]:
        raw = text.encode()
        room = len(raw) + 2
        buffer = (api.llama_token * room)()
        count = api.llama_tokenize(self._vocab, raw, len(raw), buffer, room, bos, special)
        return buffer[: max(count, 0)]

    def _piece(self, token: int, *, special: bool) -> bytes:
        buffer = ctypes.create_string_buffer(64)
        count = api.llama_token_to_piece(self._vocab, token, buffer, 64, 0, special)
        if count < 0:
            buffer = ctypes.create_string_buffer(-count)
            count = api.llama_token_to_piece(self._vocab, token, buffer, -count, 0, special)
        return buffer.raw[: max(count, 0)]

    def _read_template(self) -> ChatTemplate:
        source = api.llama_model_chat_template(self._model, None)
        control = [
            self.shown(token)
            for token in range(self._vocabulary)
            if api.llama_vocab_is_control(self._vocab, token)
        ]
        bos, eos = api.llama_vocab_bos(self._vocab), api.llama_vocab_eos(self._vocab)
        return ChatTemplate(
            source.decode("utf-8", "replace") if source else CHATML,
            bos=self.shown(bos) if bos >= 0 else "",
            eos=self.shown(eos) if eos >= 0 else "",
            control_tokens=control,
        )


class LlamaGrammar:
    """A llama.cpp grammar with its state.

    Raises:
        ValueError: llama.cpp cannot read the grammar.
    """

    def __init__(self, vocab: Any, text: str):
        self._sampler = api.llama_sampler_init_grammar(vocab, text.encode(), b"root")
        if not self._sampler:
            raise ValueError("the grammar cannot be read")

    def allowed(self, tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
        rows = np.zeros(len(tokens), dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        rows["id"] = tokens
        data = rows.ctypes.data_as(ctypes.POINTER(api.llama_token_data))
        array = api.llama_token_data_array(data=data, size=len(tokens), selected=-1, sorted=False)
        api.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return np.isfinite(rows["logit"])

    def accept(self, token: int) -> None:
        api.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        if self._sampler:
            api.llama_sampler_free(self._sampler)
            self._sampler = None


def repeated(grammar: str, repetition: Repetition | None) -> str:
    """Return `grammar`, whose root is one JSON text, as one or more of them with what stands between."""
    if repetition is None:
        return grammar
    item = "\n".join(
        f"one{line.removeprefix('root')}" if line.startswith("root ::=") else line
        for line in grammar.splitlines()
    )
    more = f"({json.dumps(repetition.separator)} one){{0,{repetition.at_most - 1}}}"
    return f"root ::= one {more} {json.dumps(repetition.closing)}\n{item}"


class _NativeBatch:
    """llama.cpp's batch, filled through numpy views: a tenth of the time that ctypes takes token by token."""

    def __init__(self, size: int):
        self._batch = api.llama_batch_init(size, 0, 1)
        view = np.ctypeslib.as_array
        self._tokens = view(self._batch.token, (size,))
        self._positions = view(self._batch.pos, (size,))
        self._rows = view(self._batch.logits, (size,))
        view(self._batch.n_seq_id, (size,))[:] = 1
        self._sequences = np.zeros(size, dtype=np.int32)
        # each entry points into our own row of sequence numbers; llama.cpp's own cells are kept to be freed
        self._own = [ctypes.cast(self._batch.seq_id[i], ctypes.c_void_p).value or 0 for i in range(size)]
        start = self._sequences.ctypes.data
        kind = ctypes.POINTER(api.llama_seq_id)
        for i in range(size):
            self._batch.seq_id[i] = ctypes.cast(start + 4 * i, kind)

    def fill(self, batch: Batch) -> Any:
        """Return the native batch with `batch` in it; valid until the next call."""
        count = len(batch)
        self._tokens[:count] = batch.tokens
        self._positions[:count] = batch.positions
        self._sequences[:count] = batch.sequences
        self._rows[:count] = batch.rows
        self._batch.n_tokens = count
        return self._batch

    def close(self) -> None:
        for i, address in enumerate(self._own):
            self._batch.seq_id[i] = ctypes.cast(address, ctypes.POINTER(api.llama_seq_id))
        api.llama_batch_free(self._batch)


class _AbortFlag:
    """A byte that llama.cpp looks at between the operations of a step.

    The look must not be Python: it would take the interpreter's lock some hundred times a step. The C library's
    `strlen` of the flag's bytes is a ready-made function that answers 0 or 1.
    """

    def __init__(self, context: Any):
        self._flag = ctypes.create_string_buffer(2)
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value or 0
        callback = ctypes.cast(strlen, api.ggml_abort_callback)
        api.llama_set_abort_callback(context, callback, ctypes.cast(self._flag, ctypes.c_void_p))
        self._callback = callback

    def set(self) -> None:
        self._flag[0] = b"\x01"

    def clear(self) -> None:
        self._flag[0] = b"\x00"


def _start_library() -> None:
    """Start llama.cpp once; its talk goes nowhere, our own log says what was loaded."""
    with _starting:
        api.llama_log_set(_log_sink, ctypes.c_void_p(0))
        api.llama_backend_init()


def _load_model(path: Path, offload: bool, progress: Callable[[float], bool] | None) -> Any:
    params = api.llama_model_default_params()
    params.n_gpu_layers = -1 if offload else 0

    def report(share: float, _: Any) -> bool:
        return True if progress is None else progress(float(share))

    callback = api.llama_progress_callback(report)
    params.progress_callback = callback
    model = None
    with contextlib.suppress(OSError):
        model = api.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise ModelBroken(
            f"The model '{path.stem}' cannot be loaded: its file is broken or of an unknown kind."
        )
    return model
