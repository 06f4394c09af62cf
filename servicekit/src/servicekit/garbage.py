"""Keeps Python's collector of cycles to what may be garbage; knows nothing of what the objects are.

A service's libraries are some 100,000 objects that live as long as the process. The collector looks at everything
only when a quarter as many came since it last did, so that cycles of a few objects a second (SQLAlchemy and DBOS make
30 in svc-rag, asked for nothing) pile up for half an hour to hours, 3 MiB an hour, and are then found by a look that
holds every thread for 0.2 to 1 s (2 cores, 2026-11). What has settled is set apart: a look takes 1 to 9 ms and comes
every minute or two.
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Set apart what lives now, for good; the process's own `main` calls it once, when everything is put together."""
    gc.collect()
    gc.freeze()
    gc.collect()  # of the little that is left: what was counted last is what the next look waits for a quarter of


def grew() -> None:
    """Set apart what a model and its libraries brought; does nothing in a process that has not settled (tests)."""
    if gc.get_freeze_count():
        settle()


def shrank() -> None:
    """Find what a model that left held in cycles: it was set apart, where nobody looks. Else as `grew`."""
    if gc.get_freeze_count():
        gc.unfreeze()
        settle()
