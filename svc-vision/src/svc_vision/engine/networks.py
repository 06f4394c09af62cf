"""Loaded networks of transformers that do one task each, all with `run(batch of pictures)`.

Those that do several are in `florence.py` and `conversing.py`. Owns the calls of torch and transformers. Safetensors only, no code from a folder is ever run, nothing
is fetched. Each network is used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from svc_vision.engine.base import Classification, Detection, Task

LOCAL = {"local_files_only": True, "trust_remote_code": False}
DETECTION_FLOOR = 0.05
"""Everything below this is noise; callers cut at their own threshold above it."""
TOGETHER = 2
"""Pictures that go through a large model at once: more take memory, and a processor gains nothing by them."""
TOGETHER_PIXELS = TOGETHER * 640 * 640
"""The same for detectors, of which the built-in one sees pictures so small that more of them pay."""


class OneTask:
    """A network whose only task is `run`."""

    def run(self, images: Sequence[Image]) -> list[Any]:
        """Do it for a batch, in order."""
        raise NotImplementedError

    def look(
        self, task: Task, images: Sequence[Image], questions: Sequence[str], left: Callable[[], bool]
    ) -> list[Any]:
        """Do it; the engine asks for no other task."""
        return self.run(images)


class Captioner(OneTask):
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
        import torch
        from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

        self._device = device
        self._processor: Any = AutoImageProcessor.from_pretrained(folder, **LOCAL)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **LOCAL)
        model: Any = VisionEncoderDecoderModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
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


class BlipCaptioner(OneTask):
    """A BlipForConditionalGeneration. Captions end after `max_tokens` tokens; pictures go through two by two."""

    def __init__(
        self, folder: Path, *, device: str = "cpu", dtype: Any = None, beams: int = 1, max_tokens: int = 64
    ) -> None:
        from transformers import AutoImageProcessor, AutoTokenizer, BlipForConditionalGeneration

        self._device = device
        self._processor: Any = AutoImageProcessor.from_pretrained(folder, **LOCAL)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **LOCAL)
        model: Any = BlipForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True
        )
        self._model = model.to(device).eval()
        # The two tokens that the model begins with count.
        positions = model.config.text_config.max_position_embeddings - 2
        self._options = {"num_beams": beams, "do_sample": False, "max_new_tokens": min(max_tokens, positions)}

    def run(self, images: Sequence[Image]) -> list[str]:
        """Caption a batch, in order."""
        few = [images[start : start + TOGETHER] for start in range(0, len(images), TOGETHER)]
        return [text for some in few for text in self._captions(some)]

    def _captions(self, images: Sequence[Image]) -> list[str]:
        import torch

        pixels = self._processor(images=list(images), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            tokens = self._model.generate(pixels.to(self._device, self._model.dtype), **self._options)
        texts = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


class Detector(OneTask):
    """An AutoModelForObjectDetection (YOLOS, DETR, RT-DETR …). Large pictures go through two by two."""

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        import torch
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        self._device = device
        self._processor: Any = AutoImageProcessor.from_pretrained(folder, **LOCAL)
        model: Any = AutoModelForObjectDetection.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, **LOCAL
        )
        self._model = model.to(device).eval()
        size = self._processor.size
        longest = size.longest_edge or size.shortest_edge or 0
        self._together = max(1, TOGETHER_PIXELS // max(1, (size.height or longest) * (size.width or longest)))

    def run(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
        """Find things in a batch; boxes are in pixels of each picture, likeliest first."""
        few = [images[start : start + self._together] for start in range(0, len(images), self._together)]
        return [found for some in few for found in self._found(some)]

    def _found(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
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


class Classifier(OneTask):
    """An AutoModelForImageClassification (ViT …)."""

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        import torch
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        self._device = device
        self._processor: Any = AutoImageProcessor.from_pretrained(folder, **LOCAL)
        model: Any = AutoModelForImageClassification.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, **LOCAL
        )
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
