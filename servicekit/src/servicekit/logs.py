"""JSON logs: one event a line, `timestamp level message module function` and fields.

Never logs prompts, file contents or secrets: events carry ids and sizes only.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that this task or thread is working for."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON line."""

    def __init__(self, service: str):
        super().__init__()
        self._service = service
        self._second = (0, "")

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "timestamp": self._timestamp(record.created),
            "level": record.levelname,
            "message": _message(record),
            "module": record.module,
            "function": record.funcName,
            "service": self._service,
        }
        request_id = getattr(record, "request_id", None) or request_id_var.get()
        if request_id:
            event["request_id"] = request_id
        event.update(getattr(record, "fields", None) or {})
        if record.exc_info and record.exc_info[0] is not None:
            event["error"] = record.exc_info[0].__name__
            event["trace"] = _frames(record)
        return orjson.dumps(event, default=str).decode()

    def _timestamp(self, created: float) -> str:
        """Return the time in UTC to the millisecond; the seconds are written once for all records in them."""
        second, written = self._second  # one look: threads log too
        if second != int(created):
            second = int(created)
            written = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = (second, written)
        return f"{written}.{int((created - second) * 1000):03}+00:00"


def _message(record: logging.LogRecord) -> str:
    """Return the message; asyncio's goes on with the text of exceptions, which is not ours to write down."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _frames(record: logging.LogRecord) -> list[str]:
    """Name the frames of an exception without folders: `module.py:12 function`."""
    frames = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-12:]


def setup_logging(service: str, level: str = "INFO") -> None:
    """Send the process's logs to stdout as JSON lines. Idempotent; call at start, not at import."""
    # nobody reads them, and finding them out costs each record as much as the rest of it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "httpx", "httpcore", "urllib3", "werkzeug", "opensearch"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # it warns of whatever callers write into `traceparent`, and of each failed try to reach the collector
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "dbos"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True


def log_event(logger: logging.Logger, message: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event with fields: `log_event(log, "model loaded", model=..., seconds=...)`."""
    logger.log(level, message, extra={"fields": fields}, stacklevel=2)
