"""Who sits where in the key-value memory, and what is kept there for later.

A finished conversation stays as an idle prefix until its room is needed: the next turn then reads only what is
new. Long prefixes that must go are spilled to main memory and brought back. Mirrors every change of the backend in
a `CellLedger`, so that no step can run out of cells. Owned by the loop's thread; knows no text and no time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from svc_chat.engine.backend import Backend
from svc_chat.engine.cells import CellLedger
from svc_chat.engine.sequence import Sequence
from svc_chat.engine.spill import Prefix, SpillStore, common_length

WORTH_TOKENS = 64
"""A shorter prefix is read again sooner than it is waited for, copied aside or spilled."""
RESERVE_TOKENS = 32
"""Free cells that a newcomer must leave beside others, so that it is not put off again at once."""
RESTING_CELLS = 1024
"""Idle cells that stay beside the model; more move to main memory while that has room. Every step looks at all cells
in use, whosever they are. Measured 2026-11-26 (0.5 billion parameters, Q4_0), processor time with 14,400 idle cells
beside that with none: reading a prompt 2.0 times, eight answers 1.7 times, one 1.5 times. A prefix of 1,500 tokens is
moved in 6 to 30 ms and brought back in 6 to 18."""


class Place(Enum):
    """What came of asking for a place."""

    TAKEN = "taken"
    FULL = "full"
    LATER = "later"
    """Another sequence is just reading the same beginning: waiting for it is cheaper."""


@dataclass
class Idle:
    """A prefix in a slot that nobody uses."""

    prefix: Prefix
    used: int
    """The time (a count) it was last used."""


class Slots:
    """Gives sequences a slot with as much of their prompt as is still in memory.

    Args:
        backend: the model whose memory it is.
        spill: where prefixes go that find no room.
        resting_cells: idle cells above which prefixes move there although there is room.
    """

    def __init__(self, backend: Backend, spill: SpillStore, resting_cells: int = RESTING_CELLS):
        self._backend, self._spill, self.resting_cells = backend, spill, resting_cells
        self.ledger = CellLedger(backend.cells)
        self._free = list(range(backend.sequences - 1, -1, -1))
        self._active: dict[int, Sequence] = {}
        self._idle: dict[int, Idle] = {}
        self._clock = 0

    @property
    def active(self) -> Iterable[Sequence]:
        """The sequences that sit in a slot."""
        return self._active.values()

    def place(self, sequence: Sequence) -> Place:
        """Give `sequence` a slot; `read` and `cached` tell what it need not read again."""
        tokens = np.asarray(sequence.tokens, dtype=np.int32)
        donor, kept = self._best(tokens, sequence.adapter)
        spilled, there = self._spill.best(tokens, sequence.adapter)
        if self._promised(tokens, sequence.adapter) - max(kept, there) >= WORTH_TOKENS:
            return Place.LATER
        if spilled is not None and there - kept >= WORTH_TOKENS:
            donor, kept = None, 0
        else:
            spilled = None
        reserve = RESERVE_TOKENS if self._active else 0
        if not self._room_for(len(tokens) - kept + reserve, spare=donor):
            # what it could build upon takes the room that it needs
            donor, kept = None, 0
            if not self._room_for(len(tokens) + reserve, spare=None):
                return Place.FULL
        slot = self._take(donor, kept)
        if slot is None:
            return Place.FULL
        if spilled is not None:
            self._bring_back(slot, spilled, there)
        sequence.slot, sequence.read = slot, self.ledger.length(slot)
        if sequence.wrote == 0:
            sequence.cached = sequence.read
        self._active[slot] = sequence
        return Place.TAKEN

    def grow(self, count: int) -> bool:
        """Make `count` cells free, forgetting idle prefixes if need be. False: there are not so many."""
        return self._evict_until(count, spare=None)

    def read(self, sequence: Sequence, count: int) -> None:
        """Note that the backend has read `count` more tokens of `sequence`; `grow` has made room."""
        assert sequence.slot is not None
        self.ledger.append(sequence.slot, count)
        sequence.read += count

    def leave(self, sequence: Sequence) -> int | None:
        """Take `sequence` out of its slot and keep what it has read for later; return the slot it sat in."""
        slot, sequence.slot = sequence.slot, None
        if slot is None:
            return None
        del self._active[slot]
        length = self.ledger.length(slot)
        if length == 0:
            self._free.append(slot)
            return None
        self._clock += 1
        tokens = np.asarray(sequence.tokens[:length], dtype=np.int32)
        self._idle[slot] = Idle(Prefix(tokens, sequence.adapter), self._clock)
        return slot

    def put_off(self, sequence: Sequence) -> None:
        """Take `sequence` out of its slot, its memory spilled: it goes on later."""
        slot = self.leave(sequence)
        if slot is not None:
            self._forget(slot)
        sequence.read = 0

    def thin_out(self) -> None:
        """Move the longest unused idle prefix to main memory if too many cells rest and nothing there must go for it.

        One at a time: who writes meanwhile waits for it.
        """
        if not self._idle or self.ledger.distinct(self._idle) <= self.resting_cells:
            return
        movable = [(kept.used, slot) for slot, kept in self._idle.items() if self._worth_moving(slot)]
        if movable:
            slot = min(movable)[1]
            if self._spill.put(self._idle[slot].prefix, lambda: self._backend.save(slot)):
                self._forget(slot, spill=False)

    def clear(self) -> None:
        """Forget every idle prefix; a slot that an error left between two steps is free again, too."""
        self._idle.clear()
        self._free = [s for s in range(self._backend.sequences - 1, -1, -1) if s not in self._active]
        for slot in self._free:
            self._backend.truncate(slot, 0)
            self.ledger.truncate(slot, 0)

    def _best(self, tokens: NDArray[np.int32], adapter: str | None) -> tuple[int | None, int]:
        """Return the slot that holds most of the beginning of `tokens`, and how many tokens that is.

        At least one token is always read again: its logits choose the next one.
        """
        best, most = None, 0
        for slot, idle in self._idle.items():
            if idle.prefix.adapter == adapter:
                length = common_length(idle.prefix.tokens, tokens[:-1])
                if length > most:
                    best, most = slot, length
        for slot, active in self._active.items():
            if active.adapter == adapter:
                length = min(common_length(active.prompt, tokens[:-1]), active.read)
                if length > most:
                    best, most = slot, length
        return best, most

    def _promised(self, tokens: NDArray[np.int32], adapter: str | None) -> int:
        """Return how long a beginning of `tokens` some sequence is about to have read."""
        reading = (a for a in self._active.values() if a.read < a.prompt_length and a.adapter == adapter)
        return max((common_length(a.prompt, tokens[:-1]) for a in reading), default=0)

    def _worth_moving(self, slot: int) -> bool:
        fits = self._spill.fits(len(self._idle[slot].prefix.tokens))
        return fits and self.ledger.alone(slot) >= WORTH_TOKENS

    def _room_for(self, need: int, spare: int | None) -> bool:
        if need <= self.ledger.free:
            return True
        busy = self.ledger.distinct([*self._active, *([] if spare is None else [spare])])
        return need <= self.ledger.cells - busy and self._evict_until(need, spare)

    def _evict_until(self, count: int, spare: int | None) -> bool:
        while self.ledger.free < count:
            idle = [(kept.used, slot) for slot, kept in self._idle.items() if slot != spare]
            if not idle:
                return False
            self._forget(min(idle)[1])
        return True

    def _take(self, donor: int | None, kept: int) -> int | None:
        """Return a slot that holds the first `kept` tokens of `donor`: the donor's own, or a copy."""
        if donor is not None and donor in self._idle:
            tail = len(self._idle[donor].prefix.tokens) - kept
            if tail < WORTH_TOKENS or not self._free_slot(spare=donor):
                return self._take_over(donor, kept)
        if not self._free_slot(spare=donor):
            return None
        slot = self._free.pop()
        if donor is not None and kept:
            self._backend.copy(donor, slot, kept)
            self.ledger.share(donor, slot, kept)
            if donor in self._idle:
                self._clock += 1
                self._idle[donor].used = self._clock
        return slot

    def _take_over(self, donor: int, kept: int) -> int:
        del self._idle[donor]
        if kept < self.ledger.length(donor):
            self._cut(donor, kept)
        return donor

    def _cut(self, slot: int, length: int) -> None:
        if not self._backend.truncate(slot, length):
            # a model without partial forgetting (recurrent, sliding window) starts again
            self._backend.truncate(slot, 0)
            length = 0
        self.ledger.truncate(slot, length)

    def _free_slot(self, spare: int | None) -> bool:
        if not self._free:
            idle = [(kept.used, slot) for slot, kept in self._idle.items() if slot != spare]
            if idle:
                self._forget(min(idle)[1])
        return bool(self._free)

    def _forget(self, slot: int, spill: bool = True) -> None:
        idle = self._idle.pop(slot)
        if spill and self.ledger.alone(slot) >= WORTH_TOKENS:
            self._spill.put(idle.prefix, lambda: self._backend.save(slot))
        self._backend.truncate(slot, 0)
        self.ledger.truncate(slot, 0)
        self._free.append(slot)

    def _bring_back(self, slot: int, prefix: Prefix, wanted: int) -> None:
        """Fill `slot` from main memory with the first `wanted` tokens of `prefix`, if there is room."""
        length = len(prefix.tokens)
        # the tail that this one does not want is another conversation's: a common beginning must not cost it
        keep = length - wanted >= WORTH_TOKENS
        state = self._spill.read(prefix) if keep else self._spill.take(prefix)
        if not self._evict_until(length, spare=None) or not self._backend.restore(slot, state):
            self._backend.truncate(slot, 0)
            return
        self.ledger.append(slot, length)
        if wanted < length:
            self._cut(slot, wanted)
