"""One answer on its way through the batching loop: its tokens, how far the model has read, how it is chosen.

Pure state, owned by the loop's thread; `cancelled` alone is set from outside. Knows no model and no scheduling.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from svc_chat.engine.backend import Grammar
from svc_chat.engine.base import Delta, TokenLogprob, Usage
from svc_chat.engine.sampling import Chooser
from svc_chat.engine.textstream import TextStream

Item = Delta | BaseException
Sink = Callable[[Item], None]
"""Takes what the answer's reader gets; called in the reader's own event loop."""


@dataclass(eq=False)
class Sequence:
    """An answer being written.

    `tokens` is the prompt and what was written; the model has read the first `read` of them. While it writes,
    exactly one token, the last, is unread.
    """

    tokens: list[int]
    chooser: Chooser
    text: TextStream
    sink: Sink
    room: int
    """Tokens it may write: the caller's limit, or what is left of the context."""
    deadline: float
    """`time.monotonic()` at which it ends with what there is."""
    index: int = 0
    adapter: str | None = None
    grammar: Grammar | None = None
    slot: int | None = None
    read: int = 0
    cached: int = 0
    wrote: int = 0
    last_step: int = 0
    cancelled: bool = False
    queued_at: float = field(default_factory=time.perf_counter)
    started_at: float | None = None
    load_s: float = 0.0
    prompt_length: int = 0
    scores: list[TokenLogprob] = field(default_factory=list)
    prompt: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.prompt_length = len(self.tokens)
        self.prompt = np.asarray(self.tokens, dtype=np.int32)

    @property
    def pending(self) -> int:
        """Tokens that the model has not read yet."""
        return len(self.tokens) - self.read

    @property
    def writing(self) -> bool:
        """Whether the prompt is read and one token a step is written."""
        return self.wrote > 0 and self.pending == 1

    def usage(self) -> Usage:
        """Return what it cost so far."""
        now = time.perf_counter()
        started = self.started_at if self.started_at is not None else now
        return Usage(
            self.prompt_length,
            self.wrote,
            self.cached,
            queue_s=started - self.queued_at,
            load_s=self.load_s,
            run_s=now - started,
        )
