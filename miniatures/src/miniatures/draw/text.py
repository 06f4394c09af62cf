"""Teaches the text encoder to understand prompts before it ever sees a picture.

A CLIP text encoder reads from left to right, so the padding after a prompt has seen all of it. The
last places of the padding are taught to hold one fact of the scene each. The drawing network then
finds, say, the background always in the same place, and learns to draw several times faster.
"""

import random

import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from miniatures.draw.prompts import QUESTIONS, answers, random_prompt
from miniatures.draw.tokens import LENGTH
from miniatures.scenes.model import training_scene

WIDTH = 128
BATCH = 64


def build(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained text encoder."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=WIDTH * 4,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=LENGTH,
            projection_dim=WIDTH,
            hidden_act="quick_gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class Questions(nn.Module):
    """One small head for each question; used only for teaching and never saved with the model."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(WIDTH, len(choices)) for choices in QUESTIONS.values())

    def forward(self, states: torch.Tensor) -> list[torch.Tensor]:
        """Answer each question from its own place at the end of the padded prompt."""
        first = states.shape[1] - len(self.heads)
        return [head(states[:, first + index]) for index, head in enumerate(self.heads)]


def encode_ids(tokenizer: CLIPTokenizer, prompts: list[str]) -> torch.Tensor:
    """Token numbers as the pipeline makes them: cut and padded to the full length."""
    tokens = tokenizer(prompts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
    return tokens.input_ids


def batch_loss(
    tokenizer: CLIPTokenizer, encoder: CLIPTextModel, questions: Questions, rng: random.Random
) -> dict[str, torch.Tensor]:
    """How badly the facts of freshly made prompts are found, and how many are all found."""
    scenes = [training_scene(rng) for _ in range(BATCH)]
    ids = encode_ids(tokenizer, [random_prompt(scene, rng) for scene in scenes])
    wanted = torch.tensor([answers(scene) for scene in scenes])
    said = questions(encoder(ids).last_hidden_state)
    loss = sum(
        (nn.functional.cross_entropy(logits, wanted[:, i]) for i, logits in enumerate(said)), torch.zeros(())
    )
    right = torch.stack([logits.argmax(1) == wanted[:, i] for i, logits in enumerate(said)]).all(0)
    return {"loss": loss, "right": right.float().mean()}
