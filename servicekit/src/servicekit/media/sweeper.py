"""A thread that sweeps a media store by age, at the start and then every hour."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from servicekit.logs import log_event
from servicekit.media.store import MediaStore

log = logging.getLogger(__name__)


class Sweeper:
    """Sweep `store` of items older than `max_age_days` every `every_s` seconds until stopped.

    `also` is called each time too, for what ages beside the media (finished jobs).
    """

    def __init__(
        self,
        store: MediaStore,
        max_age_days: float,
        *,
        every_s: float = 3600.0,
        also: Callable[[], object] | None = None,
    ) -> None:
        self._store = store
        self._also = also
        self._max_age_days = max_age_days
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._run, name="media-sweeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def _run(self) -> None:
        while True:
            try:
                report = self._store.sweep(self._max_age_days)
                if self._also is not None:
                    self._also()
            except (OSError, RuntimeError, SQLAlchemyError) as exc:
                log_event(log, "media not swept", level=logging.WARNING, reason=type(exc).__name__)
            else:
                if report.removed or report.leftovers:
                    log_event(log, "media swept", removed=report.removed, freed_bytes=report.freed_bytes)
            if self._stopped.wait(self._every_s):
                return
