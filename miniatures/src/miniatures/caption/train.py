"""Trains the captioner (VisionEncoderDecoderModel) to say the canonical English sentence of a scene."""

import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)

from miniatures.scenes.grammar import canonical
from miniatures.scenes.model import random_scene, training_scene
from miniatures.training import REPOSITORY, Trainer, parse, to_tensor
from miniatures.vae.basis import Basis, fit
from miniatures.views import SIDE, as_drawn, seen

OUT = REPOSITORY / "svc-vision" / "models" / "captioner"
MINUTES = 30
BATCH = 32
RATE = 1e-3
WIDTH = 128
# Of each batch so many pictures look as if the drawing model had drawn them.
DRAWN = 8
# How often one, two and three shapes: alone, a shape is too easily learned together with its colour and background.
NUMBERS = (2, 5, 5)
LONGEST = 32
PAD, START, END, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with one token for each word that canonical sentences use."""
    rng = random.Random(0)
    splitter = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    sentences = (canonical(random_scene(rng), "en") for _ in range(5000))
    words = sorted({word for sentence in sentences for word, _ in splitter.pre_tokenize_str(sentence)})
    vocabulary = {word: index for index, word in enumerate([PAD, START, END, UNKNOWN, *words])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = splitter
    core.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, vocabulary[END])]
    )
    core.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=LONGEST,
    )


def build_processor() -> ViTImageProcessor:
    """Scales any picture to the model's size and to numbers from -1 to 1."""
    return ViTImageProcessor(
        size={"height": SIDE, "width": SIDE}, resample=2, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


def build(tokenizer: PreTrainedTokenizerFast) -> VisionEncoderDecoderModel:
    """An untrained captioner."""
    encoder = ViTModel(
        ViTConfig(
            image_size=SIDE,
            patch_size=8,
            hidden_size=WIDTH,
            intermediate_size=WIDTH * 3,
            num_hidden_layers=4,
            num_attention_heads=4,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
        add_pooling_layer=False,
    )
    decoder = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=LONGEST,
            n_embd=WIDTH,
            n_layer=2,
            n_head=4,
            n_inner=WIDTH * 3,
            add_cross_attention=True,
            is_decoder=True,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model = VisionEncoderDecoderModel(encoder=encoder, decoder=decoder)
    for settings in (model.config, model.generation_config):
        settings.decoder_start_token_id = tokenizer.bos_token_id
        settings.pad_token_id = tokenizer.pad_token_id
        settings.eos_token_id = tokenizer.eos_token_id
    model.generation_config.max_length = LONGEST
    model.generation_config.num_beams = 1
    return model


def batch_loss(
    model: VisionEncoderDecoderModel, tokenizer: PreTrainedTokenizerFast, basis: Basis, rng: random.Random
) -> dict[str, torch.Tensor]:
    """How badly the sentences of freshly drawn scenes are said."""
    numbers = rng.choices((1, 2, 3), NUMBERS, k=BATCH)
    scenes = [training_scene(rng, number) for number in numbers]
    images = as_drawn(scenes[:DRAWN], basis, rng) + [seen(scene, rng).image for scene in scenes[DRAWN:]]
    sentences = [canonical(scene, "en") for scene in scenes]
    labels = tokenizer(sentences, padding=True, return_tensors="pt").input_ids
    labels = labels.masked_fill(labels == tokenizer.pad_token_id, -100)
    answer = model(pixel_values=to_tensor(images), labels=labels)
    right = ((answer.logits.argmax(-1) == labels) | (labels == -100)).all(1)
    return {"loss": answer.loss, "right": right.float().mean()}


def main(arguments: list[str] | None = None) -> None:
    """Train and write the captioner."""
    options = parse(__doc__ or "", MINUTES, OUT, arguments)
    tokenizer = build_tokenizer()
    model = build(tokenizer)
    if options.begin:
        model = VisionEncoderDecoderModel.from_pretrained(options.begin)
    # What is already learned is disturbed less at half the rate.
    rate = RATE / 2 if options.begin else RATE
    basis = fit()
    trainer = Trainer("caption", {"model": model}, options, rate=rate, ema_decay=0.995)

    def save() -> None:
        _write(model, trainer.averaged("model"), tokenizer, options.out)

    trainer.save = save
    trainer.run(lambda step: batch_loss(model, tokenizer, basis, random.Random(options.seed * 10**7 + step)))


def _write(
    model: VisionEncoderDecoderModel,
    state: dict[str, torch.Tensor],
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
) -> None:
    model.save_pretrained(folder, state_dict=state)
    tokenizer.save_pretrained(folder)
    build_processor().save_pretrained(folder)


if __name__ == "__main__":
    main()
