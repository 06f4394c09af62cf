"""Measures the captioner on held-out scenes, rendered and drawn, and writes its card."""

import argparse
import random
import time
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoTokenizer, VisionEncoderDecoderModel, ViTImageProcessor

from miniatures import cards
from miniatures.caption.train import OUT
from miniatures.draw.evaluate import draw, held_out_prompts, load
from miniatures.draw.train import OUT as DRAWER
from miniatures.scenes.checker import agrees
from miniatures.scenes.grammar import canonical
from miniatures.scenes.model import Scene, held_out_scene
from miniatures.scenes.render import render, with_jpeg_noise
from miniatures.training import read_records

BATCH = 50
SIDES = (64, 96, 128, 200, 256, 384, 512)


class Captioner:
    """The captioner as anybody would load it."""

    def __init__(self, folder: Path = OUT) -> None:
        self._model = VisionEncoderDecoderModel.from_pretrained(folder).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._processor = ViTImageProcessor.from_pretrained(folder)

    def captions(self, images: list[Image.Image]) -> list[str]:
        """What each picture shows."""
        said: list[str] = []
        for start in range(0, len(images), BATCH):
            pixels = self._processor(images[start : start + BATCH], return_tensors="pt").pixel_values
            with torch.no_grad():
                tokens = self._model.generate(pixels)
            said += [text.strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]
        return said


def held_out_pictures(count: int, seed: int) -> tuple[list[Scene], list[Image.Image]]:
    """Held-out scenes rendered at any size, half of them as JPEG."""
    rng = random.Random(seed)
    scenes = [held_out_scene(rng) for _ in range(count)]
    images = [render(scene, rng, rng.choice(SIDES)).image for scene in scenes]
    return scenes, [with_jpeg_noise(image, rng) if rng.random() < 0.5 else image for image in images]


def main() -> None:
    """Measure and write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument(
        "--drawn", type=int, default=100, help="pictures to ask of the drawing model; 0 for none"
    )
    parser.add_argument("--folder", type=Path, default=OUT)
    parser.add_argument("--drawer", type=Path, default=DRAWER, help="folder of the drawing model")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    captioner = Captioner(options.folder)
    scenes, images = held_out_pictures(options.count, 3)
    said = captioner.captions(images)
    scores = [
        cards.Score("rendered scenes, any size and JPEG: exactly right", _exact(scenes, said), "≥ 95 %")
    ]
    for shapes in (1, 2, 3):
        some = [i for i, scene in enumerate(scenes) if len(scene.shapes) == shapes]
        exact = _exact([scenes[i] for i in some], [said[i] for i in some])
        scores.append(cards.Score(f"of these, with {shapes} shape{'s' * (shapes > 1)}", exact))
    started = time.monotonic()
    captioner.captions(images[:1])
    scores.append(cards.Score("seconds a caption", f"{time.monotonic() - started:.2f}", "≤ 0.3"))
    if options.drawn:
        scores += _drawn_scores(captioner, options.drawer, options.drawn)
    cards.write(_card(tuple(scores), options.folder), options.folder)
    print("\n".join(f"{score.what}: {score.value}" for score in scores), flush=True)


def _drawn_scores(captioner: Captioner, drawer: Path, count: int) -> list[cards.Score]:
    """Captions of what the drawing model draws, against what it was asked for."""
    drawn = draw(load(drawer), held_out_prompts(count, 4, (1, 2)), 1000)
    said = captioner.captions([one.image for one in drawn])
    good = [index for index, one in enumerate(drawn) if agrees(one.image, one.scene)]
    return [
        cards.Score(
            "pictures of the built-in drawing model, one or two shapes: exactly what was asked",
            _exact([one.scene for one in drawn], said),
            "≥ 85 %",
        ),
        cards.Score(
            "of these, where the checker agrees that what was asked is drawn",
            _exact([drawn[i].scene for i in good], [said[i] for i in good]),
        ),
    ]


def _exact(scenes: list[Scene], said: list[str]) -> str:
    right = sum(canonical(scene, "en") == text for scene, text in zip(scenes, said, strict=True))
    return cards.percent(right, len(scenes))


def _card(scores: tuple[cards.Score, ...], folder: Path) -> cards.Card:
    return cards.Card(
        title="Built-in captioner",
        kind="A transformers `VisionEncoderDecoderModel` (ViT of four layers on 64x64 pixels, GPT-2 of two), with "
        "its image processor and word-level tokenizer. English.",
        data="Scenes of one to three coloured shapes, drawn by `miniatures.scenes` with jitter of place, size, "
        "turn and shade, at several sizes, half of them as JPEG; a quarter of the pictures went through the drawing model's code, "
        "with noise, to look as if it had drawn them. One tenth of the combinations of kinds, "
        "colours and background is never trained on; all scores are on those.",
        training={"captioner": read_records(folder)["caption"]},
        scores=scores,
        limits=(
            "anything but the small world of shapes: it describes every picture, a photograph too, as shapes",
            "languages other than English (translate the caption)",
            "of held-out scenes of one shape it takes one shape for another now and then, where it never saw that shape "
            "alone in that colour on that background; training with few scenes of one shape halved these mistakes",
            "answering questions about a picture",
        ),
        retrain="python -m miniatures train caption && python -m miniatures evaluate caption",
    )


if __name__ == "__main__":
    main()
