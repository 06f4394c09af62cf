"""The one thread that owns a model in memory: takes requests in, steps, hands tokens out.

Each turn: take in what arrived, let go who left or is late, give places, read one batch, choose a token for every
sequence whose last token was read. Results go to the event loop once a step. `scheduler` decides what is read,
`slots` where it lies, `sampling` and `choosing` what comes next; `backend` does it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import replace

from servicekit.errors import DeadlineExceeded, NotReady, ServiceError
from servicekit.logs import log_event
from svc_chat.engine.backend import Backend, Batch, Decoded
from svc_chat.engine.base import Delta, FinishReason, GenerationRequest
from svc_chat.engine.choosing import advance, choose_tokens, last_delta
from svc_chat.engine.intake import forget, sequences_of, taken_in
from svc_chat.engine.outbox import Outbox
from svc_chat.engine.scheduler import Limits, Piece, newest, plan
from svc_chat.engine.sequence import Item, Sequence
from svc_chat.engine.slots import Place, Slots
from svc_chat.engine.spill import SpillStore
from svc_chat.errors import GenerationFailed, QueueFull

ABORT_TOKENS = 32
"""A step that reads at least this much of a leaver's prompt is broken off; a shorter one is over sooner."""
WAITED_TOO_LONG = "The request waited too long for its turn. Try again later, or raise its time limit."
log = logging.getLogger(__name__)


class EngineLoop:
    """Writes many answers at once with one model.

    Args:
        backend: the model; the loop's thread owns it from now on and closes it.
        limits: how much at once, and how much waits.
        timeout_s: seconds after which an answer ends with what there is.
        spill_bytes: main memory for prefixes that find no room beside the model.
    """

    def __init__(
        self, backend: Backend, limits: Limits, *, timeout_s: float = 300.0, spill_bytes: int = 256 << 20
    ):
        self.backend, self._timeout_s = backend, timeout_s
        self.limits = replace(limits, batch_tokens=min(limits.batch_tokens, backend.batch_tokens))
        self.slots = Slots(backend, SpillStore(spill_bytes))
        self._arrived: deque[Sequence] = deque()
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._stepping: list[Piece] = []
        self._outbox = Outbox()
        self._unfinished = 0
        self._count = threading.Lock()
        self._wake = threading.Condition()
        self._closed = False
        self._steps = 0
        self._thread = threading.Thread(target=self._main, name="engine-loop", daemon=True)
        self._thread.start()

    async def run(
        self, request: GenerationRequest, adapter: str | None = None, load_s: float = 0.0
    ) -> AsyncGenerator[Delta, None]:
        """Write the answers to `request`; closing the iterator frees their places at once.

        Raises:
            ContextTooLong: the prompt leaves no room to answer.
            QueueFull: too many wait already.
        """
        self._book(request.choices)
        inbox: asyncio.Queue[Item] = asyncio.Queue()
        taking = asyncio.to_thread(
            sequences_of, request, self.backend, inbox.put_nowait, self._timeout_s, adapter, load_s
        )
        try:
            sequences = await taken_in(taking)
        except BaseException:
            self._unbook(request.choices)
            raise
        self._outbox.loop = asyncio.get_running_loop()
        self._take(sequences)
        try:
            unfinished = len(sequences)
            while unfinished:
                item = await inbox.get()
                if isinstance(item, BaseException):
                    raise item
                if item.finish_reason is not None:
                    unfinished -= 1
                yield item
        finally:
            self._let_go(sequences)

    def queue(self) -> dict[str, int]:
        """Return how many answers are `running` and `waiting`."""
        running = len(self._running)
        return {"running": running, "waiting": max(0, self._unfinished - running)}

    def close(self) -> None:
        """End what runs, free the model. Blocks until the thread is done."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self.backend.abort()
        self._thread.join()

    # ------------------------------------------------------------------ called in the event loop's thread

    def _book(self, count: int) -> None:
        most = self.limits.running + self.limits.waiting
        with self._count:
            if self._unfinished + count > most:
                raise QueueFull(self.limits.waiting)
            self._unfinished += count

    def _unbook(self, count: int) -> None:
        with self._count:
            self._unfinished -= count

    def _take(self, sequences: list[Sequence]) -> None:
        with self._wake:
            if self._closed:
                self._unbook(len(sequences))
                forget(sequences)
                raise NotReady("The model is being unloaded. Try again.")
            self._arrived.extend(sequences)
            self._wake.notify()

    def _let_go(self, sequences: list[Sequence]) -> None:
        """Mark what is unfinished as left; break off a step that reads much of its prompt."""
        for sequence in sequences:
            sequence.cancelled = True
        if any(_worth_breaking_off(piece) for piece in self._stepping):
            self.backend.abort()
        with self._wake:
            self._wake.notify()

    # ------------------------------------------------------------------ the loop's own thread

    def _main(self) -> None:
        try:
            while self._wait_for_work():
                self._turn()
        finally:
            self._end_all(NotReady("The model was unloaded. Try again."))
            self.backend.close()

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not (self._closed or self._arrived or self._waiting or self._running):
                self._wake.wait()
            return not self._closed

    def _turn(self) -> None:
        """One round; an error of the backend ends the answers it touches, never the thread."""
        try:
            while self._arrived:
                self._waiting.append(self._arrived.popleft())
            self._drop_leavers()
            self._give_places()
            self.slots.thin_out()
            self._step()
        except Exception as error:
            log.exception("a step failed")
            known = error if isinstance(error, ServiceError) else GenerationFailed()
            self._end_all(known, keep_waiting=True)
        self._outbox.send()

    def _drop_leavers(self) -> None:
        now = time.monotonic()
        for sequence in [s for s in self._running if s.cancelled or now > s.deadline]:
            self._finish(sequence, "length")
        for sequence in [s for s in self._waiting if s.cancelled or now > s.deadline]:
            self._waiting.remove(sequence)
            if sequence.wrote or sequence.cancelled:
                self._finish(sequence, "length")
            else:
                self._fail(sequence, DeadlineExceeded(WAITED_TOO_LONG))

    def _give_places(self) -> None:
        put_back: list[Sequence] = []
        try:
            while self._waiting and len(self._running) < self.limits.running:
                sequence = self._waiting.popleft()
                self._running.append(sequence)  # whatever happens now, it is told of
                place = self.slots.place(sequence)
                if place is Place.TAKEN:
                    sequence.started_at = sequence.started_at or time.perf_counter()
                    continue
                put_back.append(self._running.pop())
                if place is Place.FULL:
                    break
        finally:
            self._waiting.extendleft(reversed(put_back))
        if self._waiting and not self._running:
            # the whole memory is free for the first in line: without a place now it never gets one
            log.error("an answer found no place in an empty memory")
            self._fail(self._waiting.popleft(), GenerationFailed())

    def _step(self) -> None:
        pieces = self._plan_that_fits()
        if not pieces:
            return
        batch = Batch()
        for piece in pieces:
            sequence = piece.sequence
            assert sequence.slot is not None
            tokens = sequence.tokens[sequence.read : sequence.read + piece.count]
            batch.add(sequence.slot, sequence.read, tokens, last_row=piece.completes)
        try:
            self.backend.use_adapter(pieces[0].sequence.adapter, self._adapters_in_use())
        except ServiceError as error:  # such as a file that is gone: the others do not need it
            for piece in pieces:
                self._running.remove(piece.sequence)
                self._fail(piece.sequence, error)
            return
        outcome = self._decode(pieces, batch)
        if outcome is Decoded.NO_ROOM:
            self._put_off_newest()
        elif outcome is Decoded.DONE:
            self._write(pieces)

    def _adapters_in_use(self) -> set[str | None]:
        """Return what answers need to go on, those that were put off included: its file may be gone by then."""
        begun = [*self._running, *(sequence for sequence in self._waiting if sequence.wrote)]
        return {sequence.adapter for sequence in begun}

    def _decode(self, pieces: list[Piece], batch: Batch) -> Decoded:
        """Read the batch; who leaves from here on breaks it off, who left a moment ago is noticed first."""
        self.backend.arm()
        self._stepping = pieces
        try:
            if any(_worth_breaking_off(piece) for piece in pieces):
                return Decoded.ABORTED
            return self.backend.decode(batch)
        finally:
            self._stepping = []

    def _plan_that_fits(self) -> list[Piece]:
        """Plan a step whose cells are free; the newest step back until there is one."""
        while pieces := plan(self._running, self.limits):
            if self.slots.grow(sum(piece.count for piece in pieces)):
                return pieces
            self._put_off_newest()
        return []

    def _put_off_newest(self) -> None:
        sequence = newest(self._running)
        if len(self._running) == 1:
            self._finish(sequence, "length")
            return
        log_event(log, "answer put off", running=len(self._running), free_cells=self.slots.ledger.free)
        self.slots.put_off(sequence)
        self._running.remove(sequence)
        self._waiting.appendleft(sequence)

    def _write(self, pieces: list[Piece]) -> None:
        self._steps += 1
        complete = [piece.sequence for piece in pieces if piece.completes]
        for piece in pieces:
            self.slots.read(piece.sequence, piece.count)
            piece.sequence.last_step = self._steps
        if not complete:
            return
        chosen = choose_tokens(self.backend.logits(), complete, self.backend)
        for sequence, token in zip(complete, chosen, strict=True):
            delta, reason = advance(sequence, token, self.backend)
            if reason is not None:
                self._finish(sequence, reason, delta)
            elif delta is not None:
                self._outbox.put(sequence.sink, delta)

    def _finish(self, sequence: Sequence, reason: FinishReason, last: Delta | None = None) -> None:
        """Free the place and tell the reader; the last piece of text goes out before the end."""
        if sequence in self._running:
            self._running.remove(sequence)
        self._free(sequence)
        if last is None and not sequence.text.stopped:
            last = last_delta(sequence)
        if last is not None:
            self._outbox.put(sequence.sink, last)
        end = Delta(finish_reason=reason, usage=sequence.usage(), index=sequence.index)
        self._outbox.put(sequence.sink, end)

    def _end_all(self, error: ServiceError, keep_waiting: bool = False) -> None:
        """End what runs (and what waits) with `error`; forget the memory, whose state is unknown."""
        ending = list(self._running)
        if not keep_waiting:
            ending += [*self._waiting, *self._arrived]
            self._waiting.clear()
            self._arrived.clear()
        self._running.clear()
        self._stepping = []
        for sequence in ending:
            self._fail(sequence, error)
        self.slots.clear()
        self._outbox.send()

    def _fail(self, sequence: Sequence, error: ServiceError) -> None:
        self._free(sequence)
        self._outbox.put(sequence.sink, error)

    def _free(self, sequence: Sequence) -> None:
        self.slots.leave(sequence)
        forget([sequence])
        self._unbook(1)


def _worth_breaking_off(piece: Piece) -> bool:
    return piece.sequence.cancelled and piece.count >= ABORT_TOKENS
