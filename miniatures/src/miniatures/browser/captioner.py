"""The captioner's two graphs: a picture's states, and the next word from them and the words before."""

from __future__ import annotations

from torch import Tensor, arange, nn
from transformers import VisionEncoderDecoderModel

from miniatures.browser.attention import Past, attend, hidden_words, joined, split


class Encoder(nn.Module):
    """Pixels `(B, 3, H, W)` to states `(B, S, C)`."""

    def __init__(self, model: VisionEncoderDecoderModel) -> None:
        super().__init__()
        self.vit = model.encoder

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.vit(pixel_values).last_hidden_state


class Decoder(nn.Module):
    """GPT-2 that looks at a picture; transformers' own forward pass, written out so that the cache is an input."""

    def __init__(self, model: VisionEncoderDecoderModel) -> None:
        super().__init__()
        self.gpt, self.head = model.decoder.transformer, model.decoder.lm_head
        self.heads = model.config.decoder.n_head

    def forward(
        self, input_ids: Tensor, encoder_hidden_states: Tensor, past: list[Past]
    ) -> tuple[Tensor, list[Past]]:
        """Return scores `(B, T, V)` of the next words, and the keys and values of all words."""
        length, before = input_ids.shape[1], past[0][0].shape[2]
        mask = input_ids.new_ones((input_ids.shape[0], before + length))
        hidden, present = hidden_words(mask, length), []
        x = self.gpt.wte(input_ids) + self.gpt.wpe(arange(before + length)[before:])
        for block, kept in zip(self.gpt.h, past, strict=True):
            query, key, value = block.attn.c_attn(block.ln_1(x)).chunk(3, -1)
            key, value = joined(kept, split(key, self.heads), split(value, self.heads))
            present.append((key, value))
            x = x + block.attn.c_proj(attend(split(query, self.heads), key, value, hidden))
            query = split(block.crossattention.q_attn(block.ln_cross_attn(x)), self.heads)
            key, value = block.crossattention.c_attn(encoder_hidden_states).chunk(2, -1)
            x = x + block.crossattention.c_proj(
                attend(query, split(key, self.heads), split(value, self.heads))
            )
            x = x + block.mlp(block.ln_2(x))
        return self.head(self.gpt.ln_f(x)), present
