"""What both decoders share: attention over what was said before and what is said now, written out for export."""

from __future__ import annotations

import math

import torch
from torch import Tensor

NOT_SEEN = -1e9
"""Added to the score of a word that may not be looked at; minus infinity would make rows without any word NaN."""
Past = tuple[Tensor, Tensor]
"""Keys and values `(B, H, P, D)` of the words before; P is 0 at the first step."""


def split(x: Tensor, heads: int) -> Tensor:
    """Return `(B, H, T, D)` of `(B, T, H·D)`."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Return `(B, T, H·D)`; `hidden` is added to the scores `(B, H, T, S)`."""
    scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
    if hidden is not None:
        scores = scores + hidden
    return (torch.softmax(scores, -1) @ value).transpose(1, 2).flatten(2)


def hidden_words(mask: Tensor, length: int) -> Tensor:
    """Return what hides later words and padding, `(B, 1, T, P + T)`, from a mask `(B, P + T)` of ones."""
    whole = mask.shape[1]
    place = torch.arange(whole)
    later = place[None, :] > place[whole - length :, None]
    return NOT_SEEN * (later[None, None] | (mask[:, None, None] == 0)).float()


def places(mask: Tensor, length: int) -> Tensor:
    """Return the places `(B, T)` of the last words, where padding does not count."""
    return (mask.cumsum(1) - 1).clamp(min=0)[:, mask.shape[1] - length :]


def joined(past: Past, key: Tensor, value: Tensor) -> Past:
    """Return the keys and values of all words."""
    return torch.cat((past[0], key), 2), torch.cat((past[1], value), 2)
