"""Draws the pictures of a job and keeps them: the handler behind every way of asking.

Owns the order of durable steps, progress and previews. Knows nothing about HTTP or tensors.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from servicekit.errors import BadRequest, ModelNotFound, NotFound
from servicekit.jobs import JobContext
from servicekit.media import MediaStore
from servicekit.models import InstalledModel, ServiceModels
from servicekit.timing import Timing
from svc_image_gen.domain.pictures import PictureSpec, from_payload, metadata_text
from svc_image_gen.engine.base import Engine, OnStep, Preview, Source
from svc_image_gen.engine.decoders import TASK, Decoders

KIND = "image"
PREVIEW_SHARE = 0.1
"""Part of the time of a picture that its previews may take, however often they are wanted."""


class Studio:
    """The engines of this service and the store of their pictures."""

    def __init__(
        self,
        engines: Mapping[str, Engine],
        models: ServiceModels,
        media: MediaStore,
        *,
        preview_every_s: float,
        decoders: Decoders | None = None,
    ) -> None:
        self.engines = dict(engines)
        self.decoders = decoders or Decoders()
        self.models = models
        self.media = media
        self._preview_every_s = preview_every_s

    def add(self, engine: Engine) -> None:
        """Take an engine in while the service runs."""
        self.engines[engine.model.id] = engine
        self.models.add(engine.model, engine.slot)
        self._tell_decoders()

    def add_decoder(self, model: InstalledModel, repo: str, folder: Path) -> None:
        """Take a small decoder in: engines use it from their next picture on. Raises UnsupportedPipeline."""
        self.decoders.add(model.id, repo, folder)
        default = self.models.default
        self.models.add(model)
        self.models.default = default  # a decoder never draws, not even where it is all there is
        self._tell_decoders()

    def discard(self, model_id: str) -> None:
        """Let an engine or a small decoder go. Raises Conflict while an engine draws."""
        if model_id in self.decoders:
            self.decoders.discard(model_id)
            self.models.discard(model_id)
            self._tell_decoders()
            return
        engine = self.engines[model_id]
        engine.slot.unload()
        self.models.discard(model_id)
        del self.engines[model_id]
        engine.close()
        if self.models.default in self.decoders:
            self.models.default = next(iter(self.engines), None)

    def _tell_decoders(self) -> None:
        """Say in each model's options whether its pictures can be finished by a small decoder, as it is now."""
        for engine in self.engines.values():
            choices = list(engine.decoders())
            more = {"decoder": {"default": engine.decoder, "choices": choices}} if len(choices) > 1 else {}
            self.models.update(replace(engine.model, options={**engine.model.options, **more}))

    def engine(self, name: str | None) -> Engine:
        """Find the engine of a model or alias. Raises ModelNotFound, and BadRequest for a model that does not draw."""
        model = self.models.resolve(name)
        if model.id in self.engines:
            return self.engines[model.id]
        if model.task == TASK:
            raise BadRequest(
                f"'{model.id}' is a small decoder: it finishes the pictures of other models and draws none itself. "
                f"Models that draw: {', '.join(sorted(self.engines)) or 'none'}.",
                param="model",
            )
        raise ModelNotFound(f"The model '{model.id}' was just removed.", param="model")

    def draw(self, ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        """Handle one job: each picture is a durable step, so that a crash loses only the one in the making."""
        spec = from_payload(payload)
        engine = self.engine(spec.model)
        timing = Timing()
        timing.add("queue", ctx.queue_s)
        if not engine.slot.loaded:
            ctx.loading()
        try:
            pictures = [
                ctx.step(f"picture-{index}", self._picture, ctx, engine, spec, index, timing)
                for index in range(spec.n)
            ]
        finally:
            self._drop_preview(ctx)
        return {
            "model": engine.model.id,
            "device": engine.device,
            "created": int(time.time()),
            "prompt": spec.prompt,
            "pictures": pictures,
            "parameters": spec.parameters(),
            "timing": timing.as_dict(),
        }

    def _picture(
        self, ctx: JobContext, engine: Engine, spec: PictureSpec, index: int, timing: Timing
    ) -> dict[str, Any]:
        request = replace(spec.request(index), source=self._source(spec, ctx.owner))
        drawing = engine.draw(request, self._teller(ctx, spec, index), timing)
        ctx.check_cancelled()
        info = PngInfo()
        info.add_itxt("parameters", metadata_text(spec, index, engine.model.id, drawing.native_size))
        # The id follows from the job: done again after a crash, the step replaces its own picture.
        item = self.media.put(
            _png(drawing.image, info),
            "image/png",
            ctx.owner,
            item_id=self.media.new_id(f"{ctx.job_id}/{index}"),
        )
        return {
            "id": item.id,
            "url": item.url,
            "seed": request.seed,
            "width": drawing.image.width,
            "height": drawing.image.height,
            "native_size": list(drawing.native_size),
            "size_bytes": item.size_bytes,
        }

    def _source(self, spec: PictureSpec, owner: str) -> Source | None:
        """Read the picture that a drawing begins from. Raises NotFound when its owner has deleted it since."""
        if spec.source is None:
            return None
        image = Image.open(io.BytesIO(self.media.read(spec.source, owner))).convert("RGB")
        if spec.mask is None:
            return Source(image, spec.strength)
        mask = Image.open(io.BytesIO(self.media.read(spec.mask, owner))).convert("L")
        return Source(image, spec.strength, mask)

    def keep(self, picture: Image.Image, owner: str) -> str:
        """Keep a picture to begin from, once however often it is sent, and return its id."""
        content = _png(picture)
        digest = hashlib.sha256(content).hexdigest()
        return self.media.put(content, "image/png", owner, item_id=self.media.new_id(f"{owner}/{digest}")).id

    def _teller(self, ctx: JobContext, spec: PictureSpec, index: int) -> OnStep:
        """Make the callback that tells each step, with a preview now and then."""
        total = spec.steps * spec.n
        due_at = 0.0

        def on_step(step: int, preview: Preview) -> None:
            nonlocal due_at
            ctx.check_cancelled()
            url = None
            done = index * spec.steps + step
            began = time.monotonic()
            if self._preview_every_s > 0 and began >= due_at and step < spec.steps:
                url = self._show(ctx, preview, done)
                ended = time.monotonic()
                due_at = ended + max(self._preview_every_s, (ended - began) / PREVIEW_SHARE)
            ctx.progress(done, total, f"Picture {index + 1} of {spec.n}, step {step} of {spec.steps}", url)

        return on_step

    def _show(self, ctx: JobContext, preview: Preview, step: int) -> str | None:
        picture = preview()
        if picture is None:
            return None
        item = self.media.put(_png(picture), "image/png", ctx.owner, item_id=self._preview_id(ctx))
        return f"{item.url}?step={step}"  # one file, replaced each time; the query keeps caches apart

    def _drop_preview(self, ctx: JobContext) -> None:
        try:
            self.media.delete(self._preview_id(ctx), ctx.owner)
        except NotFound:
            pass

    def _preview_id(self, ctx: JobContext) -> str:
        return self.media.new_id(f"{ctx.job_id}/preview")


def _png(picture: Image.Image, info: PngInfo | None = None) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=info)
    return out.getvalue()
