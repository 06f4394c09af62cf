"""First weights of the chat model: random, but able to copy from the first step on.

What comes after an earlier occurrence of a word is the most useful thing to know when reading, and
small models find the two heads that tell it (Olsson et al. 2022, arXiv 2209.11895) only after long
training. Here they are written down at the start, as in mimetic initialisation (Trockman and Kolter
2023, arXiv 2305.09828); training is free to change them. Knows nothing about data or training.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from miniatures.text.chat_model import ROPE_THETA

SPREAD = 0.06
SHARPNESS_OF_PLACE, SHARPNESS_OF_MATCH = 2.3, 1.6
READING_RANGE = 2000


def prime(model: LlamaForCausalLM) -> None:
    """Give the first layers a head that looks one word back and heads that match words.

    Words start in the first half of the hidden dimensions, the word before goes to the second half,
    so that neither blurs the other.
    """
    config = model.config
    half, size = config.hidden_size // 2, config.head_dim
    with torch.no_grad():
        words = model.model.embed_tokens.weight
        words.normal_(0, SPREAD)
        words[:, half:] *= 0.1
        words[:, 0] = 3 * SPREAD
        layers = model.model.layers
        _look_back(layers[0].self_attn, half, size)
        for layer in layers[1:3]:
            _match(layer.self_attn, 0, half, size, keys_from=half)
            _match(layer.self_attn, 1, half, size, keys_from=0)


def deepened(state: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Return the weights of a model of more layers that says the same as the one of `state`.

    Each new layer stands before one of the last old ones and is its copy, but adds nothing yet (Wu et al. 2024,
    "LLaMA Pro", arXiv 2401.02415).
    """
    old = 1 + max(int(name.split(".")[2]) for name in state if ".layers." in name)
    first = old - (layers - old)
    made = {name: weight for name, weight in state.items() if ".layers." not in name}
    for name, weight in state.items():
        if ".layers." not in name:
            continue
        before, after = name.split(".layers.")
        number, _, inner = after.partition(".")
        beyond = int(number) - first
        place = int(number) + max(0, beyond + 1)
        made[f"{before}.layers.{place}.{inner}"] = weight
        if beyond >= 0:
            silent = inner.startswith(("self_attn.o_proj", "mlp.down_proj"))
            made[f"{before}.layers.{place - 1}.{inner}"] = (
                torch.zeros_like(weight) if silent else weight.clone()
            )
    return made


def _rows(head: int, size: int) -> slice:
    return slice(head * size, (head + 1) * size)


def _look_back(attention: torch.nn.Module, half: int, size: int) -> None:
    """Head 0 attends to the word before, by position alone, and writes that word to the second half."""
    pairs = size // 2
    angles = ROPE_THETA ** (-torch.arange(0, size, 2) / size)
    query, key = torch.zeros(size, 2 * half), torch.zeros(size, 2 * half)
    near = 8  # the fastest turning pairs; the others do not tell neighbours apart
    query[:near, 0] = SHARPNESS_OF_PLACE * angles[:near].cos()
    query[pairs : pairs + near, 0] = -SHARPNESS_OF_PLACE * angles[:near].sin()
    key[:near, 0] = SHARPNESS_OF_PLACE
    attention.q_proj.weight[_rows(0, size)] = query
    attention.k_proj.weight[_rows(0, size)] = key
    _carry(attention, 0, size, half, to=half, gain=0.045)


def _match(attention: torch.nn.Module, head: int, half: int, size: int, *, keys_from: int) -> None:
    """A head attends from a word to the same word, or to the word after it, and brings what it finds."""
    pairs = size // 2
    slow = [i for i in range(pairs) if 2 * math.pi * ROPE_THETA ** (2 * i / size) > READING_RANGE]
    rows = torch.tensor(slow + [pairs + i for i in slow])
    mixed = torch.linalg.qr(torch.randn(half - 1, half - 1))[0][: len(rows)]
    for weight, start in ((attention.q_proj.weight, 0), (attention.k_proj.weight, keys_from)):
        placed = torch.zeros(size, 2 * half)
        placed[rows[: len(mixed)], start + 1 : start + half] = SHARPNESS_OF_MATCH * mixed
        weight[_rows(head, size)] = placed
    _carry(attention, head, size, half, to=0 if keys_from else half, gain=0.1)


def _carry(attention: torch.nn.Module, head: int, size: int, half: int, *, to: int, gain: float) -> None:
    """A head's values are the words themselves, written to one half of the hidden dimensions."""
    kept = min(size, half)
    value: Tensor = torch.zeros(size, 2 * half)
    value[:kept, :kept] = torch.eye(kept)
    out = torch.zeros(2 * half, size)
    out[to : to + kept, :kept] = gain * torch.eye(kept)
    attention.v_proj.weight[_rows(head, size)] = value
    attention.o_proj.weight[:, _rows(head, size)] = out
