"""Florence-2: captions, boxes and the writing in a picture, by one network.

Owns its task words and how its answers are read. Used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from svc_vision.engine.base import Detection, Task, TextLine
from svc_vision.engine.networks import LOCAL, TOGETHER
from svc_vision.engine.regions import Region, regions
from svc_vision.engine.stopping import Sureness, hooks

_WORDS: dict[Task, str] = {"caption": "<CAPTION>", "detection": "<OD>", "ocr": "<OCR_WITH_REGION>"}
_MAX_TOKENS = {"detection": 256, "ocr": 512}
"""Some 40 boxes, some 30 lines of writing."""


class Florence:
    """A Florence2ForConditionalGeneration in the format of transformers, not in that of its first publication."""

    def __init__(
        self, folder: Path, *, device: str = "cpu", dtype: Any = None, beams: int = 1, max_tokens: int = 64
    ) -> None:
        from transformers import AutoProcessor, Florence2ForConditionalGeneration

        self._device, self._beams, self._caption_tokens = device, beams, max_tokens
        self._processor: Any = AutoProcessor.from_pretrained(folder, **LOCAL)
        model: Any = Florence2ForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True
        )
        self._model = model.to(device).eval()
        self._most = model.config.text_config.max_position_embeddings - 1

    def look(
        self, task: Task, images: Sequence[Image], questions: Sequence[str], left: Callable[[], bool]
    ) -> list[Any]:
        """Caption, detect or read a batch, in order."""
        made: list[Any] = []
        for start in range(0, len(images), TOGETHER):
            few = images[start : start + TOGETHER]
            made += self._captions(few, left) if task == "caption" else self._regions(task, few, left)
        return made

    def _captions(self, images: Sequence[Image], left: Callable[[], bool]) -> list[str]:
        tokens = self._generate(
            "caption", images, num_beams=self._beams, max_new_tokens=self._caption_tokens, **hooks(left)
        )
        texts = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]

    def _regions(self, task: Task, images: Sequence[Image], left: Callable[[], bool]) -> list[Any]:
        sureness = Sureness()
        tokens = self._generate(
            task,
            images,
            num_beams=1,
            max_new_tokens=_MAX_TOKENS[task],
            logits_processor=[sureness],
            **hooks(left),
        )
        # The tokens before the first step are what the decoder starts with.
        written = tokens[:, tokens.shape[1] - len(sureness.steps) :].tolist()
        made: list[Any] = []
        for i, (ids, image) in enumerate(zip(written, images, strict=True)):
            shares = [step[i] for step in sureness.steps]
            found = self._parsed(ids, shares, 4 if task == "detection" else 8)
            made.append(_detections(found, image) if task == "detection" else _lines(found, image))
        return made

    def _generate(self, task: Task, images: Sequence[Image], **options: Any) -> Any:
        import torch

        inputs = self._processor(
            images=list(images), text=[_WORDS[task]] * len(images), return_tensors="pt"
        ).to(self._device, self._model.dtype)
        options["max_new_tokens"] = min(options["max_new_tokens"], self._most)
        # The published settings stop beams early, which a greedy search has no use for.
        early = options["num_beams"] > 1
        with torch.inference_mode():
            return self._model.generate(**inputs, do_sample=False, early_stopping=early, **options)

    def _parsed(self, ids: Sequence[int], shares: Sequence[float], numbers: int) -> tuple[Region, ...]:
        tokenizer = self._processor.tokenizer
        names = tokenizer.convert_ids_to_tokens(list(ids))
        special = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token}
        pieces = [(name, share) for name, share in zip(names, shares, strict=True) if name not in special]
        return regions(pieces, numbers, tokenizer.convert_tokens_to_string)


def _detections(found: Sequence[Region], image: Image) -> tuple[Detection, ...]:
    boxes = [Detection(item.words, item.sureness, item.box(image.width, image.height)) for item in found]
    return tuple(sorted(boxes, key=lambda item: -item.score))


def _lines(found: Sequence[Region], image: Image) -> tuple[TextLine, ...]:
    return tuple(TextLine(item.words, item.box(image.width, image.height)) for item in found)
