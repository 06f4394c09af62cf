"""Bodies of requests, and the shape of what is answered."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from svc_code.domain.sessions import Session
from svc_code.engine.base import Chart, Execution, StoredFile

UNKNOWN_TYPE = "application/octet-stream"
_TYPES = mimetypes.MimeTypes()
"""The types that Python itself knows: the same on every machine."""
_TYPES.add_type("text/markdown", ".md")
_TYPES.add_type("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx")


class ExecuteRequest(BaseModel):
    """`POST /v1/sessions/{id}/execute`."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"code": "import pandas as pd\npd.read_csv('sales.csv').describe()"}}
    )

    code: str = Field(description="Python; runs where the session's files are, in /mnt/data.")
    timeout_s: float | None = Field(
        None, gt=0, le=3600, allow_inf_nan=False, description="Seconds until it is stopped."
    )
    stream: bool = Field(
        False, description="Answer with server-sent events: output as it comes, then the end."
    )


def session_as_dict(session: Session, rests_s: float) -> dict[str, Any]:
    """Give one session."""
    return {
        "id": session.id,
        "token": session.token,
        "running": session.running,
        "created_at": datetime.fromtimestamp(session.created_at, UTC).isoformat(timespec="seconds"),
        "idle_s": round(rests_s, 1),
    }


def file_as_dict(file: StoredFile) -> dict[str, Any]:
    """Give one file."""
    return {"name": file.name, "size": file.size, "media_type": media_type(file.name)}


def execution_as_dict(session: Session, done: Execution) -> dict[str, Any]:
    """Give the end of an execution."""
    return {
        "session": {"id": session.id, "token": session.token},
        "stdout": done.stdout,
        "stderr": done.stderr,
        "result": done.result,
        "error": None
        if done.error is None
        else {"name": done.error.name, "value": done.error.value, "traceback": list(done.error.traceback)},
        "files": [file_as_dict(file) for file in done.files],
        "charts": [_chart(chart) for chart in done.charts],
        "timed_out": done.stopped == "timeout",
        "stopped": done.stopped,
        "restarted": done.restarted,
        "truncated": done.truncated,
        "usage": {
            "wall_ms": round(done.usage.wall_ms, 1),
            "cpu_ms": round(done.usage.cpu_ms, 1),
            "memory_mb": round(done.usage.memory_mb, 1),
        },
    }


def media_type(name: str) -> str:
    """Return the media type that the name's ending says."""
    found, encoding = _TYPES.guess_type(name)
    return found if found and not encoding else UNKNOWN_TYPE


def _chart(chart: Chart) -> dict[str, Any]:
    return {"file": chart.file, "media_type": media_type(chart.file), "data": chart.data}
