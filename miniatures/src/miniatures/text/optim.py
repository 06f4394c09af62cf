"""The optimiser of the small language models: Muon for matrices, AdamW for the rest.

Muon (Keller Jordan, 2024, https://kellerjordan.github.io/posts/muon/) steps along the orthogonalised
momentum of each weight matrix. The iteration runs in float32: bfloat16 is emulated, forty times
slower, on processors without matrix units for it (measured 2026-11-21).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """Return the nearest semi-orthogonal matrix, roughly, by the quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; `lr` is the root-mean-square size of an update's entries times five."""

    def __init__(
        self, params: list[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.05
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Apply one update to every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                buffer = state.setdefault("momentum", torch.zeros_like(parameter))
                buffer.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonalise(parameter.grad.lerp(buffer, group["momentum"]))
                # 0.2·√max makes the update as large as AdamW's would be (Moonlight, arXiv 2502.16982).
                scale = 0.2 * max(parameter.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)


def build(model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Split a model's parameters: matrices of the layers to Muon, embeddings and gains to AdamW."""
    matrices, rest = [], []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and "layers." in name and "embed" not in name
        (matrices if inner else rest).append(parameter)
    return [Muon(matrices, lr), torch.optim.AdamW(rest, lr, betas=(0.9, 0.95), weight_decay=0.0)]


def set_rate(optimisers: list[torch.optim.Optimizer], lr: float) -> None:
    """Set the learning rate of every group."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr


def rate(progress: float, peak: float, *, warm: float = 0.02, decay_from: float = 0.55) -> float:
    """Return the learning rate at a point of training in [0, 1]: warm up, hold, fall to zero."""
    if progress < warm:
        return peak * (progress + 1e-3) / warm
    if progress < decay_from:
        return peak
    return peak * max(0.0, 1 - progress) / (1 - decay_from)
