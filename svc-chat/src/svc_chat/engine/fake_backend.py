"""A backend without weights that checks how it is used. For tests of the loop.

The next token of a sequence is a function of all its tokens, computed from what was really read into its cells: a
stale or misplaced cell changes the answer. Anything that llama.cpp would refuse raises AssertionError.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svc_chat.engine.backend import Batch, Decoded, Logits
from svc_chat.engine.base import GenerationRequest, Repetition

END = 0


class FakeBackend:
    """Reads words; its vocabulary is 256 bytes, of which 0 ends an answer.

    Args:
        cells: tokens that all sequences may hold together.
        partial: whether a tail can be forgotten (recurrent models cannot).
        before_decode: called at the beginning of each step.
    """

    def __init__(
        self,
        *,
        cells: int = 256,
        context_tokens: int = 128,
        sequences: int = 8,
        batch_tokens: int = 64,
        partial: bool = True,
        before_decode: Callable[[], None] | None = None,
    ):
        self.cells, self.context_tokens = cells, context_tokens
        self.sequences, self.batch_tokens = sequences, batch_tokens
        self.partial, self.before_decode = partial, before_decode
        self.closed = False
        self.steps: list[Batch] = []
        self.adapter: str | None = None
        self.held: dict[int, list[tuple[object, int]]] = {}
        """Sequence → its cells, each an identity and a token, salted by the adapter that it was read with."""
        self._rows = np.zeros((0, 256), np.float32)
        self._aborted = threading.Event()

    @property
    def used(self) -> int:
        """Cells that hold anything, shared ones counted once."""
        return len({id(cell) for cells in self.held.values() for cell, _ in cells})

    def prompt_tokens(self, request: GenerationRequest) -> list[int]:
        text = request.prompt or "".join(m.content for m in request.messages)
        return [max(byte, 1) for byte in (text + request.answer_prefix).encode()]

    def decode(self, batch: Batch) -> Decoded:
        if self.before_decode is not None:
            self.before_decode()
        if self._aborted.is_set():
            return Decoded.ABORTED
        assert 0 < len(batch) <= self.batch_tokens, "batch size"
        if self.used + len(batch) > self.cells:
            return Decoded.NO_ROOM
        rows = []
        entries = zip(batch.sequences, batch.positions, batch.tokens, batch.rows, strict=True)
        for sequence, position, token, wants in entries:
            assert 0 <= sequence < self.sequences, "sequence number"
            cells = self.held.setdefault(sequence, [])
            assert position == len(cells) < self.context_tokens, "positions follow one another"
            cells.append((object(), token + salt(self.adapter)))
            if wants:
                rows.append(successor([held for _, held in cells]))
        self.steps.append(batch)
        self._rows = np.zeros((len(rows), 256), np.float32)
        for place, token in enumerate(rows):
            self._rows[place, token] = 20.0
        return Decoded.DONE

    def logits(self) -> Logits:
        return self._rows

    def copy(self, source: int, target: int, length: int) -> None:
        assert not self.held.get(target), "copies go into an empty sequence"
        assert length <= len(self.held.get(source, ())), "copies what is there"
        self.held[target] = list(self.held[source][:length])

    def truncate(self, sequence: int, length: int) -> bool:
        if length and not self.partial:
            return False
        self.held[sequence] = self.held.get(sequence, [])[:length]
        return True

    def save(self, sequence: int) -> bytes:
        return b"".join(held.to_bytes(4, "big") for _, held in self.held[sequence])

    def restore(self, sequence: int, state: bytes) -> bool:
        assert not self.held.get(sequence), "states go into an empty sequence"
        if self.used + len(state) // 4 > self.cells:
            return False
        parts = [state[place : place + 4] for place in range(0, len(state), 4)]
        self.held[sequence] = [(object(), int.from_bytes(part, "big")) for part in parts]
        return True

    def use_adapter(self, adapter: str | None, in_use: Collection[str | None] = ()) -> None:
        self.adapter = adapter

    def arm(self) -> None:
        self._aborted.clear()

    def abort(self) -> None:
        self._aborted.set()

    def piece(self, token: int) -> bytes:
        return bytes([token])

    def shown(self, token: int) -> str:
        return chr(token)

    def is_end(self, token: int) -> bool:
        return token == END

    def grammar(self, schema: Mapping[str, Any], repetition: Repetition | None) -> _AnyOf:
        return _AnyOf(frozenset(schema["bytes"]))

    def close(self) -> None:
        assert not self.closed, "closed once"
        self.closed = True


def salt(adapter: str | None) -> int:
    """Return what an adapter adds to the tokens that are read with it."""
    return 0 if adapter is None else 1000 * len(adapter)


def successor(held: list[int]) -> int:
    """Return what follows: a checksum of all cells as a letter; the end after about thirty."""
    checksum = 7
    for value in held:
        checksum = (checksum * 31 + value) % 65521
    return END if checksum % 31 == 0 else 97 + checksum % 26


class _AnyOf:
    """A grammar that allows the same few tokens for ever."""

    def __init__(self, tokens: frozenset[int]):
        self._tokens = tokens

    def allowed(self, tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
        return np.array([int(token) in self._tokens for token in tokens])

    def accept(self, token: int) -> None:
        assert token in self._tokens, "only what is allowed is accepted"

    def close(self) -> None:
        return None
