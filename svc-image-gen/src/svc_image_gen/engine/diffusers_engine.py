"""Draws with a diffusers pipeline from a folder: Stable Diffusion and its kin, or the built-in model.

Owns loading, schedulers, steps and previews. Knows nothing about jobs: cancellation is whatever
`on_step` raises. torch and diffusers are imported when the model is loaded, not before.
"""

from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from servicekit.errors import ServiceError
from servicekit.models import InstalledModel, ModelSlot
from servicekit.timing import Timing
from svc_image_gen.engine.base import Drawing, DrawRequest, OnStep, Recommended
from svc_image_gen.engine.precision import choose_device, choose_dtype
from svc_image_gen.engine.preview import preview_of
from svc_image_gen.engine.scaling import fitted

#: A model made for pictures smaller than this draws in its own size, and the picture is enlarged.
SMALL_SIDE = 256
#: What the built-in model's card names.
BUILTIN = Recommended(steps=10, guidance_scale=1.5)
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


@dataclass(frozen=True)
class Loaded:
    """A pipeline and the scheduler that came with it: callers may choose others from picture to picture."""

    pipeline: Any
    own_scheduler: Any


LOWEST = 19
"""The niceness from which drawing runs only when nobody else wants the processor."""


class DiffusersEngine:
    """One pipeline folder. Drawing happens in one thread of its own at the priority `niceness`; loading does not."""

    def __init__(
        self,
        model: InstalledModel,
        folder: Path,
        options: LoadOptions,
        recommended: Recommended | None = None,
    ) -> None:
        self.model = model
        self.device = "cpu" if options.device == "auto" else options.device
        self.recommended = recommended or read_recommended(folder, builtin=model.builtin)
        self.slot: ModelSlot[Loaded] = ModelSlot(
            self._load, idle_unload_s=options.idle_unload_s, name=model.id
        )
        self._folder = folder
        self._options = options
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="draw", initializer=self._lower_priority)

    def draw(self, request: DrawRequest, on_step: OnStep, timing: Timing) -> Drawing:
        with self.slot.use(timing) as loaded, timing.measure("run"):
            return self._in_thread(lambda: _draw(loaded, request, on_step))

    def close(self) -> None:
        self.slot.close()
        self._thread.shutdown(wait=False)

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
        import torch
        from diffusers import DiffusionPipeline
        from diffusers.utils import logging as diffusers_logging
        from transformers.utils import logging as transformers_logging

        for chatty in (diffusers_logging, transformers_logging):
            chatty.disable_progress_bar()
            chatty.set_verbosity_error()
        torch.set_num_threads(self._options.threads)
        self.device = choose_device(self._options.device)
        dtype = choose_dtype(self._options.precision, self.device, self.model.size_bytes or 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # diffusers' advice to the makers of models
            pipeline = DiffusionPipeline.from_pretrained(
                self._folder, dtype=dtype, local_files_only=True, use_safetensors=True
            )
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
        return Loaded(pipeline, pipeline.scheduler)


def _draw(loaded: Loaded, request: DrawRequest, on_step: OnStep) -> Drawing:
    import torch

    pipeline = loaded.pipeline
    native = native_size(pipeline, request)
    # Fresh for each picture: a scheduler keeps state.
    pipeline.scheduler = _scheduler(loaded.own_scheduler, request.scheduler)

    def step_done(_: Any, index: int, __: Any, state: dict[str, Any]) -> dict[str, Any]:
        latents = state["latents"]
        on_step(min(index + 1, request.steps), lambda: preview_of(pipeline, latents))
        return state

    generator = torch.Generator("cpu").manual_seed(request.seed)
    with torch.inference_mode():
        result = pipeline(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt or None,
            width=native[0],
            height=native[1],
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            generator=generator,
            callback_on_step_end=step_done,
        )
    image: Image.Image = result.images[0]
    return Drawing(fitted(image.convert("RGB"), request.width, request.height), native)


def native_size(pipeline: Any, request: DrawRequest) -> tuple[int, int]:
    """Give the size the model draws in: the one asked for, or its own if it was made for small pictures."""
    own = int(pipeline.unet.config.sample_size) * int(pipeline.vae_scale_factor)
    return (own, own) if own < SMALL_SIDE else (request.width, request.height)


def _scheduler(own: Any, wanted: str | None) -> Any:
    """Make a new scheduler: of the kind `wanted`, or the model's own, with the model's noise schedule."""
    import diffusers

    kind = type(own) if wanted is None else getattr(diffusers, _SCHEDULERS[wanted])
    return kind.from_config(own.config)


def installed_from(folder: Path, *, builtin: bool, model_id: str | None = None) -> InstalledModel:
    """Describe the model in a diffusers folder.

    Raises:
        ServiceError: it is no diffusers folder.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        raise ServiceError(f"'{folder.name}' holds no model_index.json: it is no diffusers folder.")
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    return InstalledModel(
        model_id or folder.name,
        "image",
        builtin=builtin,
        created=int(index.stat().st_mtime),
        license="MIT" if builtin else None,
        size_bytes=size,
        languages=("pt-BR", "en") if builtin else ("en",),
    )


def read_recommended(folder: Path, *, builtin: bool = False) -> Recommended:
    """Read `recommended.json` (`{"steps", "guidance_scale"}`) beside the model, where there is one."""
    usual = BUILTIN if builtin else Recommended()
    try:
        values = json.loads((folder / "recommended.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return usual
    known = {name: values[name] for name in ("steps", "guidance_scale") if name in values}
    return replace(usual, **known)
