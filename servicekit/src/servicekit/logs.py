"""JSON logs: one event a line, `timestamp level message module function` and fields.

Never logs prompts, file contents or secrets: events carry ids and sizes only.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

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


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes what one turn of the event loop logs at its end, all at once: a write a line costs a busy server dear.

    Warnings and worse, and what is logged elsewhere, are written at once. A turn that never ends loses its lines.
    """

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self._lines: list[str] = []
        self._waits_for: asyncio.AbstractEventLoop | None = None
        """The loop that will write the lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or let it wait for the end of the turn."""
        try:
            self._lines.append(self.format(record) + self.terminator)
            if record.levelno >= logging.WARNING or not self._will_flush():
                self.flush()
        except Exception:
            self.handleError(record)

    def _will_flush(self) -> bool:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if loop is not self._waits_for:
            self._waits_for = loop
            loop.call_soon(self.flush)
        return True

    def flush(self) -> None:
        """Write what waits."""
        with self.lock:  # type: ignore[union-attr]
            lines, self._lines, self._waits_for = self._lines, [], None
            if lines:
                self.stream.write("".join(lines))
            super().flush()


class RequestLog:
    """Logs the one line that each request gets. What is the same in all of them is made once."""

    def __init__(self, logger: logging.Logger, module: str):
        self._logger = logger
        self._same = logger.makeRecord(
            logger.name, logging.INFO, f"{module}.py", 0, "request", (), None, module
        ).__dict__

    def add(self, fields: dict[str, Any]) -> None:
        """Log a request."""
        if self._logger.isEnabledFor(logging.INFO):
            record = logging.LogRecord.__new__(logging.LogRecord)
            record.__dict__.update(self._same, created=time.time(), fields=fields)
            self._logger.handle(record)


def setup_logging(service: str, level: str = "INFO") -> None:
    """Send the process's logs to stdout as JSON lines. Idempotent; call at start, not at import."""
    # nobody reads them, and finding them out costs each record as much as the rest of it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = LineHandler(sys.stdout)
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
