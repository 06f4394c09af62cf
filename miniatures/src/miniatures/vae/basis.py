"""The code the picture codec is taught: the main components of 8x8 patches of scenes.

A codec that must invent its own code learns slowly, and the drawing network would have to wait for
it. The main components are known at once, and two dozen of them hold enough of a scene. Two more
channels only tell even rows and columns of patches from odd ones: a decoder of convolutions
enlarges by repeating, so that nothing else tells it where in a patch it is. Knows nothing about
networks.
"""

import random
from dataclasses import dataclass

import torch

from miniatures.scenes.model import random_scene
from miniatures.scenes.render import render
from miniatures.training import to_tensor

SIDE = 64
PATCH = 8
COMPONENTS = 22
CHANNELS = COMPONENTS + 2
SAMPLES = 3000
# The drawer should draw cleanly and learn quickly: far less jitter than the readers of pictures see.
JITTER = 0.05


@dataclass(frozen=True)
class Basis:
    """The mean patch, the directions of the code and how much each is scaled."""

    mean: torch.Tensor
    directions: torch.Tensor
    scales: torch.Tensor

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """The codes `(B, 24, 8, 8)` of a batch of pictures `(B, 3, 64, 64)`."""
        main = ((_patches(pictures) - self.mean) @ self.directions * self.scales).permute(0, 3, 1, 2)
        sign = 1.0 - 2.0 * (torch.arange(SIDE // PATCH) % 2)
        place = torch.stack(torch.meshgrid(sign, sign, indexing="ij")).expand(len(main), -1, -1, -1)
        return torch.cat([main, place], 1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """The straight inverse: the pictures that are nearest to their codes."""
        flat = (codes[:, :COMPONENTS].permute(0, 2, 3, 1) / self.scales) @ self.directions.T + self.mean
        count, rows, columns, _ = flat.shape
        patches = flat.view(count, rows, columns, 3, PATCH, PATCH)
        return patches.permute(0, 3, 1, 4, 2, 5).reshape(count, 3, rows * PATCH, columns * PATCH)


def fit(seed: int = 0) -> Basis:
    """Find the main components of freshly drawn scenes."""
    rng = random.Random(seed)
    pictures = to_tensor(render(random_scene(rng), rng, SIDE, JITTER).image for _ in range(SAMPLES))
    # Doubles, because components of nearly the same spread would otherwise turn with the rounding.
    patches = _patches(pictures).reshape(-1, 3 * PATCH * PATCH).double()
    mean = patches.mean(0)
    centred = patches - mean
    spreads, directions = torch.linalg.eigh(centred.T @ centred / len(centred))
    spreads, directions = spreads.flip(0)[:COMPONENTS].sqrt(), directions.flip(1)[:, :COMPONENTS]
    # The sign of a direction is free: fix it, so that every machine finds the same code.
    directions = directions * directions[directions.abs().argmax(0), torch.arange(COMPONENTS)].sign()
    # Between leaving the spreads alone (detail drowns) and making them equal (noise counts as much
    # as the background): the square root.
    scales = 1 / (spreads.sqrt() * spreads.mean().sqrt())
    return Basis(mean.float(), directions.float(), scales.float())


def _patches(pictures: torch.Tensor) -> torch.Tensor:
    patches = pictures.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
    return patches.permute(0, 2, 3, 1, 4, 5).flatten(3)
