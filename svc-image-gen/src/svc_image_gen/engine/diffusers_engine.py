"""Draws with a diffusers pipeline from a folder: Stable Diffusion and its kin, or the built-in model.

Owns loading, schedulers, steps and previews. Knows nothing about jobs: cancellation is whatever
`on_step` raises. torch and diffusers are imported when the model is loaded, not before.
"""

from __future__ import annotations

import inspect
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from servicekit.errors import ModelNotFound, ServiceError
from servicekit.models import InstalledModel, ModelSlot
from servicekit.timing import Timing
from svc_image_gen.engine.base import (
    Decoder,
    Drawing,
    DrawRequest,
    Limits,
    OnStep,
    Recommended,
    options_of,
)
from svc_image_gen.engine.decoders import Decoders, load_decoder
from svc_image_gen.engine.pipeline_kind import LCM, LEFT_OUT, SMALL_SIDE, PipelineKind, read_kind
from svc_image_gen.engine.precision import choose_device, choose_dtype
from svc_image_gen.engine.preview import preview_of
from svc_image_gen.engine.redrawing import begin, finished
from svc_image_gen.engine.scaling import fitted

#: What the built-in model's card names.
BUILTIN = Recommended(steps=10, guidance_scale=1.5, usual_steps=(4, 50))
_SCHEDULERS = {
    "ddim": "DDIMScheduler",
    "dpm": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "lcm": "LCMScheduler",
}


@dataclass(frozen=True)
class LoadOptions:
    """How a model is loaded; see the settings of the same names."""

    device: str = "auto"
    precision: str = "auto"
    threads: int = 2
    niceness: int = 0
    vae_slicing: bool = True
    memory_efficient_attention: bool = True
    idle_unload_s: float | None = None
    decoder: Decoder = "full"


@dataclass
class Loaded:
    """A pipeline and the scheduler that came with it: callers may choose others from picture to picture."""

    kind: PipelineKind
    pipeline: Any
    own_scheduler: Any
    small: dict[Path, Any] = field(default_factory=dict)
    """The small decoder that was used last, by its folder."""

    def small_decoder(self, folder: Path | None) -> Any | None:
        """Return the small decoder that stands in `folder`, loaded at its first use; None: none is installed."""
        if folder is None:
            self.small.clear()
            return None
        if folder not in self.small:
            self.small = {folder: load_decoder(folder, self.pipeline.vae)}
        return self.small[folder]


LOWEST = 19
"""The niceness from which drawing runs only when nobody else wants the processor."""


class DiffusersEngine:
    """One pipeline folder. Drawing happens in one thread of its own at the priority `niceness`; loading does not."""

    def __init__(
        self,
        model: InstalledModel,
        folder: Path,
        options: LoadOptions,
        decoders: Decoders | None = None,
    ) -> None:
        self._kind = read_kind(folder, builtin=BUILTIN if model.builtin else None)
        self._decoders = decoders or Decoders()
        self.model = model
        self.device = "cpu" if options.device == "auto" else options.device
        self.recommended: Recommended = self._kind.recommended
        self.limits: Limits = self._kind.limits
        self.decoder: Decoder = options.decoder
        self.slot: ModelSlot[Loaded] = ModelSlot(
            self._load, idle_unload_s=options.idle_unload_s, name=model.id, freed=self._give_back
        )
        self._folder = folder
        self._options = options
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="draw", initializer=self._lower_priority)

    def decoders(self) -> tuple[Decoder, ...]:
        return ("full",) if self._decoders.folder(self._kind.family) is None else ("full", "small")

    def draw(self, request: DrawRequest, on_step: OnStep, timing: Timing) -> Drawing:
        with self.slot.use(timing) as loaded, timing.measure("run"):
            return self._in_thread(lambda: self._draw(loaded, request, on_step))

    def close(self) -> None:
        self.slot.close()
        self._thread.shutdown(wait=False)

    def _give_back(self) -> None:
        """Return a graphics card's memory, which torch keeps for its own next model, to all programs."""
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def _in_thread(self, work: Callable[[], Any]) -> Any:
        return self._thread.submit(work).result()

    def _lower_priority(self) -> None:
        # The threads that OpenMP starts for this one inherit its priority; the web server keeps its own.
        if self._options.niceness > 0:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._options.niceness)
        if self._options.niceness >= LOWEST and hasattr(os, "SCHED_IDLE"):
            # Whoever wakes takes the processor from an idle-class thread at once; from a merely nice one only at the
            # end of its slice, and a step of llama.cpp waits for its threads hundreds of times.
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))

    def _load(self) -> Loaded:
        import diffusers
        import torch
        from diffusers.utils import logging as diffusers_logging
        from transformers.utils import logging as transformers_logging

        for chatty in (diffusers_logging, transformers_logging):
            chatty.disable_progress_bar()
            chatty.set_verbosity_error()
        torch.set_num_threads(self._options.threads)
        self.device = choose_device(self._options.device)
        dtype = choose_dtype(self._options.precision, self.device, self.model.size_bytes or 0)
        kind = getattr(diffusers, self._kind.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # diffusers' advice to the makers of models
            pipeline = kind.from_pretrained(
                self._folder, dtype=dtype, local_files_only=True, use_safetensors=True,
                variant=self._kind.variant, **_parts(kind, self._folder),
            )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        pipeline.to(self.device)
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
        if self._options.vae_slicing:
            pipeline.vae.enable_slicing()
        if self._options.memory_efficient_attention and not hasattr(
            torch.nn.functional, "scaled_dot_product_attention"
        ):
            pipeline.enable_attention_slicing()
        return Loaded(self._kind, pipeline, pipeline.scheduler)

    def _draw(self, loaded: Loaded, request: DrawRequest, on_step: OnStep) -> Drawing:
        small = loaded.small_decoder(self._decoders.folder(loaded.kind.family))
        if request.decoder == "small" and small is None:
            raise ModelNotFound(
                f"The small decoder for '{self.model.id}' was removed before the picture was drawn. "
                "Send the request again without it.",
                param="decoder",
            )
        native = native_size(loaded.kind, request)
        with _decoding_with(loaded.pipeline, small if request.decoder == "small" else None):
            image = _run(loaded, request, native, small, on_step)
        image = image.convert("RGB")
        if request.source is not None:
            return Drawing(finished(image, request.source), native)
        return Drawing(fitted(image, request.width, request.height), native)


def _run(
    loaded: Loaded, request: DrawRequest, native: tuple[int, int], small: Any, on_step: OnStep
) -> Image.Image:
    import torch

    pipeline, kind = loaded.pipeline, loaded.kind
    # Fresh for each picture: a scheduler keeps state.
    pipeline.scheduler = _scheduler(loaded.own_scheduler, request.scheduler)
    begun = None
    if request.source is not None:
        begun = begin(pipeline, kind, request, request.source, native)
        pipeline = begun.pipeline
    # A consistency model tells what it takes the picture for; its latents are that and fresh noise.
    seen = "denoised" if kind.name == LCM else "latents"

    def step_done(_: Any, index: int, __: Any, state: dict[str, Any]) -> dict[str, Any]:
        if begun is not None:
            begun.hold(state, index)
        latents, done = state[seen], index + 1 + (begun.skipped if begun else 0)
        on_step(min(done, request.steps), lambda: preview_of(pipeline, latents, kind.family, small))
        return state

    told = {"negative_prompt": request.negative_prompt or None} if loaded.kind.limits.negative_prompt else {}
    with torch.inference_mode():
        result = pipeline(
            prompt=request.prompt,
            **(begun.arguments if begun else _plain(request, native)),
            guidance_scale=request.guidance_scale,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            callback_on_step_end=step_done,
            callback_on_step_end_tensor_inputs=list(dict.fromkeys(("latents", seen))),
            **told,
        )
    image: Image.Image = result.images[0]
    return image


def _plain(request: DrawRequest, native: tuple[int, int]) -> dict[str, Any]:
    return {"width": native[0], "height": native[1], "num_inference_steps": request.steps}


@contextmanager
def _decoding_with(pipeline: Any, decoder: Any | None) -> Iterator[None]:
    """Let `decoder` stand in for the pipeline's own; None leaves it."""
    own = pipeline.vae
    if decoder is not None:
        pipeline.vae = decoder
    try:
        yield
    finally:
        pipeline.vae = own


def _parts(kind: Any, folder: Path) -> dict[str, Any]:
    """Give what a pipeline is not to read from its folder: components that are left out, a scheduler it names none of."""
    from diffusers import LCMScheduler

    takes = inspect.signature(kind.__init__).parameters
    parts: dict[str, Any] = {name: None for name in LEFT_OUT if name in takes}
    if "requires_safety_checker" in takes:
        parts["requires_safety_checker"] = False
    if kind.__name__ == LCM:
        there = (folder / "scheduler" / "scheduler_config.json").is_file()
        parts["scheduler"] = (
            LCMScheduler.from_pretrained(folder, subfolder="scheduler") if there else LCMScheduler()
        )
    return parts


def native_size(kind: PipelineKind, request: DrawRequest) -> tuple[int, int]:
    """Give the size the model draws in: the one asked for, or its own if it was made for small pictures."""
    own = kind.own_side
    return (own, own) if own < SMALL_SIDE else (request.width, request.height)


def _scheduler(own: Any, wanted: str | None) -> Any:
    """Make a new scheduler: of the kind `wanted`, or the model's own, with the model's noise schedule."""
    import diffusers

    kind = type(own) if wanted is None else getattr(diffusers, _SCHEDULERS[wanted])
    return kind.from_config(own.config)


def installed_from(folder: Path, *, builtin: bool, model_id: str | None = None) -> InstalledModel:
    """Describe the model in a diffusers folder.

    Raises:
        ServiceError: it is no diffusers folder, or of a pipeline that does not draw here.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        raise ServiceError(f"'{folder.name}' holds no model_index.json: it is no diffusers folder.")
    kind = read_kind(folder, builtin=BUILTIN if builtin else None)
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    return InstalledModel(
        model_id or folder.name,
        "image",
        builtin=builtin,
        created=int(index.stat().st_mtime),
        license="MIT" if builtin else None,
        size_bytes=size,
        languages=("pt-BR", "en") if builtin else ("en",),
        options=options_of(kind.recommended, kind.limits),
    )
