"""llama.cpp in this process: one thread owns the models, requests wait in a bounded queue.

Knows scheduling, cancellation and limits; `llama_model.py` knows llama.cpp, `textstream.py` text.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from servicekit.errors import BadRequest
from servicekit.models import InstalledModel, ModelSlot
from svc_chat.engine.base import Delta, FinishReason, GenerationRequest, TokenLogprob, Usage
from svc_chat.engine.llama_model import LlamaModel
from svc_chat.engine.textstream import TextStream
from svc_chat.errors import ContextTooLong, QueueFull

Put = Callable[[Delta | BaseException | None], None]


@dataclass
class _Work:
    """One request on its way through the thread."""

    request: GenerationRequest
    put: Put
    deadline: float
    queued_at: float = field(default_factory=time.perf_counter)
    cancelled: threading.Event = field(default_factory=threading.Event)


class LlamaEngine:
    """Answers with GGUF models, one request at a time, the others waiting in order.

    Args:
        installed: id → what `/v1/models` says of it.
        slots: id → the slot that loads its file.
        max_waiting: requests that may wait; one more raises QueueFull.
        timeout_s: seconds after which an answer is ended with what there is.
    """

    def __init__(
        self,
        installed: Mapping[str, InstalledModel],
        slots: Mapping[str, ModelSlot[LlamaModel]],
        *,
        max_waiting: int = 32,
        timeout_s: float = 300.0,
    ):
        self._installed, self._slots = dict(installed), dict(slots)
        self._max_waiting, self._timeout_s = max_waiting, timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="llama")
        self._pending = 0

    async def models(self) -> Sequence[InstalledModel]:
        return list(self._installed.values())

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        if self._pending > self._max_waiting:
            raise QueueFull(self._max_waiting)
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Delta | BaseException | None] = asyncio.Queue()

        def put(item: Delta | BaseException | None) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, item)

        work = _Work(request, put, time.monotonic() + self._timeout_s)
        self._pending += 1
        done = loop.run_in_executor(self._thread, self._run, work)
        done.add_done_callback(self._finished)
        try:
            while (item := await pieces.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            work.cancelled.set()

    def queue(self) -> dict[str, int]:
        return {"running": min(self._pending, 1), "waiting": max(0, self._pending - 1)}

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        for slot in self._slots.values():
            await asyncio.to_thread(slot.close)

    def _finished(self, _: asyncio.Future[None]) -> None:
        self._pending -= 1

    def _run(self, work: _Work) -> None:
        """Do one request in the engine's thread; every outcome ends with None."""
        try:
            if not work.cancelled.is_set():
                self._write(work)
        except Exception as error:
            work.put(error)
        finally:
            work.put(None)

    def _write(self, work: _Work) -> None:
        started = time.perf_counter()
        with self._slots[work.request.model_id].use() as model:
            loaded = time.perf_counter()
            prompt = model.prompt_tokens(work.request)
            if len(prompt) >= model.context_tokens:
                raise ContextTooLong(len(prompt), model.context_tokens)
            cached = model.cached_prefix(prompt)
            wrote, reason = _stream(model, work, prompt)
        usage = Usage(
            len(prompt),
            wrote,
            cached,
            queue_s=started - work.queued_at,
            load_s=loaded - started,
            run_s=time.perf_counter() - loaded,
        )
        work.put(Delta(finish_reason=reason, usage=usage))


def _stream(model: LlamaModel, work: _Work, prompt: Sequence[int]) -> tuple[int, FinishReason]:
    """Write tokens out; return how many there were and why it ended."""
    sampling = work.request.sampling
    room = min(sampling.max_tokens, model.context_tokens - len(prompt))
    grammar = _grammar(model, work.request)
    text, wrote = TextStream(sampling.stop), 0
    scores: tuple[TokenLogprob, ...] = ()
    for token in model.tokens(prompt, sampling, grammar):
        if sampling.top_logprobs is not None:
            scores += (model.logprob(token, sampling.top_logprobs),)
        wrote += 1
        shown = text.feed(model.piece(token))
        if shown:
            work.put(Delta(shown, scores))
            scores = ()
        if text.stopped or work.cancelled.is_set():
            return wrote, "stop"
        if wrote >= room or time.monotonic() > work.deadline:
            work.put(Delta(text.finish(), scores))
            return wrote, "length"
    work.put(Delta(text.finish(), scores))
    return wrote, "stop"


def _grammar(model: LlamaModel, request: GenerationRequest):  # type: ignore[no-untyped-def]
    if request.json_schema is None:
        return None
    try:
        return model.grammar(request.json_schema)
    except Exception as error:  # the converter raises whatever it trips over
        raise BadRequest(
            "This JSON schema cannot be followed. Use types, properties, enum, items and $defs.",
            param="response_format",
        ) from error


def installed_from(paths: Sequence[Path], builtin: Path) -> dict[str, InstalledModel]:
    """Describe the GGUF files that exist, by id (the file's name without its ending)."""
    found = {}
    for path in paths:
        if path.is_file():
            size = path.stat().st_size
            own = path == builtin
            found[path.stem] = InstalledModel(
                path.stem, "chat", builtin=own, license="MIT" if own else None, size_bytes=size,
                created=int(path.stat().st_mtime), languages=("pt-BR", "en") if own else (),
            )  # fmt: skip
    return found
