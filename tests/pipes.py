"""Pipes with a name, by which a test sees that somebody reads, and that they are gone."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Reader:
    """Whoever reads the pipe `end` is the end to write of; nothing is ever written, so they wait for ever."""

    end: int

    def is_gone(self, within_s: float) -> bool:
        """Tell whether nobody reads any more; waits for that."""
        gone = select.poll()
        gone.register(self.end, select.POLLERR)
        return bool(gone.poll(within_s * 1000))


@contextlib.contextmanager
def reader_of(fifo: Path, within_s: float = 120) -> Iterator[Reader]:
    """Wait until somebody reads a pipe, or is about to, and give them."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            end = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:  # nobody reads it yet
            assert time.monotonic() < deadline
            time.sleep(0.02)
    try:
        yield Reader(end)
    finally:
        os.close(end)
