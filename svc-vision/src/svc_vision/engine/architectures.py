"""What a model can do, read from the architecture that its `config.json` names.

Knows nothing about files or how a model is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from servicekit.models.obstacle import DoesNotRun
from svc_vision.engine.base import Task

Kind = Literal["captioner", "blip", "florence", "conversing", "detector", "classifier"]
"""Which network of ours runs it."""


@dataclass(frozen=True)
class Architecture:
    """One family of models: how the names of its classes end, and its tasks, the main one first."""

    ending: str
    kind: Kind
    tasks: tuple[Task, ...]


ARCHITECTURES = (
    Architecture("VisionEncoderDecoderModel", "captioner", ("caption",)),
    Architecture("BlipForConditionalGeneration", "blip", ("caption",)),
    Architecture("Florence2ForConditionalGeneration", "florence", ("caption", "detection", "ocr")),
    Architecture("Idefics3ForConditionalGeneration", "conversing", ("question", "caption")),
    Architecture("SmolVLMForConditionalGeneration", "conversing", ("question", "caption")),
    Architecture("ForObjectDetection", "detector", ("detection",)),
    Architecture("ForImageClassification", "classifier", ("classification",)),
)


def architecture_of(config: Mapping[str, Any], name: str) -> Architecture:
    """Return what a model is.

    Raises:
        DoesNotRun: it is none that runs here.
    """
    told = config.get("architectures")
    names = [str(one) for one in told] if isinstance(told, list) else []
    found = next((a for a in ARCHITECTURES if any(one.endswith(a.ending) for one in names)), None)
    if found is None:
        runs = tuple(f"...{a.ending}" if a.ending.startswith("For") else a.ending for a in ARCHITECTURES)
        told = ", ".join(names)[:80]
        raise DoesNotRun(
            f"'{name[:100]}' is a {told or 'model without a named architecture'}, which does not run here. "
            f"These do: {', '.join(runs)}.",
            of="kind",
            found=told or "?",
            runs=runs,
        )
    if found.kind == "florence" and _part(config, "vision_config").get("model_type") == "davit":
        raise DoesNotRun(
            f"'{name[:100]}' is a Florence-2 as it was first published, with code of its own, which is never run. "
            "Take a conversion to the format of transformers, such as florence-community/Florence-2-base.",
            of="own_code",
        )
    return found


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}
