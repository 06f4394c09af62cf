"""Ports chosen before somebody listens on them."""

from __future__ import annotations

import socket

_held: list[socket.socket] = []
"""Bound until the run ends. A server that reuses addresses, as all here do, can still listen on their ports."""


def free_port() -> int:
    """Return a port on which nobody listens, and that the system gives to no other program meanwhile."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return int(held.getsockname()[1])
