"""Bodies of `/v1/fine_tuning/jobs`, and jobs, events and checkpoints as OpenAI writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from svc_chat.api.items import plain
from svc_chat.domain.tuning.service import Order
from svc_chat.engine.tuning.base import TrainedModel, TuningEvent, TuningJob, Wishes

Auto = Literal["auto"]
FileId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Hyperparameters(BaseModel):
    """`auto`, or a number within reason."""

    n_epochs: Auto | Annotated[int, Field(ge=1, le=1000)] = "auto"
    batch_size: Auto | Annotated[int, Field(ge=1, le=64)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0, le=100)] = "auto"


class Supervised(BaseModel):
    """`method.supervised`."""

    hyperparameters: Hyperparameters = Field(default_factory=Hyperparameters)


class Method(BaseModel):
    """How it is trained: from answers that are given."""

    type: Literal["supervised"] = "supervised"
    supervised: Supervised = Field(default_factory=Supervised)


class JobBody(BaseModel):
    """`POST /v1/fine_tuning/jobs`."""

    _plain = model_validator(mode="before")(plain)
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    training_file: FileId
    validation_file: FileId | None = None
    suffix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,64}$")] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    hyperparameters: Hyperparameters | None = None
    method: Method | None = None
    metadata: Annotated[
        dict[
            Annotated[str, StringConstraints(max_length=64)],
            Annotated[str, StringConstraints(max_length=512)],
        ],
        Field(max_length=16),
    ] = Field(default_factory=dict)
    integrations: Annotated[list[Any], Field(max_length=0)] | None = None

    def order(self) -> Order:
        """Return it in our own words."""
        given = self.method.supervised.hyperparameters if self.method else self.hyperparameters
        chosen = given or Hyperparameters()
        wishes = Wishes(
            None if chosen.n_epochs == "auto" else chosen.n_epochs,
            None if chosen.batch_size == "auto" else chosen.batch_size,
            None if chosen.learning_rate_multiplier == "auto" else chosen.learning_rate_multiplier,
            self.seed,
        )
        return Order(
            self.training_file,
            self.model,
            self.validation_file,
            self.suffix or "",
            wishes,
            self.metadata,
        )


def job_body(job: TuningJob) -> dict[str, Any]:
    """Return OpenAI's `fine_tuning.job`, with `progress`, `counts` and `measured` beside it."""
    details = job.details
    recipe, wishes = details.get("recipe", {}), details.get("wishes", {})
    hyperparameters = {
        "n_epochs": details.get("epochs", "auto"),
        "batch_size": recipe.get("batch", "auto"),
        "learning_rate_multiplier": wishes.get("rate_multiplier") or 1.0,
    }
    result = details.get("result", {})
    done = job.status == "succeeded"
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": int(job.created_at),
        "error": details.get("error"),
        "fine_tuned_model": job.model_id if done else None,
        "finished_at": int(job.finished_at) if job.finished_at else None,
        "hyperparameters": hyperparameters,
        "model": job.base,
        "organization_id": job.owner,
        "result_files": [],
        "seed": recipe.get("seed", 1),
        "status": job.status,
        "trained_tokens": result.get("trained_tokens"),
        "training_file": details.get("training_file") or "train",
        "validation_file": details.get("validation_file"),
        "estimated_finish": _estimated_finish(job),
        "integrations": [],
        "metadata": details.get("metadata", {}),
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "user_provided_suffix": details.get("suffix") or None,
        "progress": progress_body(job),
        "waiting": details.get("waiting") if job.status == "queued" else None,
        "counts": {"examples": details.get("examples", 0), "held_out": details.get("held_out", 0)},
        "measured": _measured(job),
    }


def progress_body(job: TuningJob) -> dict[str, Any]:
    """Return how far a job is."""
    told, look = job.details.get("progress", {}), job.details.get("look", {})
    return {
        "status": job.status,
        "step": job.step,
        "total_steps": job.steps,
        "train_loss": told.get("train_loss"),
        "valid_loss": look.get("valid_loss"),
        "learning_rate": told.get("learning_rate"),
        "eta_s": told.get("eta_s") if job.status == "running" else None,
    }


def event_body(job_id: str, event: TuningEvent) -> dict[str, Any]:
    """Return OpenAI's `fine_tuning.job.event`; its id is its number among the job's."""
    return {
        "object": "fine_tuning.job.event",
        "id": str(event.seq),
        "created_at": int(event.created_at),
        "level": event.level,
        "message": event.message,
        "data": event.data,
        "type": "metrics" if event.data is not None else "message",
    }


def checkpoint_body(model: TrainedModel) -> dict[str, Any]:
    """Return OpenAI's `fine_tuning.job.checkpoint`."""
    metrics: Mapping[str, Any] = {"step": model.step, **model.metrics}
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": f"ftckpt-{model.job_id.removeprefix('ftjob-')}-{model.step}",
        "created_at": int(model.created_at),
        "fine_tuned_model_checkpoint": model.id,
        "fine_tuning_job_id": model.job_id,
        "metrics": {name: value for name, value in metrics.items() if value is not None},
        "step_number": model.step,
    }


def _measured(job: TuningJob) -> dict[str, Any] | None:
    """Return what was found on the held-out examples: nats a token, of the base and of the model that was kept."""
    result = job.details.get("result")
    if result is None:
        return None
    return {
        "base_valid_loss": job.details.get("base_loss"),
        **result["metrics"],
        "best_step": result.get("best_step"),
        "seconds": result["seconds"],
    }


def _estimated_finish(job: TuningJob) -> int | None:
    told = job.details.get("progress")
    return int(told["at"] + told["eta_s"]) if told and job.status == "running" else None
