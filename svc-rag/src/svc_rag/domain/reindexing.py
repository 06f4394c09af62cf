"""The durable job that moves every document of every owner to another embedder.

Vectors of the new embedder gather in the store beside the old ones, which answer searches until nothing is lacking; then
the store switches in one step. What was filled outlives a crash, so that the job goes on where it was. Knows no HTTP and
no job library.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from servicekit.logs import log_event
from servicekit.models import NoMemory
from svc_rag.domain.embedders import Embedders, space_of
from svc_rag.engine.base import Embedder, SpaceStore
from svc_rag.errors import StoreNotReady

log = logging.getLogger(__name__)
REINDEX = "reindex"
BATCH = 32
"""Chunks that are embedded between two looks at whether the job is paused or cancelled."""
_FIRST_WAIT_S, _LONGEST_WAIT_S, _PAUSE_S = 0.5, 5.0, 0.25


class Context(Protocol):
    """What a job gives its handler (servicekit.jobs.JobContext)."""

    job_id: str

    def progress(self, step: int, total: int, message: str) -> None: ...
    def rest(self, message: str) -> None: ...
    def check_cancelled(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Reindexing:
    """The handler of `reindex` jobs; payload {"model"}.

    `is_paused` is asked between batches, `switched` is called when the store has switched.
    """

    store: SpaceStore
    embedders: Embedders
    is_paused: Callable[[str], bool]
    switched: Callable[[], None] = lambda: None
    pause: Callable[[float], None] = time.sleep

    def __call__(self, context: Any, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Move all documents; returns {"model", "dimension", "chunks"}."""
        model_id = str(payload["model"])
        self.embedders.reserved = model_id
        try:
            embedder = self.embedders.get(model_id)
            chunks = self._move(context, embedder)
        except Exception:
            # Cancelled, or a fault. A process that stops raises no Exception here: its job goes on.
            self._give_up()
            raise
        finally:
            self.embedders.reserved = None
        self.switched()
        log_event(log, "documents moved to another embedder", model=model_id, chunks=chunks)
        return {"model": model_id, "dimension": embedder.dimension, "chunks": chunks}

    def _move(self, context: Context, embedder: Embedder) -> int:
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                self.store.check()
                if self.store.space == space_of(
                    embedder
                ):  # a crash came between the switch and the job's end
                    return self._ended()
                done = self._one_batch(context, embedder)
                wait_s = _FIRST_WAIT_S
                if done is not None:
                    return done
            except (StoreNotReady, NoMemory) as error:
                context.rest(f"waiting: {error.message}")
                self._wait(context, wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _ended(self) -> int:
        self.store.abandon()
        return self.store.filled()[1]

    def _one_batch(self, context: Context, embedder: Embedder) -> int | None:
        """Fill what is lacking first; return the number of chunks once the store has switched."""
        self._hold(context, embedder)
        self.store.begin(space_of(embedder))
        chunks = self.store.lacking(BATCH)
        done, total = self.store.filled()
        context.progress(done, max(total, 1), f"{embedder.model_id} · {done} / {total}")
        if not chunks:
            return total if self.store.switch() else None
        self.store.fill(chunks, embedder.embed([stored.chunk.text for stored in chunks], "passage"))
        return None

    def _hold(self, context: Context, embedder: Embedder) -> None:
        if not self.is_paused(context.job_id):
            return
        context.rest(f"{embedder.model_id} · paused")
        while self.is_paused(context.job_id):
            context.check_cancelled()
            self.pause(_PAUSE_S)

    def _wait(self, context: Context, wait_s: float) -> None:
        """Wait in short pieces, so that a cancelled or stopping job ends at once."""
        for _ in range(max(1, round(wait_s / _PAUSE_S))):
            context.check_cancelled()
            self.pause(_PAUSE_S)

    def _give_up(self) -> None:
        try:
            self.store.abandon()
        except StoreNotReady:
            # The next start drops it (see `tidy`).
            log.warning("vectors of an abandoned move stay in the store")

    def tidy(self, unfinished: bool) -> None:
        """Drop what a cancelled move left in a process that ended; `unfinished`: a job will go on with it.

        Raises: StoreNotReady.
        """
        if not unfinished:
            self.store.abandon()
