"""The two picture models together: what one draws the other says."""

import pytest

from miniatures.caption.evaluate import Captioner
from miniatures.draw.evaluate import draw, held_out_prompts, load
from miniatures.scenes.grammar import canonical

pytestmark = pytest.mark.model
PICTURES = 40
LEAST_RIGHT = 0.85


def test_the_captioner_says_what_the_drawing_model_was_asked_for() -> None:
    drawn = draw(load(), held_out_prompts(PICTURES, seed=31, shapes=(1, 2)), seed=2000)
    said = Captioner().captions([one.image for one in drawn])
    missed = [
        (one.prompt, text)
        for one, text in zip(drawn, said, strict=True)
        if canonical(one.scene, "en") != text
    ]
    assert len(missed) <= PICTURES * (1 - LEAST_RIGHT), missed
