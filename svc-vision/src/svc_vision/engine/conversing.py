"""Models that are talked to about a picture: SmolVLM (Idefics3).

Owns the prompt and how closely a picture is seen. Used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from svc_vision.engine.base import Task
from svc_vision.engine.networks import LOCAL
from svc_vision.engine.stopping import hooks

DESCRIBE = "Describe this image in one sentence."
"""What stands for a question where a caption is wanted."""


def glances(tiles: int) -> int:
    """Return how many times a square picture is looked at: each tile, and the whole."""
    return tiles * tiles + 1 if tiles > 1 else 1


class Conversing:
    """An Idefics3ForConditionalGeneration or SmolVLMForConditionalGeneration. Pictures go through one by one.

    Args:
        tiles: how many tiles a picture's longer side is cut into, each seen as closely as the whole; 1 sees the
            whole only. The published setting is 4, which takes some ten times as long.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        dtype: Any = None,
        tiles: int = 1,
        answer_tokens: int = 128,
        caption_tokens: int = 64,
    ) -> None:
        from transformers import AutoModelForImageTextToText, Idefics3Processor

        self._device = device
        self._tokens = {"question": answer_tokens, "caption": caption_tokens}
        # The processor that some folders name wants a package for films; for pictures it does the same as this one.
        self._processor: Any = Idefics3Processor.from_pretrained(folder, **LOCAL)
        model: Any = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, **LOCAL
        )
        self._model = model.to(device).eval()
        side = self._processor.image_processor.max_image_size["longest_edge"]
        self._size = {"longest_edge": tiles * side}
        self._named = sorted(self._processor.tokenizer.get_added_vocab(), key=len, reverse=True)

    def look(
        self, task: Task, images: Sequence[Image], questions: Sequence[str], left: Callable[[], bool]
    ) -> list[str]:
        """Answer each question about its picture, in order; a caption is the answer to DESCRIBE."""
        return [
            self._answer(image, question if task == "question" else DESCRIBE, self._tokens[task], left)
            for image, question in zip(images, questions, strict=True)
        ]

    def _answer(self, image: Image, question: str, max_tokens: int, left: Callable[[], bool]) -> str:
        import torch

        said = {
            "role": "user",
            "content": [{"type": "image"}, {"type": "text", "text": self._plain(question)}],
        }
        prompt = self._processor.apply_chat_template([said], add_generation_prompt=True)
        inputs = self._processor(text=prompt, images=[image], size=self._size, return_tensors="pt")
        inputs = inputs.to(self._device, self._model.dtype)
        with torch.inference_mode():
            tokens = self._model.generate(**inputs, do_sample=False, max_new_tokens=max_tokens, **hooks(left))
        text = self._processor.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return str(text).strip()

    def _plain(self, question: str) -> str:
        """Take out the tokens by which the model knows pictures and turns: they are not a caller's to set."""
        for name in self._named:
            question = question.replace(name, " ")
        return " ".join(question.split())
