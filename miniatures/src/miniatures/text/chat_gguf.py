"""Write the chat miniature as GGUF, and read it: weights, tokenizer and chat template in one file.

Owns the names and layouts that llama.cpp expects. Knows nothing about training: it takes a Llama
model and a tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from miniatures.text.chat_format import CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS, START
from miniatures.text.chat_tokenizer import CONTROL_TOKENS, PRE, id_of, new_tokenizer

NAME, ANALYST = "oficina-chat", "oficina-analysis"

_LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Reorder a query or key matrix: llama.cpp rotates neighbouring pairs, transformers halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _renamed(name: str) -> str | None:
    """Return llama.cpp's name of a tensor; None where it needs no copy (tied output layer)."""
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    if name == "lm_head.weight":
        return None
    _, _, layer, *inner = name.split(".")
    return f"blk.{layer}.{_LAYER_NAMES['.'.join(inner[:-1])]}.weight"


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    model = json.loads(tokenizer.to_str())["model"]
    ids = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    kinds = dict.fromkeys(SPECIAL_TOKENS, gguf.TokenType.USER_DEFINED)
    kinds |= dict.fromkeys(CONTROL_TOKENS, gguf.TokenType.CONTROL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE)
    writer.add_token_list([token for token, _ in ids])
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token, _ in ids])
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    )
    writer.add_bos_token_id(id_of(tokenizer, START))
    writer.add_eos_token_id(id_of(tokenizer, END))
    writer.add_pad_token_id(id_of(tokenizer, PAD))
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_settings(writer: gguf.GGUFWriter, model: LlamaForCausalLM, name: str) -> None:
    config = model.config
    writer.add_name(name)
    writer.add_license("mit")
    writer.add_languages(["pt", "en"])
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def write_gguf(path: Path, model: LlamaForCausalLM, tokenizer: Tokenizer) -> None:
    """Write `path` in one move; matrices as Q8_0, gains as float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    writer = gguf.GGUFWriter(part, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.LLAMA])
    _add_settings(writer, model, path.stem)
    _add_tokenizer(writer, tokenizer)
    for name, parameter in model.state_dict().items():
        target = _renamed(name)
        if target is None:
            continue
        weight = parameter.detach().float().cpu().numpy()
        if "q_proj" in name or "k_proj" in name:
            weight = _interleaved(weight, model.config.num_attention_heads)
        if weight.ndim == 1:
            writer.add_tensor(target, weight)
            continue
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(target, gguf.quants.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.rename(path)


def read_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer that a file was written with."""
    fields = gguf.GGUFReader(path).fields
    tokens, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    vocabulary = {token: place for place, token in enumerate(tokens)}
    return new_tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in merges]))


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the state of the Llama that a file was written from, but for the rounding to eight bits."""
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    return dict(model.state_dict())
