"""Fixtures of svc-translate: tiny random models of the real formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

CORPUS = (
    "a red circle on a blue background um círculo vermelho sobre um fundo azul two large green stars "
    "duas estrelas verdes grandes a small yellow square to the left of a black ring"
)


@pytest.fixture(scope="session")
def tiny_marian(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a random MarianMT folder of the real format (a few hundred kB)."""

    def make(name: str) -> Path:
        import sentencepiece
        import torch
        from transformers import MarianConfig, MarianMTModel, MarianTokenizer

        folder = tmp_path_factory.mktemp(name)
        corpus = folder / "corpus.txt"
        corpus.write_text("\n".join(CORPUS.split()) + "\n" + CORPUS, encoding="utf-8")
        for side in ("source", "target"):
            sentencepiece.SentencePieceTrainer.train(
                input=str(corpus), model_prefix=str(folder / side), vocab_size=60, model_type="unigram",
                bos_id=-1, eos_id=1, unk_id=0, hard_vocab_limit=False, minloglevel=2,
            )  # fmt: skip
            (folder / f"{side}.model").rename(folder / f"{side}.spm")
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
        names = [pieces.id_to_piece(i) for i in range(2, pieces.get_piece_size())]
        vocab = {piece: i for i, piece in enumerate(["</s>", "<unk>", *names, "<pad>"])}
        (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
        torch.manual_seed(0)
        config = MarianConfig(
            vocab_size=len(vocab), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=512,
            pad_token_id=vocab["<pad>"], eos_token_id=0, decoder_start_token_id=vocab["<pad>"],
            forced_eos_token_id=0, activation_function="swish", normalize_embedding=False,
            static_position_embeddings=True, scale_embedding=True,
        )  # fmt: skip
        MarianMTModel(config).save_pretrained(folder)
        MarianTokenizer(
            source_spm=str(folder / "source.spm"), target_spm=str(folder / "target.spm"),
            vocab=str(folder / "vocab.json"), source_lang="en", target_lang="pt",
        ).save_pretrained(folder)  # fmt: skip
        return folder

    return make


NLLB_LANGUAGES = ("deu_Latn", "eng_Latn", "fra_Latn", "por_Latn", "zho_Hans", "zho_Hant")


@pytest.fixture(scope="session")
def tiny_many(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a random folder of M2M100's (`m2m100`) or NLLB's (`nllb`) format; its weights lose nothing in 8 bits."""

    def make(kind: str) -> Path:
        import sentencepiece
        import torch
        from transformers import M2M100Config, M2M100ForConditionalGeneration

        folder = tmp_path_factory.mktemp(kind)
        corpus = folder / "corpus.txt"
        corpus.write_text("\n".join(CORPUS.split()) + "\n" + CORPUS, encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(folder / "spm"), vocab_size=64, model_type="bpe",
            hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
        (folder / "spm.model").rename(folder / "sentencepiece.bpe.model")
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sentencepiece.bpe.model"))
        names = ["<s>", "<pad>", "</s>", "<unk>", *(pieces.id_to_piece(i) for i in range(3, len(pieces)))]
        if kind == "m2m100":
            (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
            size, told = len(names) + 108, {"tokenizer_class": "M2M100Tokenizer", "language_codes": "m2m100"}
        else:
            size = len(names) + len(NLLB_LANGUAGES) + 3
            told = {"tokenizer_class": "NllbTokenizer", "additional_special_tokens": list(NLLB_LANGUAGES)}
        (folder / "tokenizer_config.json").write_text(json.dumps(told))
        torch.manual_seed(3)
        config = M2M100Config(
            vocab_size=size, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=64,
            scale_embedding=True, init_std=0.3,
        )  # fmt: skip
        model = M2M100ForConditionalGeneration(config)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim == 2:
                    scale = 127 / weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-6)
                    weight.copy_((weight * scale).round() / scale)
        model.save_pretrained(folder)
        return folder

    return make
