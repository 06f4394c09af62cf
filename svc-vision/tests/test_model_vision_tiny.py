"""The transformers engine on tiny random models of the real formats."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PIL import Image

from svc_vision.engine.folders import ModelFolder
from svc_vision.engine.networks import Captioner, Classifier, Detector
from svc_vision.engine.transformers_engine import TransformersEngine

pytestmark = pytest.mark.model
SIDE = 32
WORDS = ["a", "red", "blue", "circle", "square", "on", "white", "background"]


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        GPT2Config,
        PreTrainedTokenizerFast,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
    )

    folder = tmp_path_factory.mktemp("captioner")
    vocab = {word: i for i, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    encoder = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=SIDE,
        patch_size=8,
    )  # fmt: skip
    decoder = GPT2Config(
        vocab_size=len(vocab), n_embd=16, n_layer=1, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=2
    )
    torch.manual_seed(0)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 1, 0, 2
    model = VisionEncoderDecoderModel(config=config)
    model.generation_config.decoder_start_token_id = 1
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 0, 2
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    folder = tmp_path_factory.mktemp("detector")
    torch.manual_seed(0)
    config = YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        image_size=[SIDE, SIDE], patch_size=8, num_detection_tokens=4, num_labels=2,
        id2label={0: "circle", 1: "square"}, label2id={"circle": 0, "square": 1},
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(folder)
    YolosImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=SIDE,
        patch_size=8, num_labels=3, id2label={0: "a", 1: "b", 2: "c"},
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def test_a_captioner_gives_the_same_words_alone_and_in_a_batch(captioner: Path) -> None:
    network = Captioner(captioner, max_tokens=8)
    red, blue = Image.new("RGB", (50, 70), "red"), Image.new("RGB", (20, 20), "blue")
    assert network.run([red, blue])[0] == network.run([red])[0]


def test_no_three_words_come_twice_where_that_is_asked(captioner: Path) -> None:
    (text,) = Captioner(captioner, max_tokens=30, no_repeat_ngram=3).run([Image.new("RGB", (40, 40), "red")])
    words = text.split()
    runs = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    assert len(runs) == len(set(runs))


def test_boxes_are_in_pixels_of_each_picture(detector: Path) -> None:
    pictures = [Image.new("RGB", (400, 100), "red"), Image.new("RGB", (64, 64), "blue")]
    wide, small = Detector(detector).run(pictures)
    assert wide and small
    assert max(item.box[2] for item in wide) > 64
    assert {item.label for item in wide + small} <= {"circle", "square"}


def test_classes_add_up_to_one_and_the_likeliest_comes_first(classifier: Path) -> None:
    (made,) = Classifier(classifier).run([Image.new("RGB", (64, 64), "blue")])
    assert sum(item.score for item in made) == pytest.approx(1, abs=1e-4)
    assert [item.score for item in made] == sorted((item.score for item in made), reverse=True)


def test_concurrent_pictures_share_a_batch_and_come_back_to_those_who_asked(captioner: Path) -> None:
    sizes: list[int] = []

    class Counting(Captioner):
        def run(self, images):  # type: ignore[no-untyped-def]
            sizes.append(len(images))
            return super().run(images)

    folder = ModelFolder("tiny", "caption", captioner)
    engine = TransformersEngine([folder], lambda f: Counting(f.path, max_tokens=8), window_s=1.5)
    pictures = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "white", "green")]

    async def ask() -> list[str]:
        made = await asyncio.gather(*(engine.caption("tiny", picture) for picture in pictures))
        return [outcome.value for outcome in made]

    try:
        together = asyncio.run(ask())
    finally:
        engine.close()
    assert sizes == [4]
    assert together == Captioner(captioner, max_tokens=8).run(pictures)


def test_a_folder_without_safetensors_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    engine = TransformersEngine([ModelFolder("old", "caption", tmp_path)], lambda f: Captioner(f.path))
    assert engine.models == ()
