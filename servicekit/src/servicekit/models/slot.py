"""One place for one loaded model: loads once, counts its users, unloads when idle.

Owns the life cycle (unloaded, loading, ready, unloading, failed) and the idle timer thread. Knows
nothing about what a model is: `load` makes it, `unload` (optional) frees it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Literal, TypeVar, cast

from servicekit.errors import Conflict, NotReady, ServiceError
from servicekit.logs import log_event
from servicekit.timing import Timing

T = TypeVar("T")
SlotState = Literal["unloaded", "loading", "ready", "unloading", "failed"]

_log = logging.getLogger(__name__)


class ModelSlot(Generic[T]):
    """Hold at most one model and hand it to any number of threads.

    Args:
        load: makes the model; called by one thread at a time, the others wait for its result.
        unload: frees the model; never called while the model is in use.
        idle_unload_s: unload after so many seconds without a user; None or 0 keeps it for ever.
        name: for messages and logs.

    Raises (from `use` and `load`):
        NotReady: the model could not be loaded; every caller that waited for that attempt gets it,
            the next call tries again. A ServiceError raised by `load` passes unchanged.
    """

    def __init__(
        self,
        load: Callable[[], T],
        unload: Callable[[T], None] | None = None,
        *,
        idle_unload_s: float | None = None,
        name: str = "model",
    ) -> None:
        self.name = name
        self._load_model = load
        self._unload_model = unload
        self._idle_unload_s = idle_unload_s or None
        self._changed = threading.Condition()
        self._model: T | None = None
        self._state: SlotState = "unloaded"
        self._error: ServiceError | None = None
        self._attempt = 0
        self._users = 0
        self._last_used = 0.0
        self._timer: threading.Thread | None = None
        self._closed = False
        self.load_s: float | None = None

    @property
    def state(self) -> SlotState:
        return self._state

    @property
    def loaded(self) -> bool:
        return self._state == "ready"

    @property
    def users(self) -> int:
        return self._users

    @contextmanager
    def use(self, timing: Timing | None = None) -> Iterator[T]:
        """Lend the model, loading it first if need be (counted as `load` in `timing`)."""
        if timing is None:
            model = self._acquire()
        else:
            with timing.measure("load"):
                model = self._acquire()
        try:
            yield model
        finally:
            with self._changed:
                self._users -= 1
                self._last_used = time.monotonic()
                self._changed.notify_all()

    def load(self) -> None:
        """Load now, so that the first request does not wait."""
        with self.use():
            pass

    def unload(self) -> bool:
        """Free the model; True if there was one.

        Raises:
            Conflict: somebody is using it.
        """
        with self._changed:
            while self._state in ("loading", "unloading"):
                self._changed.wait()
            if self._users:
                raise Conflict(
                    f"The model '{self.name}' is in use by {self._users} request(s). "
                    "Wait until they have finished, or cancel them."
                )
            model = self._take()
        return self._free(model)

    def close(self) -> None:
        """Stop the timer thread and free the model unless it is in use. The slot stays unusable."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            timer = self._timer
            model = self._take() if not self._users else None
        self._free(model)
        if timer is not None and timer is not threading.current_thread():
            timer.join(timeout=5)

    def _acquire(self) -> T:
        with self._changed:
            waited_for: int | None = None
            while True:
                if self._closed:
                    raise NotReady(f"The model '{self.name}' is shut down. Try again after the restart.")
                if self._state == "ready":
                    self._users += 1
                    return cast(T, self._model)
                if self._state == "failed" and waited_for == self._attempt and self._error is not None:
                    raise self._error
                if self._state in ("unloaded", "failed"):
                    self._state = "loading"
                    self._attempt += 1
                    break
                if self._state == "loading":
                    waited_for = self._attempt
                self._changed.wait()
        return self._load()

    def _load(self) -> T:
        started = time.monotonic()
        try:
            model = self._load_model()
        except BaseException as exc:
            error = exc if isinstance(exc, ServiceError) else self._not_ready(exc)
            with self._changed:
                self._state, self._error = "failed", error
                self._changed.notify_all()
            if not isinstance(exc, Exception):
                raise
            raise error from exc
        with self._changed:
            self._model, self._state, self._error = model, "ready", None
            self.load_s = time.monotonic() - started
            self._users += 1
            self._last_used = time.monotonic()
            self._start_timer()
            self._changed.notify_all()
        log_event(_log, "model loaded", model=self.name, load_s=round(self.load_s, 3))
        return model

    def _not_ready(self, exc: BaseException) -> NotReady:
        # The exception's own text may hold paths: it goes to the log, the client learns its kind.
        _log.error("model could not be loaded", extra={"fields": {"model": self.name}}, exc_info=exc)
        return NotReady(
            f"The model '{self.name}' could not be loaded ({type(exc).__name__}). "
            "The service's log says why; check that its files are complete and that memory suffices."
        )

    def _take(self) -> T | None:
        """Take the model out, caller holds the lock; `_free` must follow."""
        if self._state != "ready":
            return None
        model, self._model = self._model, None
        self._state = "unloading"
        return model

    def _free(self, model: T | None) -> bool:
        if model is None:
            return False
        try:
            if self._unload_model is not None:
                self._unload_model(model)
        except Exception:
            _log.exception("model could not be unloaded cleanly", extra={"fields": {"model": self.name}})
        finally:
            with self._changed:
                self._state = "unloaded"
                self._changed.notify_all()
        log_event(_log, "model unloaded", model=self.name)
        return True

    def _start_timer(self) -> None:
        if self._idle_unload_s is None or self._closed or self._timer is not None:
            return
        self._timer = threading.Thread(target=self._watch_idle, name=f"idle-{self.name}", daemon=True)
        self._timer.start()

    def _watch_idle(self) -> None:
        """Unload after the idle time; ends when there is nothing loaded any more."""
        idle_s = cast(float, self._idle_unload_s)
        with self._changed:
            while not self._closed and self._state == "ready":
                left_s = self._last_used + idle_s - time.monotonic()
                if self._users:
                    self._changed.wait()
                elif left_s > 0:
                    self._changed.wait(left_s)
                else:
                    break
            self._timer = None
            model = self._take() if not self._closed and not self._users else None
        self._free(model)
