"""Tiny random models of the public architectures, made as their folders on a hub are: the real classes throughout."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIDE = 32
WORDS = ["a", "red", "blue", "car", "sign", "what", "is", "this", "User", "Assistant", ":", "?", "\n"]


def tokenizer(*special: str, **names: Any) -> Any:
    """Return a tokenizer of whole words; `<pad> <s> </s> <unk>` are 0 to 3."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<s>", "</s>", "<unk>", *WORDS, *string.ascii_lowercase]
    made = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(dict.fromkeys(words))}, unk_token="<unk>")
    )
    made.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    made.decoder = decoders.WordPiece(prefix="##")
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        **names,
    )


def florence(folder: Path) -> None:
    """Make a Florence-2: DaViT and a BART, place tokens and all."""
    from transformers import (
        CLIPImageProcessor,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )

    places = [f"<loc_{i}>" for i in range(1000)]
    words = tokenizer("<image>", extra_special_tokens={"image_token": "<image>"})
    words.add_tokens(places)
    image = words.convert_tokens_to_ids("<image>")
    # 64 pixels shrink to 2 x 2; their mean is one more.
    seeing = CLIPImageProcessor(size={"height": 64, "width": 64}, do_center_crop=False, image_seq_length=5)
    Florence2Processor(seeing, words).save_pretrained(folder)
    _as_published(folder)
    config = Florence2Config(
        vision_config={
            "embed_dim": [8, 8, 16, 16], "num_heads": [1, 1, 2, 2], "num_groups": [1, 1, 2, 2], "depths": [1, 1, 1, 1],
            "projection_dim": 16, "window_size": 4,
        },
        text_config={
            "model_type": "bart", "vocab_size": len(words), "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
            "max_position_embeddings": 96, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
            "decoder_start_token_id": 2, "forced_eos_token_id": 2,
        },
        image_token_id=image, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = Florence2ForConditionalGeneration(config)
    settings = model.generation_config
    settings.decoder_start_token_id, settings.eos_token_id, settings.pad_token_id = 2, 2, 0
    # The published settings.
    settings.num_beams, settings.no_repeat_ngram_size, settings.early_stopping = 3, 3, True
    model.save_pretrained(folder)


def blip(folder: Path) -> None:
    """Make a BLIP captioner."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    words = tokenizer()
    BlipProcessor(BlipImageProcessor(size={"height": SIDE, "width": SIDE}), words).save_pretrained(folder)
    _as_published(folder)
    config = BlipConfig(
        vision_config={
            "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": SIDE, "patch_size": 8,
        },
        text_config={
            "vocab_size": len(words), "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 32,
            "projection_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 24,
            "bos_token_id": 1, "pad_token_id": 0, "eos_token_id": 2, "sep_token_id": 2,
        },
        projection_dim=16, image_text_hidden_size=16,
    )  # fmt: skip
    BlipForConditionalGeneration(config).save_pretrained(folder)


def idefics3(folder: Path, *, smolvlm: bool = False) -> None:
    """Make a SmolVLM: the first ones are Idefics3 by name, the second ones (`smolvlm`) have classes of their own."""
    import transformers as t

    special = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", "<|im_start|>"]
    special += [f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7)]
    words = tokenizer(*special)
    template = (
        "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }} : {% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}<end_of_utterance> "
        "{% endfor %}{% if add_generation_prompt %}Assistant :{% endif %}"
    )
    seeing = t.Idefics3ImageProcessor(size={"longest_edge": 4 * SIDE}, max_image_size={"longest_edge": SIDE})
    # 32 pixels are 4 x 4 patches, shuffled by 2 into 4 tokens.
    t.Idefics3Processor(seeing, words, image_seq_len=4, chat_template=template).save_pretrained(folder)
    _as_published(folder, **({"processor_class": "SmolVLMProcessor"} if smolvlm else {}))
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "image_size": SIDE, "patch_size": 8,
    }  # fmt: skip
    text = {
        "model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(words),
        "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    }  # fmt: skip
    image = words.convert_tokens_to_ids("<image>")
    config = (t.SmolVLMConfig if smolvlm else t.Idefics3Config)(
        vision_config=vision, text_config=text, image_token_id=image, scale_factor=2, pad_token_id=0
    )
    (t.SmolVLMForConditionalGeneration if smolvlm else t.Idefics3ForConditionalGeneration)(
        config
    ).save_pretrained(folder)


def rt_detr(folder: Path, *, second: bool = False) -> None:
    """Make an RT-DETR with a small ResNet, or an RT-DETRv2."""
    import transformers as t

    backbone = t.RTDetrResNetConfig(
        embedding_size=8, layer_type="basic", depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16],
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = (t.RTDetrV2Config if second else t.RTDetrConfig)(
        backbone_config=backbone, encoder_in_channels=[8, 16, 16], encoder_hidden_dim=16, feat_channels=[16, 16, 16],
        encoder_ffn_dim=32, encoder_attention_heads=2, d_model=16, decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=32, decoder_layers=2, decoder_attention_heads=2, num_queries=12, decoder_n_points=2,
        id2label={0: "car", 1: "sign"}, label2id={"car": 0, "sign": 1},
    )  # fmt: skip
    (t.RTDetrV2ForObjectDetection if second else t.RTDetrForObjectDetection)(config).save_pretrained(folder)
    t.RTDetrImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)


def vit(folder: Path) -> None:
    """Make a ViT that classifies; its picture settings say no class, as the first publications do not."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=SIDE,
        patch_size=8, num_labels=3, id2label={0: "car", 1: "sign", 2: "cat"},
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder)
    told = '{"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], '
    (folder / "preprocessor_config.json").write_text(told + f'"size": {SIDE}}}')


def _as_published(folder: Path, **other: Any) -> None:
    """Lay the settings out as the publications do, which are older than the one file of today's library."""
    told = json.loads((folder / "processor_config.json").read_text()) | other
    (folder / "preprocessor_config.json").write_text(json.dumps(told.pop("image_processor")))
    (folder / "processor_config.json").write_text(json.dumps(told))
    template = folder / "chat_template.jinja"
    if template.is_file():
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": template.read_text()}))
        template.unlink()


def made(make: Callable[..., None], folder: Path, **options: Any) -> Path:
    """Make a model with the same weights each time and return its folder."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    make(folder, **options)
    return folder
