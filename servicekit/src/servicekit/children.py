"""Child processes that do not outlive their service, whatever ends it: also SIGKILL. Knows nothing of what they do.

The service holds one end of a pipe and the child has the other as its standard input; the kernel closes the service's
end with the service, on every system. Only what the child is just doing in a library that keeps the interpreter's
lock comes before its end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lifeline() -> Iterator[int]:
    """Lend what is to be the standard input of a child that calls `end_with_parent`."""
    its_end, our_end = os.pipe()
    try:
        yield its_end
    finally:
        os.close(its_end)
        os.close(our_end)


def end_with_parent() -> None:
    """Have this process end when nobody holds the other end of its standard input any more."""
    threading.Thread(target=_wait, name="lifeline", daemon=True).start()


def _wait() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)
