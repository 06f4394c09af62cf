"""The engine asks each kind of pipeline in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from servicekit.errors import ModelNotFound, ServiceError
from servicekit.timing import Timing
from svc_image_gen.engine.base import DrawRequest
from svc_image_gen.engine.decoders import Decoders
from svc_image_gen.engine.diffusers_engine import DiffusersEngine, LoadOptions, installed_from
from svc_image_gen.engine.pipeline_kind import read_kind
from tests.random_pipelines import Kind, make

pytestmark = pytest.mark.model
Making = Callable[[Kind], DiffusersEngine]


@pytest.fixture
def decoders(tmp_path: Path) -> Decoders:
    known = Decoders()
    known.add("taesd", "madebyollin/taesd", make("taesd", tmp_path / "taesd"))
    return known


@pytest.fixture
def engine(tmp_path: Path, decoders: Decoders) -> Iterator[Making]:
    made: list[DiffusersEngine] = []

    def of(kind: Kind) -> DiffusersEngine:
        folder = make(kind, tmp_path / kind)
        made.append(DiffusersEngine(installed_from(folder, builtin=False), folder, LoadOptions(), decoders))
        return made[-1]

    yield of
    for one in made:
        one.close()


def request(engine: DiffusersEngine, **changes: Any) -> DrawRequest:
    recommended = engine.recommended
    fields: dict[str, Any] = {
        "prompt": "um gato", "negative_prompt": "", "width": 64, "height": 64, "steps": 2,
        "guidance_scale": recommended.guidance_scale, "seed": 1,
    }  # fmt: skip
    return DrawRequest(**fields | changes)


def batches(engine: DiffusersEngine, **changes: Any) -> set[int]:
    """Draw, and return the sizes of the batches that the UNet was given."""
    seen: set[int] = set()
    with engine.slot.use() as loaded:
        hook = loaded.pipeline.unet.register_forward_pre_hook(lambda _, given: seen.add(len(given[0])))
        engine.draw(request(engine, **changes), lambda *_: None, Timing())
        hook.remove()
    return seen


@pytest.mark.parametrize(
    ("kind", "changes", "batch"),
    [
        ("sd", {}, 2),
        ("sd", {"guidance_scale": 1.0}, 1),
        ("turbo", {}, 1),
        ("xl-turbo", {}, 1),
        ("lcm", {}, 1),
    ],
)
def test_without_guidance_the_network_sees_each_step_once(
    engine: Making, kind: Kind, changes: dict[str, Any], batch: int
) -> None:
    assert batches(engine(kind), **changes) == {batch}


def test_previews_come_from_the_small_decoder_where_it_knows_the_latents(
    engine: Making, decoders: Decoders
) -> None:
    drawing = engine("sd")
    seen: list[Any] = []

    def look(_: int, preview: Any) -> None:
        seen.append(preview().tobytes())

    drawing.draw(request(drawing), look, Timing())
    decoders.discard("taesd")
    drawing.draw(request(drawing), look, Timing())
    middle = len(seen) // 2
    assert all(mine != theirs for mine, theirs in zip(seen[:middle], seen[middle:], strict=True))


def test_a_decoder_that_went_while_the_job_waited_is_told(engine: Making, decoders: Decoders) -> None:
    drawing = engine("sd")
    assert drawing.decoders() == ("full", "small")
    decoders.discard("taesd")
    assert drawing.decoders() == ("full",)
    with pytest.raises(ModelNotFound, match="removed before"):
        drawing.draw(request(drawing, decoder="small"), lambda *_: None, Timing())


@pytest.mark.parametrize(
    ("sampler", "steps", "guidance"),
    [
        ({"_class_name": "PNDMScheduler"}, 20, 7.5),
        ({"_class_name": "LCMScheduler"}, 4, 1.0),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}, 4, 0.0),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"}, 20, 7.5),
        (
            {
                "_class_name": "EulerDiscreteScheduler",
                "timestep_spacing": "trailing",
                "prediction_type": "v_prediction",
            },
            20,
            7.5,
        ),
    ],
)
def test_a_folder_s_scheduler_tells_how_its_model_was_trained_to_be_asked(
    tmp_path: Path, sampler: dict[str, Any], steps: int, guidance: float
) -> None:
    import json

    folder = make("sd", tmp_path / "sd")
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(sampler))
    kind = read_kind(folder)
    assert (kind.recommended.steps, kind.recommended.guidance_scale) == (steps, guidance)


def test_a_folder_of_another_pipeline_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(ServiceError, match="FluxPipeline"):
        installed_from(tmp_path, builtin=False)
