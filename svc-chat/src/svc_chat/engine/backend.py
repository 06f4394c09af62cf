"""What the batching loop asks of a model in memory, whoever runs it: many sequences in one batch.

A backend is owned by one thread; only `abort` may be called from another. Knows no scheduling, no text rules.
Positions, sequences and cells are llama.cpp's: a sequence is a row of tokens at positions 0, 1, 2, …, and every
token that a sequence has read lies in a cell of the key-value memory, which several sequences may share.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from svc_chat.engine.base import GenerationRequest, Repetition

Logits = NDArray[np.float32]
"""`(rows, vocabulary)`: one row for each token whose successor was asked for, in the batch's order."""


class Decoded(Enum):
    """How a batch went."""

    DONE = "done"
    ABORTED = "aborted"
    """`abort` was called: of this batch nothing counts."""
    NO_ROOM = "no room"
    """The memory has no free cells for it: nothing was read."""


@dataclass
class Batch:
    """Tokens that are read in one step; `rows[i]` says whether the logits after token i are wanted."""

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    rows: list[bool] = field(default_factory=list)

    def add(self, sequence: int, position: int, tokens: Sequence[int], *, last_row: bool) -> None:
        """Append `tokens` of `sequence` from `position` on; `last_row` asks for the last one's logits."""
        count = len(tokens)
        self.tokens.extend(tokens)
        self.positions.extend(range(position, position + count))
        self.sequences.extend([sequence] * count)
        self.rows.extend([False] * (count - 1) + [last_row])

    def __len__(self) -> int:
        return len(self.tokens)


class Grammar(Protocol):
    """Which tokens may follow. It has a state: `accept` moves it on."""

    def allowed(self, tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell of each of `tokens` `(k,)` whether it may come next."""
        ...

    def accept(self, token: int) -> None:
        """Move on by one token, which must be allowed."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


class Backend(Protocol):
    """A model in memory with a key-value memory for several sequences."""

    @property
    def context_tokens(self) -> int:
        """Tokens that one sequence may hold, prompt and answer together."""
        ...

    @property
    def cells(self) -> int:
        """Tokens that all sequences may hold together, shared ones counted once."""
        ...

    @property
    def sequences(self) -> int:
        """How many sequences there may be; their numbers are 0 to `sequences` - 1."""
        ...

    @property
    def batch_tokens(self) -> int:
        """Most tokens of one batch."""
        ...

    def prompt_tokens(self, request: GenerationRequest) -> list[int]:
        """Return the prompt's tokens, chat template and answer prefix applied. Any thread may call it."""
        ...

    def decode(self, batch: Batch) -> Decoded:
        """Read a batch. Afterwards every sequence ends with its last token in it."""
        ...

    def logits(self) -> Logits:
        """Return the rows of the last batch: a view that the next `decode` overwrites; it may be written to."""
        ...

    def copy(self, source: int, target: int, length: int) -> None:
        """Let the empty sequence `target` share the first `length` tokens of `source`."""
        ...

    def truncate(self, sequence: int, length: int) -> bool:
        """Forget all tokens from position `length` on. False: the model cannot, and nothing was changed
        (length 0 always works)."""
        ...

    def save(self, sequence: int) -> bytes:
        """Return what the sequence's cells hold; empty where the model cannot."""
        ...

    def restore(self, sequence: int, state: bytes) -> bool:
        """Fill an empty sequence with what `save` gave. False: there was no room."""
        ...

    def use_adapter(self, adapter: str | None, in_use: Collection[str | None] = ()) -> None:
        """Decode from now on with this adapter (a path), or with none; those `in_use` stay in memory.

        Raises:
            ModelBroken: the adapter does not fit the model.
        """
        ...

    def arm(self) -> None:
        """Forget any earlier `abort`: from here on it counts for the next `decode`."""
        ...

    def abort(self) -> None:
        """End the `decode` that is running, or the next one. The only call that any thread may make."""
        ...

    def piece(self, token: int) -> bytes:
        """Return the bytes that `token` adds to the text; control tokens are empty."""
        ...

    def shown(self, token: int) -> str:
        """Return the token as it is told in log-probabilities, control tokens too."""
        ...

    def is_end(self, token: int) -> bool:
        """Tell whether `token` ends an answer."""
        ...

    def grammar(self, schema: Mapping[str, Any], repetition: Repetition | None) -> Grammar:
        """Return a grammar for JSON of `schema`.

        Raises:
            ValueError: the schema cannot be expressed.
        """
        ...

    def close(self) -> None:
        """Free the model's memory."""
        ...
