"""`python -m svc_code.inside JSON` is process 1 of a sandbox; standard input is the socket to the service."""

from __future__ import annotations

import gc
import importlib
import json
import signal
import socket
import sys
from pathlib import Path

from svc_code.inside import confine

WORK = Path("/mnt/data")
TEMPORARY = Path("/tmp")
PRELOADED = (
    "numpy",
    "pandas",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "matplotlib_inline.backend_inline",
    "svc_code.inside.pictures",
    "svc_code.inside.charts",
)
"""Imported before the kernel is forked: it shares their memory and need not wait for them."""


def preload() -> None:
    """Import what every kernel has, and set pandas to show tables wide."""
    for name in PRELOADED:
        importlib.import_module(name)
    import pandas

    pandas.set_option("display.width", 160)
    pandas.set_option("display.max_columns", 40)


def main() -> None:
    """Give up rights, import, start the first kernel, serve."""
    # process 1 gets no signal from inside that it does not handle, and Python handles this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given = confine.Confinement(**json.loads(sys.argv[1]))
    confine.become_nobody(given.uid)
    confine.limit_all(given)
    channel = socket.socket(fileno=0)
    private = TEMPORARY / "kernel"
    private.mkdir(mode=0o700)
    preload()
    from svc_code.inside.bridge import Bridge

    gc.collect()
    gc.freeze()
    Bridge(channel, WORK, private, given).run()


if __name__ == "__main__":
    main()
