"""Trains the text encoder and its tokenizer. Knows nothing about pictures."""

import random
from pathlib import Path

import torch
from transformers import CLIPTextModel, CLIPTokenizer

from miniatures.draw import text, tokens
from miniatures.training import REPOSITORY, Trainer, parse

OUT = REPOSITORY / "svc-image-gen" / "models" / "draw"
MINUTES = 8
NAME = "draw-text"


def main(arguments: list[str] | None = None) -> None:
    """Train and write the text encoder."""
    options = parse(__doc__ or "", MINUTES, OUT, arguments)
    tokenizer = tokens.train(options.out / "tokenizer", options.seed)
    encoder, questions = text.build(tokenizer), text.Questions()

    def save() -> None:
        encoder.save_pretrained(options.out / "text_encoder")

    trainer = Trainer(NAME, {"encoder": encoder, "questions": questions}, options, rate=1e-3, save=save)
    trainer.run(
        lambda step: text.batch_loss(tokenizer, encoder, questions, random.Random(options.seed + step))
    )


def load(folder: Path) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """The tokenizer and the text encoder of a pipeline folder."""
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    return tokenizer, CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)


if __name__ == "__main__":
    main()
