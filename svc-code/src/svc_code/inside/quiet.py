"""Cuts output in the kernel itself, so that an endless loop of prints costs nobody memory.

For code that means no harm; what means harm meets the limits of the bridge and of the service.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def print_without_network() -> None:
    """Have the output of forked processes taken from their standard output, not from a TCP socket.

    ipykernel opens one on 127.0.0.1 for them; here there is no family of sockets but Unix's.
    """
    from ipykernel.iostream import IOPubThread

    def no_pipe(thread: Any) -> None:
        thread._pipe_flag = False

    def plain_streams() -> None:
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)

    IOPubThread._setup_pipe_in = no_pipe  # type: ignore[method-assign]
    os.register_at_fork(after_in_child=plain_streams)


def cut_output(shell: Any, most: int) -> None:
    """Let each execution write `most` characters to each stream (one more, to tell) and show that many."""
    for stream in (sys.stdout, sys.stderr):
        _cut_stream(shell, stream, most + 1)
    show = shell.display_formatter.format

    def text_only(
        shown: Any, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        found, about = show(shown, include={"text/plain"}, exclude=exclude)
        return {kind: str(text)[: most + 1] for kind, text in found.items()}, about

    shell.display_formatter.format = text_only


def _cut_stream(shell: Any, stream: Any, most: int) -> None:
    own, left = stream.write, [most]

    def write(text: str) -> int:
        if left[0] > 0 and isinstance(text, str):
            own(text[: left[0]])
            left[0] -= len(text)
        elif not isinstance(text, str):
            own(text)
        return len(text)

    def begin(_: Any) -> None:
        left[0] = most

    stream.write = write
    shell.events.register("pre_run_cell", begin)
