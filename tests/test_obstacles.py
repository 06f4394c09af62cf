"""Each service tells as data why it does not run a model, so that the page can say it in the reader's language."""

from __future__ import annotations

from typing import Any

import pytest

import svc_image_gen.installing
import svc_rag.installing
import svc_translate.installing
import svc_tts.installing
from servicekit.hub.plan import Runs
from servicekit.hub.running import judge
from servicekit.models import CatalogueEntry
from svc_vision.engine.architectures import architecture_of

SORTS = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "id2label": {"0": "a", "1": "b"},
}
FIRST_FLORENCE = {
    "architectures": ["Florence2ForConditionalGeneration"],
    "vision_config": {"model_type": "davit"},
}


@pytest.mark.parametrize(
    ("runs", "config", "of", "found"),
    [
        (architecture_of, {"architectures": ["LlavaForConditionalGeneration"]}, "kind", "LlavaForConditionalGeneration"),
        (architecture_of, FIRST_FLORENCE, "own_code", None),
        (svc_image_gen.installing.check_runs, {"_class_name": "FluxPipeline"}, "kind", "FluxPipeline"),
        (svc_image_gen.installing.check_runs, {"_class_name": ["own", "Pipeline"]}, "own_code", None),
        (svc_tts.installing.kind_of, {"model_type": "speecht5"}, "kind", "speecht5"),
        (svc_tts.installing.kind_of, {"phoneme_type": "pinyin"}, "phonemes", "pinyin"),
        (svc_translate.installing.check_kind, {"model_type": "t5"}, "kind", "t5"),
        (svc_rag.installing.runs, {"model_type": "t5"}, "kind", "t5"),
        (svc_rag.installing.runs, SORTS, "several_classes", None),
    ],
)  # fmt: skip
def test_a_model_that_no_engine_runs_says_why_as_data(
    runs: Runs, config: dict[str, Any], of: str, found: str | None
) -> None:
    obstacle = judge(runs)(CatalogueEntry("m", "x", repo="a/m", config=config))
    assert obstacle is not None
    assert (obstacle.of, obstacle.found) == (of, found)
    assert bool(obstacle.runs) == (of in ("kind", "phonemes"))
    assert str(obstacle).startswith("'m' ")
