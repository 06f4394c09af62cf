"""How much memory a pipeline takes at most, told from its files' headers before they are fetched.

Measured 2026-11-27 (random weights, processor, resident peak of a process that loads and draws): Stable Diffusion 1.5's
shape, 16-bit files, bf16: 3,973 MiB at 512 x 512, 3,734 at 256 x 256 (told: 4,009); LCM-Dreamshaper's,
32-bit files: 5,631 at 512 x 512 (told: 5,535), of which 3,428 are no pages of files;
SDXL-Turbo's, 16-bit files: 10,281 at 512 x 512 (told: 12,029), of which 8,116; the built-in model: 515 MiB
(told: 478). A small decoder adds 106 MiB at 512 x 512 and 313 at 1024 x 1024 in bf16, 231 at 512 x 512 in fp32 (told:
309). The peak of a pipeline is the loading: the file's pages and the model in the type it runs in are there together.
"""

from __future__ import annotations

from servicekit.hub import Estimate, Needs, numbers_in
from svc_image_gen.engine.decoders import CLASS, family_of
from svc_image_gen.engine.pipeline_kind import check_pipeline
from svc_image_gen.engine.precision import choose_dtype
from svc_image_gen.errors import UnsupportedPipeline

BASE_BYTES = 450 * 2**20
"""Python, torch and diffusers."""
FILE_PART = 0.75
"""Of the files, what is still in memory when the last component is loaded."""

DECODER_BYTES = 300 * 2**20
"""What a small decoder works with at the largest size; the pipeline that it stands beside has the rest."""


def memory_need(precision: str, device: str) -> Estimate:
    """Return the estimate for models loaded in `precision` on `device`."""

    def estimate(needs: Needs) -> int:
        repo = needs.listing.repo
        if all(file.name != "model_index.json" for file in needs.files):
            if needs.json("config.json").get("_class_name") != CLASS:
                raise UnsupportedPipeline(
                    f"'{repo}' has no model_index.json: it is no pipeline of diffusers.", param="id"
                )
            family_of(repo)
            return DECODER_BYTES + numbers_in(needs) * 4
        check_pipeline(needs.json("model_index.json"), repo)
        dtype = choose_dtype(precision, "cpu" if device == "auto" else device, needs.weights_bytes)
        return int(BASE_BYTES + numbers_in(needs) * dtype.itemsize + FILE_PART * needs.weights_bytes)

    return estimate
