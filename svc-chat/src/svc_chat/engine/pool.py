"""Several models within a memory budget: loads on demand, frees the one longest unused, never a busy one.

Owns which models are in memory. Knows neither GGUF nor llama.cpp: `load` makes a model from a file, `close` frees
it. Each model's life cycle is a `ModelSlot`; this adds the budget that they share. All state is guarded by one
condition; loads and unloads run in threads of their own, waiting for one costs no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Generic, TypeVar

from servicekit.errors import Conflict, ModelNotFound, NotReady
from servicekit.models import ModelSlot
from svc_chat.engine.pool_entry import Entry, ModelFile
from svc_chat.engine.pool_handle import Handle
from svc_chat.errors import ModelBroken, ModelTooLarge, NoRoom

T = TypeVar("T")
Progress = Callable[[float], bool]
"""Told how far a load is, 0 to 1; False: nobody needs it any more, end it."""
FAILED_RETRY_S = 15.0
"""A model that could not be loaded is not tried again sooner, unless its file changes."""
CLOSE_S = 10.0
"""How long `close` waits for loads to end."""


class ModelPool(Generic[T]):
    """Lends models by name.

    Args:
        load: makes a model from a file and reports progress, 0 to 1; runs in a thread of its own.
        close: frees a model; may block.
        budget_bytes: what all loaded models may take together.
        idle_unload_s: seconds without use after which a model leaves memory; 0 keeps it.
        retry_s: see FAILED_RETRY_S.
    """

    def __init__(
        self,
        load: Callable[[Path, Progress], T],
        close: Callable[[T], None],
        *,
        budget_bytes: int,
        idle_unload_s: float = 0.0,
        retry_s: float = FAILED_RETRY_S,
    ):
        self._load_model, self._close_model = load, close
        self.budget_bytes = budget_bytes
        self._idle_unload_s, self._retry_s = idle_unload_s, retry_s
        self._changed = threading.Condition()
        self._files: dict[str, ModelFile] = {}
        self._entries: dict[Path, Entry[T]] = {}
        self._closed = False
        self.cover: Callable[[str, ModelSlot[T], Callable[[], int]], None] = lambda name, slot, need: None
        """Told of each slot before its first load, with the bytes that it takes."""

    def offer(self, files: Iterable[ModelFile]) -> None:
        """Replace the list of what can be asked for. What is gone or changed is freed when nobody uses it."""
        with self._changed:
            self._files = {file.id: file for file in files}
            for file in self._files.values():
                self._entry_for(file).file = file
            free = self._take_stale()
        _start(free)

    def describe(self, model_id: str) -> ModelFile:
        """Return the file, and the adapter if any, behind a name; raises ModelNotFound."""
        file = self._files.get(model_id)
        if file is None:
            raise ModelNotFound(
                f"The model '{model_id[:80]}' is not here. GET /v1/models lists what is.", param="model"
            )
        return file

    def handle(self, model_id: str) -> Handle[T]:
        """Return what `/v1/models` shows and does of one model."""
        return Handle(self, self.describe(model_id), self._entry(model_id))

    def handles(self) -> dict[str, Handle[T]]:
        """Return all of them by name."""
        return {name: self.handle(name) for name in list(self._files)}

    def loaded(self) -> list[T]:
        """Return the models that are in memory, to look at; they may leave at any time."""
        return [m for entry in list(self._entries.values()) if (m := entry.slot.peek()) is not None]

    @contextlib.asynccontextmanager
    async def lend(self, model_id: str) -> AsyncIterator[T]:
        """Lend a model, loading it first if need be; a caller that is cancelled gives up its wait at once.

        Raises:
            ModelNotFound: no such model.
            NoRoom: others are in use and leave too little memory.
            ServiceError: it cannot be loaded.
        """
        entry, model = await self._acquire(model_id)
        try:
            yield model
        finally:
            entry.slot.release()
            self._sweep()

    def load(self, model_id: str) -> Future[None]:
        """Begin to load a model if it is not loaded; the future ends with the load. Raises as `lend`."""
        with self._changed:
            return self._begin(self._usable(model_id))

    def unload(self, model_id: str) -> bool:
        """Free a model; blocks. True if there was one. Raises Conflict while it is in use or wanted."""
        entry = self._entry(model_id)
        with self._changed:
            if entry.wanted or entry.job is not None:
                raise Conflict(f"The model '{entry.slot.name}' is being loaded. Try again when it is ready.")
        return entry.slot.unload()

    def close(self) -> None:
        """End loads, free every model that is not in use, and refuse all further loads; blocks."""
        with self._changed:
            self._closed = True
            entries = list(self._entries.values())
            self._changed.notify_all()
            # a thread that is still reading weights must not outlive the program's end
            self._changed.wait_for(lambda: all(entry.job is None for entry in entries), CLOSE_S)
        for entry in entries:
            entry.slot.close()

    def memory_bytes(self) -> int:
        """Return what the models in memory take at most, by estimate."""
        with self._changed:
            return self._sum(lambda entry: entry.resident)

    async def _acquire(self, model_id: str) -> tuple[Entry[T], T]:
        entry = self._usable(model_id)
        with self._changed:
            entry.wanted += 1
        try:
            while True:
                with self._changed:
                    model = self._ready(entry)
                    if model is not None:
                        return entry, model
                    job = self._begin(entry)
                await asyncio.wrap_future(job)
        finally:
            with self._changed:
                entry.wanted -= 1
            self._sweep()

    def _ready(self, entry: Entry[T]) -> T | None:
        """Lend the model if it is in memory and of the file's present version, or too busy to be renewed."""
        if entry.stale and not entry.slot.users:
            return None
        return entry.slot.try_acquire()

    def _entry(self, model_id: str) -> Entry[T]:
        with self._changed:
            return self._entry_for(self.describe(model_id))

    def _usable(self, model_id: str) -> Entry[T]:
        problem = self.describe(model_id).problem
        if problem is not None:
            raise ModelBroken(problem, param="model", retry_after_s=None)
        return self._entry(model_id)

    def _entry_for(self, file: ModelFile) -> Entry[T]:
        found = self._entries.get(file.path)
        if found is not None:
            return found

        def report(progress: float) -> bool:
            slot.report(progress)
            return not self._closed

        slot: ModelSlot[T] = ModelSlot(
            lambda: self._load_model(file.path, report),
            self._close_model,
            idle_unload_s=self._idle_unload_s or None,
            name=file.path.stem,
            retry_s=self._retry_s,
            version=lambda: entry.file.version,
            changed=self._wake,
        )
        entry = self._entries[file.path] = Entry(file, slot)
        self.cover(file.path.stem, slot, lambda: entry.file.memory_bytes)
        return entry

    def _begin(self, entry: Entry[T]) -> Future[None]:
        """Return the load that is under way, or begin one: promise it memory, then let a thread do the rest."""
        if entry.job is not None:
            return entry.job
        if self._closed:
            raise NotReady("The service is shutting down. Try again after the restart.")
        refused = entry.slot.refusal()
        if refused is not None:
            raise refused
        job: Future[None] = Future()
        job.set_running_or_notify_cancel()
        loaded = entry.slot.state == "ready"
        if loaded and (entry.slot.users or not entry.stale):
            job.set_result(None)
            return job
        free = self._make_room(entry, [entry] if loaded else [])
        entry.job, entry.promised_bytes = job, entry.file.memory_bytes
        work = threading.Thread(
            target=self._run, args=(entry, job, free), name=f"load-{entry.slot.name}", daemon=True
        )
        try:
            work.start()
        except RuntimeError as error:  # the system gives no more threads: who is out already goes in this one
            entry.job = None
            for leave in free:
                leave()
            raise NotReady("This machine has no thread left to load a model. Try again.") from error
        return job

    def _make_room(self, entry: Entry[T], leaving: list[Entry[T]]) -> list[Callable[[], object]]:
        """Choose who leaves, longest unused first, and take them out of their slots; none is lost if it cannot be."""
        need = entry.file.memory_bytes
        if need > self.budget_bytes:
            raise ModelTooLarge(entry.slot.name, need, self.budget_bytes)
        idle = sorted(
            (e for e in self._entries.values() if e.idle and e is not entry), key=lambda e: e.slot.last_used
        )
        promised = self._sum(lambda e: e.committed and e is not entry)
        chosen: list[Entry[T]] = []
        while promised + need > self.budget_bytes:
            if not idle:
                busy = [e.slot.name for e in self._entries.values() if e.committed and e is not entry]
                raise NoRoom(entry.slot.name, need, self.budget_bytes, busy)
            chosen.append(idle.pop(0))
            promised -= chosen[-1].promised_bytes
        for spared in reversed(chosen):
            # a larger one that had to go as well may have made room enough
            if promised + need + spared.promised_bytes <= self.budget_bytes:
                promised += spared.promised_bytes
                chosen.remove(spared)
        leaving = [*leaving, *chosen]
        return [free for e in leaving if (free := e.slot.detach()) is not None]

    def _run(self, entry: Entry[T], job: Future[None], free: list[Callable[[], object]]) -> None:
        """Load in this thread, once the memory that was promised is really free."""
        error: Exception | None = None
        try:
            for leave in free:
                leave()
            with self._changed:
                while self._sum(lambda e: e.resident) + entry.promised_bytes > self.budget_bytes:
                    self._changed.wait()
                entry.starting, entry.loaded_version = True, entry.file.version
            entry.slot.load()
        except Exception as failure:
            error = failure
        with self._changed:
            entry.starting, entry.job = False, None
            self._changed.notify_all()
        if error is None:
            job.set_result(None)
        else:
            job.set_exception(error)

    def _sum(self, counts: Callable[[Entry[T]], bool]) -> int:
        return sum(entry.promised_bytes for entry in self._entries.values() if counts(entry))

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _sweep(self) -> None:
        """Free what is no longer offered, in threads of its own."""
        with self._changed:
            free = self._take_stale()
        _start(free)

    def _take_stale(self) -> list[Callable[[], object]]:
        offered = {file.path for file in self._files.values()}
        free = []
        for path, entry in list(self._entries.items()):
            if entry.idle and (path not in offered or entry.stale):
                leave = entry.slot.detach()
                free += [] if leave is None else [leave]
            elif path not in offered and not entry.wanted and not entry.resident and entry.job is None:
                del self._entries[path]
        return free


def _start(free: list[Callable[[], object]]) -> None:
    for leave in free:
        try:
            threading.Thread(target=leave, name="unload", daemon=True).start()
        except RuntimeError:  # the system gives no more threads
            leave()
