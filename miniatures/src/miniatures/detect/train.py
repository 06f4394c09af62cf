"""Trains the detector (YolosForObjectDetection) to put a named box around each shape.

Each detection token has its own shape: the first one in reading order, the second, the third. That
needs no matching of boxes to shapes and is learned as quickly as a plain classification.
"""

import random
from pathlib import Path

import torch
from torch import nn
from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

from miniatures.scenes.model import COLOURS, MAX_SHAPES, SHAPES, training_scene
from miniatures.scenes.render import Picture
from miniatures.training import REPOSITORY, Trainer, parse, to_tensor
from miniatures.views import SIDE, seen

OUT = REPOSITORY / "svc-vision" / "models" / "detector"
STEPS = 4000
BATCH = 32
WIDTH = 128
LABELS = tuple(f"{colour} {kind}" for colour in COLOURS for kind in SHAPES)
NOTHING = len(LABELS)
BOX_WEIGHT = 5.0
OVERLAP_WEIGHT = 1.0


def build() -> YolosForObjectDetection:
    """An untrained detector."""
    model = YolosForObjectDetection(
        YolosConfig(
            image_size=[SIDE, SIDE],
            patch_size=8,
            hidden_size=WIDTH,
            intermediate_size=WIDTH * 3,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_detection_tokens=MAX_SHAPES,
            use_mid_position_embeddings=False,
            id2label=dict(enumerate(LABELS)),
            label2id={label: index for index, label in enumerate(LABELS)},
        )
    )
    # The library starts these at zero: places and detection tokens all alike, which learning is slow to part.
    embeddings = model.vit.embeddings
    for parameter in (embeddings.position_embeddings, embeddings.detection_tokens, embeddings.cls_token):
        nn.init.normal_(parameter, std=0.2)
    return model


def build_processor() -> YolosImageProcessor:
    """Scales any picture to the model's size and to numbers from -1 to 1."""
    return YolosImageProcessor(
        size={"height": SIDE, "width": SIDE},
        do_pad=False,
        resample=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


def targets(picture: Picture) -> tuple[list[int], list[list[float]]]:
    """The label and the box (centre, width, height, as parts of the side) for each detection token."""
    labels, boxes = [NOTHING] * MAX_SHAPES, [[0.5, 0.5, 1.0, 1.0]] * MAX_SHAPES
    for index, (shape, box) in enumerate(zip(picture.scene.shapes, picture.boxes, strict=True)):
        labels[index] = LABELS.index(f"{shape.colour} {shape.kind}")
        boxes[index] = [
            (box.left + box.right) / 2 / SIDE,
            (box.top + box.bottom) / 2 / SIDE,
            (box.right - box.left) / SIDE,
            (box.bottom - box.top) / SIDE,
        ]
    return labels, boxes


def overlap(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Intersection over union of boxes given by centre, width and height."""
    low = torch.maximum(first[..., :2] - first[..., 2:] / 2, second[..., :2] - second[..., 2:] / 2)
    high = torch.minimum(first[..., :2] + first[..., 2:] / 2, second[..., :2] + second[..., 2:] / 2)
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (first[..., 2:].prod(-1) + second[..., 2:].prod(-1) - shared + 1e-6)


def batch_loss(model: YolosForObjectDetection, rng: random.Random) -> dict[str, torch.Tensor]:
    """How badly the shapes of freshly drawn scenes are named and placed."""
    pictures = [seen(training_scene(rng), rng) for _ in range(BATCH)]
    wanted = [targets(picture) for picture in pictures]
    labels = torch.tensor([label for label, _ in wanted])
    boxes = torch.tensor([box for _, box in wanted])
    answer = model(pixel_values=to_tensor(picture.image for picture in pictures))
    naming = nn.functional.cross_entropy(answer.logits.flatten(0, 1), labels.flatten())
    there = labels != NOTHING
    distance = (answer.pred_boxes - boxes).abs().sum(-1)[there].mean()
    shared = overlap(answer.pred_boxes, boxes)[there].mean()
    right = (answer.logits.argmax(-1) == labels).all(1).float().mean()
    loss = naming + BOX_WEIGHT * distance + OVERLAP_WEIGHT * (1 - shared)
    return {"loss": loss, "name": naming, "overlap": shared, "right": right}


def main(arguments: list[str] | None = None) -> None:
    """Train and write the detector."""
    options = parse(__doc__ or "", STEPS, OUT, arguments)
    model = build()
    trainer = Trainer("detect", {"model": model}, options, rate=1e-3, ema_decay=0.995)
    trainer.save = lambda: _write(model, trainer.averaged("model"), options.out)
    trainer.run(lambda step: batch_loss(model, random.Random(options.seed * 10**7 + step)))


def _write(model: YolosForObjectDetection, state: dict[str, torch.Tensor], folder: Path) -> None:
    model.save_pretrained(folder, state_dict=state)
    build_processor().save_pretrained(folder)


if __name__ == "__main__":
    main()
