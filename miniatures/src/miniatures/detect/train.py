"""Trains the detector (RTDetrForObjectDetection) to put a named box around each shape.

A transformer that must find shapes from nothing learns slowly. This one has a convolutional
backbone, and beside the library's own loss (matching of queries to shapes) each place of the
feature map is told directly whether the middle of a shape lies in it, of which, and how large: that
needs no matching and is learned in minutes.
"""

import random
from pathlib import Path

import torch
from torch import nn
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessor,
    RTDetrResNetConfig,
)

from miniatures.scenes.model import COLOURS, SHAPES, training_scene
from miniatures.scenes.render import Picture
from miniatures.training import REPOSITORY, Trainer, parse, to_tensor
from miniatures.views import SIDE, seen

OUT = REPOSITORY / "svc-vision" / "models" / "detector"
MINUTES = 6.5
BATCH = 32
STRIDE = 8
WIDTH = 96
# More than the three shapes of a scene: a picture with more is then not cut short.
QUERIES = 12
LABELS = tuple(f"{colour} {kind}" for colour in COLOURS for kind in SHAPES)
BOX_WEIGHT = 5.0
OVERLAP_WEIGHT = 2.0
FOCUS = 2.0


def build() -> RTDetrForObjectDetection:
    """An untrained detector: a residual network of eight layers, one layer of encoder and of decoder."""
    backbone = RTDetrResNetConfig(
        embedding_size=32,
        hidden_sizes=[32, 96],
        depths=[1, 2],
        layer_type="basic",
        out_features=["stage2"],
    )
    model = RTDetrForObjectDetection(
        RTDetrConfig(
            backbone_config=backbone,
            freeze_backbone_batch_norms=False,
            encoder_in_channels=[96],
            feat_strides=[STRIDE],
            encode_proj_layers=[0],
            encoder_hidden_dim=WIDTH,
            encoder_ffn_dim=WIDTH * 2,
            encoder_attention_heads=3,
            d_model=WIDTH,
            decoder_in_channels=[WIDTH],
            decoder_ffn_dim=WIDTH * 2,
            decoder_layers=1,
            decoder_attention_heads=3,
            num_feature_levels=1,
            num_queries=QUERIES,
            num_denoising=0,
            id2label=dict(enumerate(LABELS)),
            label2id={label: index for index, label in enumerate(LABELS)},
        )
    )
    # The library begins with boxes of a twentieth of the side; shapes are about a third of it.
    with torch.no_grad():
        model.model.enc_bbox_head.layers[-1].bias[2:] = 2.1
    return model


def build_processor() -> RTDetrImageProcessor:
    """Scales any picture to the model's size and to numbers from -1 to 1."""
    return RTDetrImageProcessor(
        size={"height": SIDE, "width": SIDE},
        resample=2,
        do_normalize=True,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


def targets(picture: Picture) -> dict[str, torch.Tensor]:
    """The labels and the boxes (centre, width, height, as parts of the side) of a picture's shapes."""
    labels = [LABELS.index(f"{shape.colour} {shape.kind}") for shape in picture.scene.shapes]
    boxes = [
        [(b.left + b.right) / 2, (b.top + b.bottom) / 2, b.right - b.left, b.bottom - b.top]
        for b in picture.boxes
    ]
    return {"class_labels": torch.tensor(labels), "boxes": torch.tensor(boxes) / SIDE}


def overlap(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Intersection over union of boxes given by centre, width and height."""
    low = torch.maximum(first[..., :2] - first[..., 2:] / 2, second[..., :2] - second[..., 2:] / 2)
    high = torch.minimum(first[..., :2] + first[..., 2:] / 2, second[..., :2] + second[..., 2:] / 2)
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (first[..., 2:].prod(-1) + second[..., 2:].prod(-1) - shared + 1e-6)


def dense_loss(
    logits: torch.Tensor, boxes: torch.Tensor, wanted: list[dict[str, torch.Tensor]]
) -> dict[str, torch.Tensor]:
    """How badly the places of the feature map, `(B, 64, 48)` and `(B, 64, 4)`, know what lies in them."""
    side = SIDE // STRIDE
    truth = torch.cat([one["boxes"] for one in wanted])
    names = torch.cat([one["class_labels"] for one in wanted])
    picture = torch.repeat_interleave(torch.tensor([len(one["boxes"]) for one in wanted]))
    column, row = (truth[:, :2] * side).long().clamp(0, side - 1).unbind(1)
    place = row * side + column
    there = torch.zeros_like(logits)
    there[picture, place, names] = 1
    naming = nn.functional.binary_cross_entropy_with_logits(logits, there, reduction="none")
    doubt = (logits.detach().sigmoid() - there).abs() ** FOCUS
    naming = (naming * doubt).sum() / len(truth)
    said = boxes[picture, place]
    distance = (said - truth).abs().sum(-1).mean()
    shared = overlap(said, truth).mean()
    right = (logits[picture, place].argmax(-1) == names).float().mean()
    return {
        "loss": naming + BOX_WEIGHT * distance + OVERLAP_WEIGHT * (1 - shared),
        "name": naming,
        "overlap": shared,
        "right": right,
    }


def batch_loss(model: RTDetrForObjectDetection, rng: random.Random) -> dict[str, torch.Tensor]:
    """How badly the shapes of freshly drawn scenes are named and placed."""
    pictures = [seen(training_scene(rng), rng) for _ in range(BATCH)]
    wanted = [targets(picture) for picture in pictures]
    answer = model(pixel_values=to_tensor(picture.image for picture in pictures), labels=wanted)
    dense = dense_loss(answer.enc_outputs_class, answer.enc_outputs_coord_logits.sigmoid(), wanted)
    return {**dense, "loss": answer.loss + dense["loss"], "matched": answer.loss}


def main(arguments: list[str] | None = None) -> None:
    """Train and write the detector."""
    options = parse(__doc__ or "", MINUTES, OUT, arguments)
    model = build()
    trainer = Trainer("detect", {"model": model}, options, rate=1e-3, ema_decay=0.995)
    trainer.save = lambda: _write(model, trainer.averaged("model"), options.out)
    trainer.run(lambda step: batch_loss(model.train(), random.Random(options.seed * 10**7 + step)))


def _write(model: RTDetrForObjectDetection, state: dict[str, torch.Tensor], folder: Path) -> None:
    model.save_pretrained(folder, state_dict=state)
    build_processor().save_pretrained(folder)


if __name__ == "__main__":
    main()
