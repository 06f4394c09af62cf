"""The model that chat serves, as a network that can be trained, with low-rank adapters on its matrices.

The weights are the file's own, dequantised: what is learned on them fits what is served. Lives in the child process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Every matrix of a layer, under transformers' names."""


class Network:
    """A base model and the adapter that is trained on it."""

    def __init__(self, base: Path, *, rank: int, alpha: int, dropout: float, seed: int):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(
            base.parent, gguf_file=base.name, dtype=torch.float32, attn_implementation="eager"
        )
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=list(TARGETS),
            task_type="CAUSAL_LM",
        )
        self.model: PeftModel = get_peft_model(model, config)
        self.config = model.config
        self.rank, self.alpha = rank, alpha
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device)

    def trained(self) -> list[torch.nn.Parameter]:
        """Return what training may change."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def adapter(self) -> dict[str, Tensor]:
        """Return copies of the adapter's matrices by name."""
        return {n: p.detach().clone() for n, p in self.model.named_parameters() if p.requires_grad}

    def set_adapter(self, matrices: dict[str, Tensor]) -> None:
        """Put matrices that `adapter` gave back."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(matrices[name])

    def logits(self, tokens: Tensor, learned: Tensor) -> Tensor:
        """Return the logits `(n, vocabulary)` of the places where `learned` `(B, T)` is true."""
        inner: Any = self.model.get_base_model()
        hidden = inner.model(input_ids=tokens, use_cache=False)[0]
        return inner.lm_head(hidden[learned]).float()

    @contextmanager
    def as_base(self) -> Iterator[None]:
        """Let the base answer, without the adapter and without gradients."""
        with torch.no_grad(), self.model.disable_adapter():
            yield
