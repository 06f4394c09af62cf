"""The code the picture codec is taught: the main components of 8x8 patches of scenes.

A codec that must invent its own code learns slowly, and the drawing network would have to wait for
it. The main components are known at once, are nearly as good for flat pictures, and let both learn
side by side. Knows nothing about networks.
"""

import random
from dataclasses import dataclass

import torch

from miniatures.scenes.model import random_scene
from miniatures.scenes.render import render
from miniatures.training import to_tensor

SIDE = 64
PATCH = 8
CHANNELS = 12
SAMPLES = 1500


@dataclass(frozen=True)
class Basis:
    """The mean patch, the directions of the code and how much each is scaled."""

    mean: torch.Tensor
    directions: torch.Tensor
    scales: torch.Tensor

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """The codes of a batch of pictures, of spread one over all channels."""
        patches = pictures.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
        flat = patches.permute(0, 2, 3, 1, 4, 5).flatten(3)
        return ((flat - self.mean) @ self.directions * self.scales).permute(0, 3, 1, 2).contiguous()


def fit(seed: int = 0) -> Basis:
    """Find the main components of freshly drawn scenes."""
    rng = random.Random(seed)
    pictures = to_tensor(render(random_scene(rng), rng, SIDE).image for _ in range(SAMPLES))
    patches = pictures.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH).permute(0, 2, 3, 1, 4, 5)
    patches = patches.reshape(-1, 3 * PATCH * PATCH)
    mean = patches.mean(0)
    centred = patches - mean
    spreads, directions = torch.linalg.eigh(centred.T @ centred / len(centred))
    spreads, directions = spreads.flip(0)[:CHANNELS].sqrt(), directions.flip(1)[:, :CHANNELS]
    # The sign of a direction is free: fix it, so that every machine finds the same code.
    directions = directions * directions[directions.abs().argmax(0), torch.arange(CHANNELS)].sign()
    # Between leaving the spreads alone (detail drowns) and making them equal (noise counts as much
    # as the background): the square root.
    scales = 1 / (spreads.sqrt() * spreads.mean().sqrt())
    return Basis(mean, directions, scales)
