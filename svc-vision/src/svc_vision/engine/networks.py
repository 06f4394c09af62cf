"""Loaded networks of transformers: one class for each task, all with `run(batch of pictures)`.

Owns the calls of torch and transformers. Safetensors only, no code from a folder is ever run, nothing
is fetched. Each network is used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from svc_vision.engine.base import Classification, Detection

_LOCAL = {"local_files_only": True, "trust_remote_code": False}
DETECTION_FLOOR = 0.05
"""Everything below this is noise; callers cut at their own threshold above it."""


class Captioner:
    """A VisionEncoderDecoderModel. Captions end after `max_tokens` tokens.

    Args:
        no_repeat_ngram: n-grams of this length come at most once; 0 allows all. Public models repeat
            themselves without it; the built-in grammar needs "a red circle ... a red square".
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        beams: int = 1,
        max_tokens: int = 64,
        no_repeat_ngram: int = 0,
    ) -> None:
        from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

        self._device = device
        self._processor: Any = AutoImageProcessor.from_pretrained(folder, **_LOCAL)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **_LOCAL)
        model: Any = VisionEncoderDecoderModel.from_pretrained(
            folder, use_safetensors=True, local_files_only=True
        )
        self._model = model.to(device).eval()
        # The decoder has no places beyond its own positions, whatever the settings say.
        positions = getattr(model.config.decoder, "max_position_embeddings", None) or max_tokens + 1
        max_tokens = min(max_tokens, positions - 1)
        self._options: dict[str, Any] = {
            "num_beams": beams,
            "do_sample": False,
            "max_new_tokens": max_tokens,
            "no_repeat_ngram_size": no_repeat_ngram,
        }

    def run(self, images: Sequence[Image]) -> list[str]:
        """Caption a batch, in order."""
        import torch

        pixels = self._processor(images=list(images), return_tensors="pt")["pixel_values"].to(self._device)
        with torch.inference_mode():
            tokens = self._model.generate(pixels, **self._options)
        texts = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


class Detector:
    """An AutoModelForObjectDetection (YOLOS, DETR, RT-DETR …)."""

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        self._device = device
        self._processor: Any = AutoImageProcessor.from_pretrained(folder, **_LOCAL)
        model: Any = AutoModelForObjectDetection.from_pretrained(folder, use_safetensors=True, **_LOCAL)
        self._model = model.to(device).eval()

    def run(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
        """Find things in a batch; boxes are in pixels of each picture, likeliest first."""
        import torch

        inputs = self._processor(images=list(images), return_tensors="pt").to(self._device)
        with torch.inference_mode():
            outputs = self._model(**inputs)
        sizes = [(image.height, image.width) for image in images]
        rows = self._processor.post_process_object_detection(
            outputs, threshold=DETECTION_FLOOR, target_sizes=sizes
        )
        return [self._detections(row) for row in rows]

    def _detections(self, row: dict[str, Any]) -> tuple[Detection, ...]:
        names = self._model.config.id2label
        found = [
            Detection(names[int(label)], float(score), (box[0], box[1], box[2], box[3]))
            for label, score, box in zip(row["labels"], row["scores"], row["boxes"].tolist(), strict=True)
        ]
        return tuple(sorted(found, key=lambda item: -item.score))


class Classifier:
    """An AutoModelForImageClassification (ViT …)."""

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        self._device = device
        self._processor: Any = AutoImageProcessor.from_pretrained(folder, **_LOCAL)
        model: Any = AutoModelForImageClassification.from_pretrained(folder, use_safetensors=True, **_LOCAL)
        self._model = model.to(device).eval()

    def run(self, images: Sequence[Image]) -> list[tuple[Classification, ...]]:
        """Give all labels of each picture, likeliest first."""
        import torch

        inputs = self._processor(images=list(images), return_tensors="pt").to(self._device)
        with torch.inference_mode():
            shares = self._model(**inputs).logits.float().softmax(dim=-1)
        names = self._model.config.id2label
        made = []
        for row in shares:
            order = row.argsort(descending=True).tolist()
            made.append(tuple(Classification(names[i], float(row[i])) for i in order))
        return made
