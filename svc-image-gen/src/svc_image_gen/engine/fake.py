"""A deterministic engine without weights: one colour by prompt and seed, a bar for the steps."""

from __future__ import annotations

import hashlib
import threading

from PIL import Image

from servicekit.models import InstalledModel, ModelSlot
from servicekit.timing import Timing
from svc_image_gen.engine.base import (
    Decoder,
    Drawing,
    DrawRequest,
    Limits,
    OnStep,
    Recommended,
    Source,
    options_of,
)

NATIVE = (64, 64)


class FakeEngine:
    """Draw at once, or in steps of `step_s` seconds; `requests` tells what was drawn."""

    def __init__(self, step_s: float = 0.0, model_id: str = "fake") -> None:
        self.device = "cpu"
        self.recommended = Recommended(steps=4, guidance_scale=2.0)
        self.limits = Limits()
        self.decoder: Decoder = "full"
        self.model = InstalledModel(
            model_id, "image", builtin=True, license="MIT", languages=("pt-BR", "en"),
            options=options_of(self.recommended, self.limits),
        )  # fmt: skip
        self.slot: ModelSlot[str] = ModelSlot(lambda: model_id, name=model_id)
        self.requests: list[DrawRequest] = []
        self._step_s = step_s
        self._pause = threading.Event()

    def decoders(self) -> tuple[Decoder, ...]:
        return ("full",)

    def draw(self, request: DrawRequest, on_step: OnStep, timing: Timing) -> Drawing:
        self.requests.append(request)
        with self.slot.use(timing), timing.measure("run"):
            digest = hashlib.sha256(f"{request.prompt}/{request.seed}".encode()).digest()
            native = Image.new("RGB", NATIVE, (digest[0], digest[1], digest[2]))
            if request.source is not None:
                return Drawing(self._changed(request.source, native, on_step), NATIVE)
            for step in range(1, request.steps + 1):
                self._pause.wait(self._step_s)
                on_step(step, native.copy)
            return Drawing(native.resize((request.width, request.height)), NATIVE)

    @staticmethod
    def _changed(source: Source, native: Image.Image, on_step: OnStep) -> Image.Image:
        """Put the colour half over the picture, or whole where the mask lets it change."""
        on_step(1, native.copy)
        colour = native.resize(source.image.size)
        if source.mask is not None:
            return Image.composite(colour, source.image, source.mask)
        return Image.blend(source.image, colour, 0.5)

    def close(self) -> None:
        self.slot.close()
