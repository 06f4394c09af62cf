"""One place for one loaded model: loads once, counts its users, unloads when idle.

Owns the life cycle (unloaded, loading, ready, unloading, failed) and the idle timer thread. Knows
nothing about what a model is: `load` makes it, `unload` (optional) frees it.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Literal, TypeVar, cast

from servicekit import garbage
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
        retry_s: a failed load is not tried again for so many seconds; callers get its error at once.
        version: what the model is loaded from, such as a file's size and time; when it has changed, a
            failed load is tried again at once.
        changed: called after each change of state, by any thread and without a lock held; must be quick.
        freed: called when nothing here refers to the model any more, before its place counts as free; gives back
            what a library keeps for the next model, such as a graphics card's memory.

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
        retry_s: float = 0.0,
        version: Callable[[], object] = lambda: None,
        changed: Callable[[], None] = lambda: None,
        freed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._retry_s, self._version, self._told, self._freed = retry_s, version, changed, freed
        self._failed_at: float = 0.0
        self._failed_version: object = None
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
        self._progress = 0.0
        self.load_s: float | None = None
        self.admit: Callable[[], None] = lambda: None
        """Called before each load by the thread that loads; may block, and raises ServiceError to refuse it."""

    @property
    def state(self) -> SlotState:
        return self._state

    @property
    def loaded(self) -> bool:
        return self._state == "ready"

    @property
    def users(self) -> int:
        return self._users

    @property
    def last_used(self) -> float:
        """`time.monotonic()` when the last user left, or the model was loaded."""
        return self._last_used

    @property
    def progress(self) -> float:
        """How far a load is, 0 to 1; 1 when the model is ready."""
        return {"ready": 1.0, "loading": self._progress}.get(self._state, 0.0)

    @property
    def error(self) -> str | None:
        """Why the last load failed, None unless the state is failed."""
        error = self._error
        return error.message if error is not None and self._state == "failed" else None

    def report(self, progress: float) -> None:
        """Note how far the load is; `load` calls it."""
        self._progress = min(1.0, max(0.0, progress))

    def refusal(self) -> ServiceError | None:
        """Return the error that a load would raise without being tried: it failed just now."""
        if self._state != "failed" or self._error is None:
            return None
        left_s = self._failed_at + self._retry_s - time.monotonic()
        if left_s <= 0 or self._version() != self._failed_version:
            return None
        self._error.retry_after_s = left_s
        return self._error

    def try_acquire(self) -> T | None:
        """Lend the model if it is ready, without waiting; `release` must follow. None: it is not."""
        with self._changed:
            if self._closed or self._state != "ready":
                return None
            self._users += 1
            return self._model

    def peek(self) -> T | None:
        """Return the model if it is ready, to look at: it may leave at any time."""
        return self._model if self._state == "ready" else None

    def release(self) -> None:
        """Give back what `try_acquire` lent."""
        with self._changed:
            self._users -= 1
            self._last_used = time.monotonic()
            self._changed.notify_all()
            taken = self._take() if self._closed and not self._users else []
        self._free(taken)
        self._told()

    def detach(self) -> Callable[[], object] | None:
        """Take the model out if it is ready and nobody uses it; what is returned frees it, and may block."""
        with self._changed:
            taken = self._take() if not self._users else []
        return (lambda: self._free(taken)) if taken else None

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
            self.release()

    def load(self) -> None:
        """Load now, so that the first request does not wait."""
        with self.use():
            pass

    def begin(self) -> None:
        """Load in a thread of its own; `state`, `progress` and `error` tell how it goes."""
        threading.Thread(target=self._load_quietly, name=f"load-{self.name}", daemon=True).start()

    def _load_quietly(self) -> None:
        try:
            self.load()
        except ServiceError:
            pass  # kept in `error`

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
            taken = self._take()
        return self._free(taken)

    def close(self) -> None:
        """Stop the timer thread and free the model, or let its last user do so. The slot stays unusable."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            timer = self._timer
            taken = self._take() if not self._users else []
        self._free(taken)
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
                    raise self._error.with_traceback(None)
                if (refused := self.refusal()) is not None:
                    raise refused.with_traceback(None)  # it is kept: each raise would add those who asked
                if self._state in ("unloaded", "failed"):
                    self._state, self._progress = "loading", 0.0
                    self._attempt += 1
                    break
                if self._state == "loading":
                    waited_for = self._attempt
                self._changed.wait()
        return self._load()

    def _load(self) -> T:
        started = time.monotonic()
        version: object = None
        try:
            version = self._version()
            self._told()
            self.admit()
            model = self._load_model()
            garbage.grew()
        except BaseException as exc:
            error = exc if isinstance(exc, ServiceError) else self._not_ready(exc)
            _let_go(exc)
            with self._changed:
                self._state, self._error = "failed", error
                self._failed_at, self._failed_version = time.monotonic(), version
                self._changed.notify_all()
            self._told()
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
        self._told()
        log_event(_log, "model loaded", model=self.name, load_s=round(self.load_s, 3))
        return model

    def _not_ready(self, exc: BaseException) -> NotReady:
        # The exception's own text may hold paths: it goes to the log, the client learns its kind.
        _log.error("model could not be loaded", extra={"fields": {"model": self.name}}, exc_info=exc)
        return NotReady(
            f"The model '{self.name}' could not be loaded ({type(exc).__name__}). "
            "The service's log says why; check that its files are complete and that memory suffices."
        )

    def _take(self) -> list[T]:
        """Take the model out, caller holds the lock; `_free` must follow. A list, so that `_free` can let it go."""
        if self._state != "ready":
            return []
        model, self._model = cast(T, self._model), None
        self._state = "unloading"
        return [model]

    def _free(self, taken: list[T]) -> bool:
        if not taken:
            return False
        try:
            if self._unload_model is not None:
                self._unload_model(taken[0])
            taken.clear()
            garbage.shrank()
            self._freed()
        except Exception:
            _log.exception("model could not be unloaded cleanly", extra={"fields": {"model": self.name}})
        finally:
            with self._changed:
                self._state = "unloaded"
                self._changed.notify_all()
            self._told()
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
            taken = self._take() if not self._closed and not self._users else []
        self._free(taken)


def _let_go(error: BaseException) -> None:
    """Free what was loaded of a model: an error that is kept would hold it in the frames that it came through."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        traceback.clear_frames(cause.__traceback__)
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
