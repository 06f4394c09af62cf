"""Exports the captioner and the chat model for the web page: `python -m miniatures export-onnx`.

The same models give the same bytes. `source.json` beside each names the weights it was made of; a test holds them equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, VisionEncoderDecoderModel

from miniatures.browser import captioner, chat, graphs
from miniatures.caption.train import OUT as CAPTIONER
from miniatures.text.chat_format import CHAT_TEMPLATE, END, PAD, START
from miniatures.text.chat_gguf import read_tokenizer
from miniatures.training import REPOSITORY

OUT = REPOSITORY / "frontend" / "public" / "models"
MANIFEST = REPOSITORY / "frontend" / "src" / "features" / "browser" / "builtin.json"
CHAT = REPOSITORY / "svc-chat" / "models" / "oficina-chat" / "oficina-chat.gguf"
SOURCE = "source.json"
_TRACED_WORDS, _TRACED_BEFORE = 3, 5


def export_captioner(folder: Path, source: Path = CAPTIONER) -> None:
    """Write the captioner's folder: settings, tokenizer, `onnx/encoder_model…`, `onnx/decoder_model_merged…`."""
    model = VisionEncoderDecoderModel.from_pretrained(source).eval()
    settings, side = model.config.decoder, model.config.encoder.image_size
    graphs.write(
        folder / "onnx" / "encoder_model_quantized.onnx", captioner.Encoder(model),
        {"pixel_values": torch.zeros(2, 3, side, side)},
        outputs=["last_hidden_state"], free={"pixel_values": {0: "batch"}},
    )  # fmt: skip
    states = torch.zeros(1, (side // model.config.encoder.patch_size) ** 2 + 1, settings.n_embd)
    graphs.write(
        folder / "onnx" / "decoder_model_merged_quantized.onnx", captioner.Decoder(model),
        {
            "input_ids": torch.ones(1, _TRACED_WORDS, dtype=torch.long),
            "encoder_hidden_states": states,
            "past_key_values": graphs.empty_cache(
                settings.n_layer, settings.n_head, settings.n_embd // settings.n_head, _TRACED_BEFORE
            ),
        },
        outputs=["logits", *graphs.cache_names(settings.n_layer, "present")],
        free={"input_ids": {1: "length"}, "past_key_values": {2: "before"}},
    )  # fmt: skip
    for name in ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json"):
        shutil.copyfile(source / name, folder / name)
    told = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    # a class that the library of the page knows
    _write(folder / "tokenizer_config.json", {**told, "tokenizer_class": "PreTrainedTokenizerFast"})


def export_chat(folder: Path, source: Path = CHAT) -> None:
    """Write the chat model's folder: settings, tokenizer with its template, `onnx/model…`."""
    model = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    ).eval()
    settings, tokenizer = model.config, read_tokenizer(source)
    cache = graphs.empty_cache(
        settings.num_hidden_layers, settings.num_key_value_heads, settings.head_dim, _TRACED_BEFORE
    )
    graphs.write(
        folder / "onnx" / "model_quantized.onnx", chat.Decoder(model),
        {
            "input_ids": torch.ones(1, _TRACED_WORDS, dtype=torch.long),
            "attention_mask": torch.ones(1, _TRACED_BEFORE + _TRACED_WORDS, dtype=torch.long),
            "past_key_values": cache,
        },
        outputs=["logits", *graphs.cache_names(settings.num_hidden_layers, "present")],
        free={
            "input_ids": {1: "length"}, "attention_mask": {1: "whole"}, "past_key_values": {2: "before"},
        },
    )  # fmt: skip
    ends = {f"{name}_token_id": tokenizer.token_to_id(token) for name, token in _chat_ends().items()}
    _write(folder / "config.json", {**_llama(settings), **ends})
    _write(folder / "generation_config.json", ends)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast", "chat_template": CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": False, "model_max_length": settings.max_position_embeddings,
            **{f"{name}_token": token for name, token in _chat_ends().items()},
        },
    )  # fmt: skip


def _chat_ends() -> dict[str, str]:
    return {"bos": START, "eos": END, "pad": PAD}


def _llama(settings: Any) -> dict[str, Any]:
    told = settings.to_dict()
    kept = (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "head_dim", "max_position_embeddings", "rms_norm_eps", "rope_parameters", "tie_word_embeddings", "vocab_size",
    )  # fmt: skip
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **{name: told[name] for name in kept},
    }


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Export:
    """One model: how it is written, what of, and what the page says about it."""

    write: Callable[[Path], None]
    source: Path
    task: str
    languages: tuple[str, ...]


EXPORTS = {
    "oficina-captioner": Export(export_captioner, CAPTIONER / "model.safetensors", "caption", ("en",)),
    "oficina-chat": Export(export_chat, CHAT, "text", ("pt", "en")),
}


def manifest(out: Path = OUT) -> list[dict[str, Any]]:
    """Return what the page has to know of the folders; `version` changes with any byte of any file."""
    told = []
    for name, export in EXPORTS.items():
        folder = out / name
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SOURCE)
        version = hashlib.sha256("".join(digest(path) for path in files).encode()).hexdigest()[:16]
        listed = [
            {"name": path.relative_to(folder).as_posix(), "size": path.stat().st_size} for path in files
        ]
        told.append(
            {
                "id": name, "task": export.task, "builtin": True, "license": "MIT",
                "languages": list(export.languages), "version": version, "base": f"/models/{name}/",
                "files": listed,
            }
        )  # fmt: skip
    return told


def main() -> None:
    """Write both folders anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=EXPORTS, help="one of them; both without it")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--manifest", type=Path, default=MANIFEST)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in [options.only] if options.only else EXPORTS:
        folder = options.out / name
        shutil.rmtree(folder, ignore_errors=True)
        EXPORTS[name].write(folder)
        _write(folder / SOURCE, {"sha256": digest(EXPORTS[name].source)})
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{name}: {size / 1e6:.2f} MB in {folder}", flush=True)
    _write(options.manifest, manifest(options.out))


if __name__ == "__main__":
    main()
