"""`python -m svc_chat.engine.tuning FOLDER`: one training, as a child of the service.

Tells the service what happens in JSON lines on its standard output. Ends at a checkpoint when it reads `stop`, and at
once when its standard input closes: whatever becomes of the service, it does not outlive it. It runs in the idle
class: whoever answers somebody comes first.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any


def be_idle() -> None:
    """Take the processor only when nobody else wants it."""
    with contextlib.suppress(OSError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def listen(stop: threading.Event) -> None:
    """Read the service's words until there is none any more."""
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
    os._exit(0)


def main() -> int:
    """Train and return 0."""
    folder = Path(sys.argv[1])
    be_idle()
    stop = threading.Event()
    threading.Thread(target=listen, args=(stop,), daemon=True).start()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what libraries print is not a report

    def tell(report: dict[str, Any]) -> None:
        out.write(json.dumps(report) + "\n")

    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # an earlier one that has not ended yet
        tell({"kind": "loading"})
        from svc_chat.engine.tuning.training import train_folder

        tell(train_folder(folder, tell, stop.is_set))
    return 0


if __name__ == "__main__":
    sys.exit(main())
