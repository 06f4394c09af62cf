"""Tiny embedders and rerankers with random weights, as repositories of a hub have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from servicekit.hub.fake_hub import repository_of

WORDS = [
    "the",
    "a",
    "of",
    "on",
    "o",
    "os",
    "da",
    "padaria",
    "abre",
    "pão",
    "museum",
    "ship",
    "ships",
    "paint",
    "bread",
    "sails",
    "query",
    "passage",
    ":",
    "library",
    "bicycle",
    "friday",
    "keeps",
    "twelve",
    "morning",
    "hour",
    "seven",
    "where",
    "how",
    "when",
    "is",
    "are",
    "que",
    "horas",
    "x",
    "y",
    "z",
]
_SIZES: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def tokenizer_for(*, roberta: bool) -> Tokenizer:
    """Return a tokenizer of whole words with the special tokens of its family."""
    special = ["<s>", "<pad>", "</s>", "<unk>"] if roberta else ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: n for n, word in enumerate([*special, *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>" if roberta else "[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    begin, end = ("<s>", "</s>") if roberta else ("[CLS]", "[SEP]")
    pair = "<s> $A </s> </s> $B </s>" if roberta else "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
    made.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=pair,
        special_tokens=[(begin, vocabulary[begin]), (end, vocabulary[end])],
    )
    return made


def bert(folder: Path, width: int = 32, kind: str = "BertModel", **config: Any) -> dict[str, bytes]:
    """Write a BERT and return its files."""
    values = {"vocab_size": len(WORDS) + 4, "hidden_size": width, "max_position_embeddings": 64}
    return _written(folder, transformers.BertConfig(**_SIZES, **{**values, **config}), kind, roberta=False)


def xlmr(folder: Path, width: int = 48, kind: str = "XLMRobertaModel", **config: Any) -> dict[str, bytes]:
    """Write an XLM-R and return its files."""
    values = {"vocab_size": len(WORDS) + 4, "hidden_size": width, "max_position_embeddings": 66}
    values |= {"type_vocab_size": 1, "pad_token_id": 1}
    return _written(
        folder, transformers.XLMRobertaConfig(**_SIZES, **{**values, **config}), kind, roberta=True
    )


def _written(folder: Path, config: Any, kind: str, *, roberta: bool) -> dict[str, bytes]:
    torch.manual_seed(7)
    # Larger than usual, so that a text's own words show in its vector.
    config.initializer_range = 0.3
    getattr(transformers, kind)(config).eval().save_pretrained(folder)
    tokenizer_for(roberta=roberta).save(str(folder / "tokenizer.json"))
    return repository_of(folder)


def sentence_transformers(
    files: dict[str, bytes], *, pooling: str, prompts: dict[str, str] | None = None
) -> dict[str, bytes]:
    """Add the files that sentence-transformers writes beside a network."""
    kinds = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(
            [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        )
    ]
    return files | {
        "modules.json": json.dumps(modules).encode(),
        "1_Pooling/config.json": json.dumps(
            {f"pooling_mode_{kind}": kind == pooling for kind in kinds}
        ).encode(),
        "config_sentence_transformers.json": json.dumps({"prompts": prompts or {}}).encode(),
        "sentence_bert_config.json": json.dumps({"max_seq_length": 32, "do_lower_case": False}).encode(),
    }
