"""Errors that only svc-image-gen raises."""

from __future__ import annotations

from typing import Any

from servicekit.errors import BadRequest, Conflict, DeadlineExceeded, ServiceError
from servicekit.models.obstacle import DoesNotRun


class InvalidSize(BadRequest):
    """The picture asked for is too large, too small or not in steps of eight pixels."""

    code = "invalid_size"


class MissingImage(BadRequest):
    """No picture to begin from came."""

    code = "missing_image"


class UnsupportedPipeline(DoesNotRun):
    """The repository or folder is of something that does not draw here."""

    code = "unsupported_pipeline"


class TooManySteps(BadRequest):
    """The model's scheduler has no such number of steps."""

    code = "too_many_steps"


class SchedulerDoesNotFit(BadRequest):
    """The model draws with another scheduler than the one asked for."""

    code = "scheduler_does_not_fit"


class DecoderNotInstalled(BadRequest):
    """No small decoder is installed that knows this model's latents."""

    code = "decoder_not_installed"


class DrawingCancelled(Conflict):
    """Somebody cancelled the job that this call waits for."""

    code = "job_cancelled"


class StillDrawing(DeadlineExceeded):
    """The pictures are not ready within the time of one call; their job goes on."""

    code = "still_drawing"


class DrawingFailed(ServiceError):
    """The job ended in an error; told to the caller in that error's own words."""

    def __init__(self, error: dict[str, Any] | None) -> None:
        self._error = error or {}
        super().__init__(str(self._error.get("message", "The picture could not be drawn.")))

    @property
    def status(self) -> int:  # type: ignore[override]
        """404 or 400 when the request was at fault, 503 when something was not ready, else 500."""
        known = {"not_ready": 503, "model_not_found": 404}
        if self._error.get("code") in known:
            return known[self._error["code"]]
        return 400 if self._error.get("type") == "invalid_request_error" else 500

    def body(self) -> dict[str, Any]:
        return {"error": {name: self._error.get(name) for name in ("message", "type", "param", "code")}}
