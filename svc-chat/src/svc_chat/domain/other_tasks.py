"""What is said of a model that is asked to chat and does something else. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.errors import WrongTask
from servicekit.models.registry import listed
from svc_chat.engine.base import OtherModel

CALLS = {
    "image": "/v1/images/generations",
    "caption": "/v1/vision/captions",
    "detection": "/v1/vision/detections",
    "classification": "/v1/vision/classifications",
    "question": "/v1/vision/questions",
    "ocr": "/v1/vision/texts",
    "translation": "/v1/translations",
    "speech": "/v1/audio/speech",
    "embedding": "/v1/embeddings",
    "rerank": "/v1/rerank",
}
"""The call that takes models of a task by name; those of other tasks are part of something else."""


def wrong_task(model: OtherModel, chat_models: Sequence[str]) -> WrongTask:
    """Return the error that says what a model does instead, and which calls take it."""
    calls = [f"POST {CALLS[task]}" for task in model.tasks if task in CALLS]
    taken = f": send it to {' or '.join(calls)}" if calls else ""
    install = "" if model.installed else " It is not installed (POST /v1/models/install)."
    return WrongTask(
        f"The model '{model.id[:80]}' does {', '.join(model.tasks)}, not chat{taken}.{install} "
        f"Models for chat: {listed(chat_models)}.",
        param="model",
    )
