"""Where the caller of a request sees this system: the beginning of the absolute addresses that it is answered.

The gateway tells it in `X-Forwarded-Proto` and `X-Forwarded-Host`, which it takes from nobody. They are believed of a
call that came through it; on a service's own port they are anybody's, and the port's own address counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar

from servicekit.auth import Identity

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_now: ContextVar[str] = ContextVar("origin", default="")


def origin() -> str:
    """Return the origin, such as `https://oficina.example`, under which the current request came; empty: none did."""
    return _now.get()


def enter(scheme: str, headers: Mapping[str, str], caller: Identity) -> None:
    """Remember the origin of the request that is being answered; `headers` has names in lower case."""
    host = headers.get("host", "")
    # Only the gateway and services have tokens that admit; with AUTH=off nobody needs one, and all are one person.
    if caller.admitted or not caller.token:
        told = headers.get("x-forwarded-host", "")
        if _HOST.fullmatch(told):
            host, scheme = told, "https" if headers.get("x-forwarded-proto") == "https" else "http"
    _now.set(f"{scheme}://{host}")
