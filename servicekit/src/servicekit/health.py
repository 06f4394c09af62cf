"""What a service says of its own readiness. Thread-safe; touches nothing but its own state and checks."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from typing import Any, Literal

from servicekit import __version__

Status = Literal["loading", "ready", "not_ready"]
Check = Callable[[], str | None]
"""Returns None when well, or the reason why not; must be quick and not raise."""


class Readiness:
    """Status, model, device and queue of one service, as `/readyz` tells them."""

    def __init__(self, service: str, version: str = __version__):
        self.service = service
        self.version = version
        self._lock = threading.Lock()
        self._status: Status = "loading"
        self._reason: str | None = "starting"
        self._model: str | None = None
        self._device = "cpu"
        self._checks: dict[str, Check] = {}
        self._queue: Callable[[], dict[str, int]] = lambda: {"running": 0, "waiting": 0}
        self._sweeps: Callable[[], dict[str, Any]] | None = None
        self._memory: Callable[[], dict[str, Any]] | None = None
        self._models: Callable[[], Iterable[str]] | None = None
        self.draining = False
        self._on_drain: list[Callable[[float], None]] = []

    def set(
        self,
        *,
        status: Status | None = None,
        reason: str | None = None,
        model: str | None = None,
        device: str | None = None,
    ) -> None:
        """Change what is told; `reason` is cleared when the status becomes ready."""
        with self._lock:
            if status is not None:
                self._status = status
                self._reason = None if status == "ready" else reason
            if model is not None:
                self._model = model
            if device is not None:
                self._device = device

    def add_check(self, name: str, check: Check) -> None:
        """Ask `check` each time; the service is not ready while it gives a reason."""
        self._checks[name] = check

    def watch_queue(self, queue: Callable[[], dict[str, int]]) -> None:
        """Ask `queue` for `{"running", "waiting"}`."""
        self._queue = queue

    def queue(self) -> dict[str, int]:
        """Return how many requests or jobs run and wait."""
        return self._queue()

    def watch_sweeps(self, sweeps: Callable[[], dict[str, Any]]) -> None:
        """Ask `sweeps` for what was removed by age."""
        self._sweeps = sweeps

    def watch_memory(self, memory: Callable[[], dict[str, Any]]) -> None:
        """Ask `memory` for what models hold of the machine's memory and wish for."""
        self._memory = memory

    def watch_models(self, models: Callable[[], Iterable[str]]) -> None:
        """Ask `models` for what is installed, in the order in which it is preferred: ids, and what tells versions apart."""
        self._models = models

    def on_drain(self, callback: Callable[[float], None]) -> None:
        """Have `callback` called with the seconds that are left when the service is told to stop."""
        self._on_drain.append(callback)

    def drain(self, seconds: float) -> None:
        """Say that the service is stopping; whoever runs something long ends it within `seconds`."""
        self.draining = True
        for callback in self._on_drain:
            callback(seconds)

    @property
    def ready(self) -> bool:
        """Whether `/readyz` answers 200."""
        return self.report()["status"] == "ready"

    def report(self) -> dict[str, Any]:
        """Return the body of `/readyz`."""
        with self._lock:
            status, reason = self._status, self._reason
        if status == "ready":
            for name, check in self._checks.items():
                problem = check()
                if problem:
                    status, reason = "not_ready", f"{name}: {problem}"
                    break
        if self.draining:
            status, reason = "not_ready", "shutting down"
        with self._lock:  # after the checks, which may tell another model
            model, device = self._model, self._device
        swept = {} if self._sweeps is None else {"swept": self._sweeps()}
        memory = {} if self._memory is None else {"memory": self._memory()}
        models = {} if self._models is None else {"models": _fingerprint(self._models())}
        return (
            swept
            | memory
            | models
            | {
                "status": status,
                "reason": reason,
                "service": self.service,
                "version": self.version,
                "model": model,
                "device": device,
                "queue": self._queue(),
            }
        )


def _fingerprint(models: Iterable[str]) -> str:
    """Return a short text that changes when a model comes, goes or is another version: results are kept by it."""
    return hashlib.sha256("\0".join(models).encode()).hexdigest()[:16]
