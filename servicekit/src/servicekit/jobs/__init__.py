"""Long work as durable jobs: queued, run one after the other, resumed after a crash, cancellable.

Owns the life of a job and its events. Knows nothing about what a job does: that is a handler's.
DBOS keeps what has to survive (which job is where, results of steps); nothing outside this package
knows that it is there.
"""

from servicekit.jobs.api import router
from servicekit.jobs.context import JobCancelled, JobContext
from servicekit.jobs.model import FINAL, Job, JobEvent, JobStatus
from servicekit.jobs.queue import Handler, JobQueue

__all__ = [
    "FINAL",
    "Handler",
    "Job",
    "JobCancelled",
    "JobContext",
    "JobEvent",
    "JobQueue",
    "JobStatus",
    "router",
]
