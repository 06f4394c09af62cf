"""Trains the drawing network (and goes on teaching the text encoder) and writes the pipeline.

Needs the codec only to write the whole pipeline: the code it draws in is known without it.
"""

import random
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from miniatures.draw import read, text
from miniatures.draw.pipeline import write_halves, write_index
from miniatures.draw.prompts import answers, random_prompt
from miniatures.draw.text import Questions, encode_ids
from miniatures.scenes.model import Scene, training_scene
from miniatures.scenes.render import render
from miniatures.training import REPOSITORY, Trainer, parse, to_tensor
from miniatures.vae.basis import CHANNELS, PATCH, SIDE, Basis, fit

OUT = REPOSITORY / "svc-image-gen" / "models" / "draw"
STEPS = 3000
BATCH = 16
# The drawer should draw cleanly and learn quickly: far less jitter than the readers of pictures see.
JITTER = 0.15
NO_PROMPT = 0.1
QUESTION_WEIGHT = 0.02


def build() -> UNet2DConditionModel:
    """An untrained drawing network."""
    return UNet2DConditionModel(
        sample_size=SIDE // PATCH,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        layers_per_block=1,
        block_out_channels=(96, 128),
        norm_num_groups=16,
        cross_attention_dim=text.WIDTH,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
    )


def scheduler() -> DDIMScheduler:
    """Noise that ends in pure noise, so that the network also decides the background."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


class Lesson:
    """One batch after another for the drawing network and the text encoder."""

    def __init__(
        self,
        tokenizer: CLIPTokenizer,
        encoder: CLIPTextModel,
        questions: Questions,
        network: UNet2DConditionModel,
        basis: Basis,
    ) -> None:
        self._tokenizer, self._encoder, self._questions = tokenizer, encoder, questions
        self._network, self._basis, self._noise = network, basis, scheduler()

    def loss(self, rng: random.Random) -> dict[str, torch.Tensor]:
        """The error of the drawing and of the facts found in the prompts."""
        scenes = [training_scene(rng) for _ in range(BATCH)]
        states, asked, reading = self._read(scenes, rng)
        codes = self._basis.encode(to_tensor(render(s, rng, SIDE, JITTER).image for s in scenes))
        noise = torch.randn_like(codes)
        # One time from each part of the range: less luck in each batch.
        spread = (torch.arange(BATCH) + torch.rand(BATCH)) / BATCH
        # More of the noisy times, where it is decided what the picture shows.
        times = (spread**0.6 * 1000).long().clamp(0, 999)[torch.randperm(BATCH)]
        noisy = self._noise.add_noise(codes, noise, times)
        wanted = self._noise.get_velocity(codes, noise, times)
        drawing = nn.functional.mse_loss(self._network(noisy, times, states).sample, wanted)
        return {"loss": drawing + QUESTION_WEIGHT * reading, "draw": drawing, "read": reading, "right": asked}

    def _read(self, scenes: list[Scene], rng: random.Random) -> tuple[torch.Tensor, ...]:
        silent = [rng.random() < NO_PROMPT for _ in scenes]
        prompts = ["" if s else random_prompt(scene, rng) for s, scene in zip(silent, scenes, strict=True)]
        states = self._encoder(encode_ids(self._tokenizer, prompts)).last_hidden_state
        spoken = ~torch.tensor(silent)
        wanted = torch.tensor([answers(scene) for scene in scenes])[spoken]
        said = self._questions(states[spoken])
        reading = sum(
            (nn.functional.cross_entropy(logits, wanted[:, i]) for i, logits in enumerate(said)),
            torch.zeros(()),
        )
        right = torch.stack([logits.argmax(1) == wanted[:, i] for i, logits in enumerate(said)]).all(0)
        return states, right.float().mean(), reading


def main(arguments: list[str] | None = None) -> None:
    """Train the drawing network and write the pipeline."""
    options = parse(__doc__ or "", STEPS, OUT, arguments)
    if not (options.out / "text_encoder").exists() or options.fresh:
        read.main(["--seed", str(options.seed), "--threads", str(options.threads), "--out", str(options.out)])
    tokenizer, encoder = read.load(options.out)
    network, questions = build(), read.taught_questions()
    lesson = Lesson(tokenizer, encoder.train(), questions, network, fit(options.seed))
    modules = {"unet": network, "encoder": encoder, "questions": questions}
    trainer = Trainer("draw", modules, options, rate=8e-4, ema_decay=0.995)
    trainer.save = lambda: _write(trainer, options.out)
    trainer.run(lambda step: lesson.loss(random.Random(options.seed * 10**7 + step)))


def _write(trainer: Trainer, folder: Path) -> None:
    """Write the averaged networks and the pipeline's own files."""
    network, encoder = trainer.modules["unet"], trainer.modules["encoder"]
    network.save_config(folder / "unet")
    write_halves(trainer.averaged("unet"), folder / "unet" / "diffusion_pytorch_model.safetensors")
    # Whole numbers for the text encoder: transformers would load halves as halves, and CPUs are slow at those.
    encoder.save_pretrained(folder / "text_encoder", state_dict=trainer.averaged("encoder"))
    scheduler().save_pretrained(folder / "scheduler")
    write_index(folder)


if __name__ == "__main__":
    main()
