"""What the runner says on the terminal: one line a step, and a sign of life while a step lasts."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT_S = 20.0


class Stop(Exception):
    """Ends the run with a message that names what is wrong and the command that mends it."""


def say(text: str = "") -> None:
    """Print one line at once, also when the output is a pipe."""
    print(text, flush=True)


def warn(text: str) -> None:
    """Print one line on the error output."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(name: str, note: str = "") -> Iterator[None]:
    """Announce a step, tell every 20 s that it still runs, and how long it took."""
    started = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_S):
            say(f"    … {name}: {time.monotonic() - started:.0f} s")

    say(f"==> {name}" + (f" ({note})" if note else ""))
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    say(f"    {name}: {time.monotonic() - started:.1f} s")
