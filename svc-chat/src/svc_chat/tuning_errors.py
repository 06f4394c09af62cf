"""Errors of training alone."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.errors import BadRequest, Conflict, NotReady, TooBusy


class InvalidExamples(BadRequest):
    """Training data that cannot be read; the message names the line."""

    code = "invalid_training_data"


class NotTrainable(BadRequest):
    """The model is of a kind that cannot be trained here."""

    code = "model_not_trainable"

    def __init__(self, name: str, architecture: str, possible: Sequence[str]):
        super().__init__(
            f"The model '{name[:80]}' is of the architecture '{architecture[:40]}' and cannot be trained. These can: "
            f"{', '.join(possible)}. Choose such a GGUF model as the base.",
            param="model",
        )


class TrainingFull(TooBusy):
    """As many trainings wait as may."""

    code = "training_queue_full"

    def __init__(self, waiting: int, limit: int):
        super().__init__(
            f"{waiting} trainings wait and {limit} may. Try again when one has ended, or cancel one.",
            retry_after_s=30,
        )


class TrainingResting(NotReady):
    """The training that would take a text in was paused and is still at its last step."""

    code = "training_resting"

    def __init__(self, job_id: str):
        super().__init__(
            f"Your training '{job_id}' was paused and is still finishing a step, so it takes no text in yet. "
            "Nothing was kept: give the text again in some seconds.",
            retry_after_s=10,
        )


class TrainingTooLarge(NotReady):
    """A training would need more than this machine has free."""

    code = "training_too_large"

    def __init__(self, what: str, need_bytes: int, free_bytes: int, remedy: str):
        super().__init__(
            f"This training needs about {_mib(need_bytes)} of {what} and {_mib(free_bytes)} are free. {remedy}",
            retry_after_s=None,
        )


class TrainingNotInstalled(NotReady):
    """torch, transformers or peft are not here."""

    code = "training_not_installed"

    def __init__(self, missing: Sequence[str]):
        super().__init__(
            f"Training needs {', '.join(missing)}, which this installation leaves out. Install 'svc-chat[training]'.",
            retry_after_s=None,
        )


class JobEnded(Conflict):
    """The job is not in a state in which this can be done."""

    code = "invalid_job_state"


def _mib(count: int) -> str:
    return f"{-(-count // 2**20)} MiB"
