"""The optimiser of the small language models: Muon for matrices, AdamW for the rest.

Muon (Keller Jordan, 2024, https://kellerjordan.github.io/posts/muon/) steps along the orthogonalised
momentum of each weight matrix. The iteration runs in float32 unless told otherwise: bfloat16 is
emulated, forty times slower, on processors without products of it (measured 2026-11-21).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return the nearest semi-orthogonal matrices `(N, rows, columns)`, roughly: quintic Newton-Schulz."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7).to(x.dtype)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; `lr` is the root-mean-square size of an update's entries times five."""

    def __init__(
        self,
        params: list[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        decay: float = 0.05,
        kind: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})
        self._kind = kind

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Apply one update to every parameter that has a gradient, those of one shape together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in alike.items():
                gradients = []
                for parameter in parameters:
                    buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                    buffer.lerp_(parameter.grad, 1 - group["momentum"])
                    gradients.append(parameter.grad.lerp(buffer, group["momentum"]))
                updates = orthogonalise(torch.stack(gradients).to(self._kind)).float()
                # 0.2·√max makes the update as large as AdamW's would be (Moonlight, arXiv 2502.16982).
                scale = 0.2 * max(shape) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["decay"])
                    parameter.add_(update, alpha=-group["lr"] * scale)


def build(model: nn.Module, lr: float, kind: torch.dtype = torch.float32) -> list[torch.optim.Optimizer]:
    """Split a model's parameters: matrices of the layers to Muon, embeddings and gains to AdamW."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and "layers." in name and "embed" not in name
        (matrices if inner else rest).append(parameter)
    return [
        Muon(matrices, lr, kind=kind),
        torch.optim.AdamW(rest, lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def step(model: nn.Module, optimisers: list[torch.optim.Optimizer], loss: Tensor) -> None:
    """Descend once along the clipped gradient of a loss."""
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimiser in optimisers:
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def set_rate(optimisers: list[torch.optim.Optimizer], lr: float) -> None:
    """Set the learning rate of every group."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr


def rate(step: int, steps: int, peak: float, *, warm: int = 72, decay_from: float = 0.55) -> float:
    """Return the learning rate of a step: warm up over `warm` steps, hold, fall to zero at the last."""
    if step < warm:
        return peak * (step + 4) / (warm + 4)
    progress = step / steps
    if progress < decay_from:
        return peak
    return peak * max(0.0, 1 - progress) / (1 - decay_from)
