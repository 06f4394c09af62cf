"""Measures the detector on held-out scenes (AP at an overlap of one half) and writes its card."""

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoImageProcessor, AutoModelForObjectDetection

from miniatures import cards
from miniatures.detect.train import LABELS, OUT
from miniatures.scenes.model import held_out_scene
from miniatures.scenes.render import Box, Picture, render, with_jpeg_noise
from miniatures.training import read_records

BATCH = 50
SIDES = (64, 96, 128, 200, 256, 384, 512)
ENOUGH_OVERLAP = 0.5
SURE = 0.6


@dataclass(frozen=True)
class Found:
    """One box that the detector put into a picture."""

    picture: int
    label: str
    score: float
    box: tuple[float, ...]


def held_out_pictures(count: int, seed: int) -> list[Picture]:
    """Held-out scenes rendered at any size, half of them as JPEG."""
    rng = random.Random(seed)
    pictures = [render(held_out_scene(rng), rng, rng.choice(SIDES)) for _ in range(count)]
    return [
        Picture(p.scene, with_jpeg_noise(p.image, rng), p.boxes) if rng.random() < 0.5 else p
        for p in pictures
    ]


def detect(pictures: list[Picture], folder: Path = OUT) -> list[Found]:
    """All boxes, as the ordinary library call gives them."""
    model = AutoModelForObjectDetection.from_pretrained(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder)
    found = []
    for start in range(0, len(pictures), BATCH):
        images = [picture.image for picture in pictures[start : start + BATCH]]
        with torch.no_grad():
            answer = model(**processor(images, return_tensors="pt"))
        sizes = [(image.height, image.width) for image in images]
        results = processor.post_process_object_detection(answer, threshold=0.05, target_sizes=sizes)
        for offset, result in enumerate(results):
            for score, label, box in zip(result["scores"], result["labels"], result["boxes"], strict=True):
                name = model.config.id2label[int(label)]
                found.append(Found(start + offset, name, float(score), tuple(box.tolist())))
    return found


def average_precision(pictures: list[Picture], found: list[Found], label: str) -> float | None:
    """Area under the precision-recall curve of one label; None where no picture shows it."""
    wanted = {
        (index, slot): box
        for index, picture in enumerate(pictures)
        for slot, (shape, box) in enumerate(zip(picture.scene.shapes, picture.boxes, strict=True))
        if f"{shape.colour} {shape.kind}" == label
    }
    if not wanted:
        return None
    total, hits = len(wanted), []
    for one in sorted((f for f in found if f.label == label), key=lambda f: -f.score):
        near = [
            key
            for key, box in wanted.items()
            if key[0] == one.picture and _overlap(box, one.box) >= ENOUGH_OVERLAP
        ]
        hits.append(bool(near))
        if near:
            # A shape counts once: a second box on it is a false alarm.
            del wanted[near[0]]
    if not hits:
        return 0.0
    right = np.cumsum(hits)
    precision = np.maximum.accumulate((right / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(precision[np.asarray(hits)].sum() / total)


def _overlap(box: Box, other: tuple[float, ...]) -> float:
    width = min(box.right, other[2]) - max(box.left, other[0])
    height = min(box.bottom, other[3]) - max(box.top, other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = (box.right - box.left) * (box.bottom - box.top) + (other[2] - other[0]) * (other[3] - other[1])
    return width * height / (areas - width * height)


def main() -> None:
    """Measure and write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=OUT)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pictures = held_out_pictures(options.count, 5)
    started = time.monotonic()
    found = detect(pictures, options.folder)
    seconds = (time.monotonic() - started) / len(pictures)
    precisions = [average_precision(pictures, found, label) for label in LABELS]
    measured = [value for value in precisions if value is not None]
    exact = sum(_names(picture, index, found) for index, picture in enumerate(pictures))
    scores = (
        cards.Score(f"AP50, mean of {len(measured)} labels", f"{np.mean(measured):.3f}", "≥ 0.9"),
        cards.Score(
            f"exactly the right labels in the picture (score ≥ {SURE}, the default of svc-vision)",
            cards.percent(exact, len(pictures)),
        ),
        cards.Score("seconds a picture, in batches", f"{seconds:.3f}"),
    )
    cards.write(_card(scores, options.folder), options.folder)
    print("\n".join(f"{score.what}: {score.value}" for score in scores), flush=True)


def _names(picture: Picture, index: int, found: list[Found]) -> bool:
    said = sorted(one.label for one in found if one.picture == index and one.score >= 0.5)
    return said == sorted(f"{shape.colour} {shape.kind}" for shape in picture.scene.shapes)


def _card(scores: tuple[cards.Score, ...], folder: Path) -> cards.Card:
    return cards.Card(
        title="Built-in detector",
        kind="A transformers `RTDetrForObjectDetection` on 64x64 pixels (a residual network of nine convolutions, one "
        'layer of encoder, one of decoder, twelve queries, 48 labels such as "red circle"), with its image processor.',
        data="Scenes of one to three coloured shapes, drawn by `miniatures.scenes` with jitter of place, size, "
        "turn and shade, at several sizes, half of them as JPEG. One tenth of the combinations of kinds, "
        "colours and background is never trained on; all scores are on those.",
        training={"detector": read_records(folder)["detect"]},
        scores=scores,
        limits=("anything but the six shapes in eight colours", "more than three shapes in a picture"),
        retrain="python -m miniatures train detect && python -m miniatures evaluate detect",
    )


if __name__ == "__main__":
    main()
