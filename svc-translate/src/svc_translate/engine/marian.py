"""Marian through transformers: the fallback where CTranslate2 is not wanted (TRANSLATE_ENGINE=transformers)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from svc_translate.engine.base import Pair
from svc_translate.engine.folders import MarianFolder


class TransformersTranslator:
    """A loaded MarianMTModel in fp32. Used by one thread at a time. Safetensors only."""

    def __init__(self, folder: MarianFolder, *, threads: int = 2, beam: int = 4, device: str = "cpu") -> None:
        import torch
        from transformers import MarianMTModel, MarianTokenizer

        torch.set_num_threads(threads)
        self._device = device
        self._beam = beam
        self._prefix = f"{folder.label} " if folder.label else ""
        self._tokenizer: Any = MarianTokenizer.from_pretrained(folder.path, local_files_only=True)
        model: Any = MarianMTModel.from_pretrained(folder.path, use_safetensors=True, local_files_only=True)
        self._model = model.to(device).eval()

    def translate(self, sentences: Sequence[str], pair: Pair) -> list[tuple[str, float]]:
        """Translate a batch, in order; with each, the mean log probability of its tokens (beams only)."""
        import torch

        texts = [self._prefix + sentence for sentence in sentences]
        batch = self._tokenizer(texts, return_tensors="pt", padding=True).to(self._device)
        with torch.inference_mode():
            made = self._model.generate(
                **batch,
                num_beams=self._beam,
                do_sample=False,
                return_dict_in_generate=True,
                output_scores=True,
                max_new_tokens=min(500, 3 * batch["input_ids"].shape[1] + 20),
            )
        texts = self._tokenizer.batch_decode(made.sequences, skip_special_tokens=True)
        scores = made.sequences_scores.tolist() if self._beam > 1 else [0.0] * len(texts)
        return list(zip(texts, scores, strict=True))

    def close(self) -> None:
        del self._model
