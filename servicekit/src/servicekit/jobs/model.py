"""What a job is: its states, its JSON, its events. Knows nothing about databases or HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

JobStatus = Literal["queued", "loading", "running", "completed", "failed", "cancelled"]
FINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})
NEARLY = 99.0
"""Percent that is told at most of a job that is not completed: the last step's work may come after it was told."""


@dataclass(frozen=True)
class Job:
    """One job as it stands now. Times are Unix seconds; `seq` numbers its latest event."""

    id: str
    kind: str
    owner: str
    status: JobStatus
    payload: dict[str, Any]
    created_at: float
    updated_at: float
    started_at: float | None = None
    first_step_at: float | None = None
    first_step: int = 0
    step: int = 0
    total: int = 0
    message: str = ""
    preview_url: str | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    fingerprint: str = ""
    cancel_requested: bool = False
    seq: int = 0

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def percent(self) -> float:
        if self.status == "completed":
            return 100.0
        return min(NEARLY, round(100.0 * self.step / self.total, 1)) if self.total else 0.0

    def eta_s(self, now: float | None = None) -> float | None:
        """Seconds left, by the pace since the first step; None while it cannot be told."""
        done = self.step - self.first_step
        if self.final or self.first_step_at is None or done <= 0 or self.step >= self.total:
            return None
        pace_s = (self.updated_at - self.first_step_at) / done
        left_s = pace_s * (self.total - self.step) - ((now or time.time()) - self.updated_at)
        return round(max(0.0, left_s), 1)

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON that the API shows."""
        return {
            "id": self.id,
            "object": "job",
            "kind": self.kind,
            **self.progress(),
            "result": self.result,
            "error": self.error,
            "created_at": round(self.created_at, 3),
            "updated_at": round(self.updated_at, 3),
        }

    def progress(self) -> dict[str, Any]:
        """Give the part of the JSON that is also an event's body."""
        return {
            "status": self.status,
            "step": self.step,
            "total": self.total,
            "percent": self.percent,
            "eta_s": self.eta_s(),
            "message": self.message,
            "preview_url": self.preview_url,
        }

    def event_body(self) -> dict[str, Any]:
        """Give an event's body; the last one also carries the result or the error."""
        body = {"id": self.id, **self.progress()}
        return body | {"result": self.result, "error": self.error} if self.final else body


@dataclass(frozen=True)
class JobEvent:
    """One change of a job. `seq` counts from 1 without gaps; a heartbeat repeats the latest `seq`."""

    seq: int
    body: dict[str, Any]
    heartbeat: bool = False
