"""The chat model's graph: the next word from the words before."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from miniatures.browser.attention import Past, attend, hidden_words, joined, places, split


class Decoder(nn.Module):
    """Llama; transformers' own forward pass, written out so that the cache is an input."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        super().__init__()
        self.llama, self.head = model.model, model.lm_head
        config = model.config
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        size, base = config.head_dim, config.rope_parameters["rope_theta"]
        self.register_buffer("rates", base ** (-torch.arange(0, size, 2).float() / size))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, past: list[Past]
    ) -> tuple[Tensor, list[Past]]:
        """Return scores `(B, T, V)` of the next words, and the keys and values of all words."""
        length = input_ids.shape[1]
        hidden, present = hidden_words(attention_mask, length), []
        angles = places(attention_mask, length)[:, None, :, None] * self.rates
        cos, sin = angles.cos(), angles.sin()

        def turned(heads: Tensor) -> Tensor:
            first, second = heads.chunk(2, -1)
            return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)

        x = self.llama.embed_tokens(input_ids)
        for layer, kept in zip(self.llama.layers, past, strict=True):
            attention, normed = layer.self_attn, layer.input_layernorm(x)
            query = turned(split(attention.q_proj(normed), self.heads))
            key = turned(split(attention.k_proj(normed), self.key_heads))
            key, value = joined(kept, key, split(attention.v_proj(normed), self.key_heads))
            present.append((key, value))
            shared = self.heads // self.key_heads
            wide_key, wide_value = (
                (part.repeat_interleave(shared, 1) for part in (key, value)) if shared > 1 else (key, value)
            )
            x = x + attention.o_proj(attend(query, wide_key, wide_value, hidden))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self.head(self.llama.norm(x)), present
