"""Trains the drawing network and writes the pipeline.

The text encoder is taught before (read.py) and stays as it is. The codec is not needed either: the
code that the network draws in is known without it.
"""

import random
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from miniatures.draw import read, text
from miniatures.draw.pipeline import write_halves, write_index
from miniatures.draw.prompts import random_prompt
from miniatures.draw.text import encode_ids
from miniatures.scenes.model import training_scene
from miniatures.scenes.render import render
from miniatures.training import REPOSITORY, Trainer, parse, to_tensor
from miniatures.vae.basis import CHANNELS, JITTER, PATCH, SIDE, Basis, fit

OUT = REPOSITORY / "svc-image-gen" / "models" / "draw"
MINUTES = 45
BATCH = 32
# Of scenes with one, two and three shapes: two are hardest among what the bar asks for.
SHARES = (30, 58, 12)
NO_PROMPT = 0.1


def build() -> UNet2DConditionModel:
    """An untrained drawing network."""
    return UNet2DConditionModel(
        sample_size=SIDE // PATCH,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        layers_per_block=1,
        block_out_channels=(64, 128),
        norm_num_groups=16,
        cross_attention_dim=text.WIDTH,
        # At 4x4 places the middle block reads the prompt; more attention there costs time and gains little.
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
        # The prompt as a whole also steers every block, as the time does: what the background is, say,
        # need not be looked up by each place on its own.
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
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
    """One batch after another for the drawing network."""

    def __init__(
        self,
        tokenizer: CLIPTokenizer,
        encoder: CLIPTextModel,
        network: UNet2DConditionModel,
        basis: Basis,
    ) -> None:
        self._tokenizer, self._encoder = tokenizer, encoder.eval()
        self._network, self._basis, self._noise = network, basis, scheduler()

    def loss(self, rng: random.Random) -> dict[str, torch.Tensor]:
        """The error of the drawing."""
        scenes = [training_scene(rng, n) for n in rng.choices((1, 2, 3), SHARES, k=BATCH)]
        prompts = ["" if rng.random() < NO_PROMPT else random_prompt(scene, rng) for scene in scenes]
        with torch.no_grad():
            states = self._encoder(encode_ids(self._tokenizer, prompts)).last_hidden_state
        codes = self._basis.encode(to_tensor(render(s, rng, SIDE, JITTER).image for s in scenes))
        noise = torch.randn_like(codes)
        # One time from each part of the range: less luck in each batch.
        spread = (torch.arange(BATCH) + torch.rand(BATCH)) / BATCH
        # More of the noisy times, where it is decided what the picture shows.
        times = (spread**0.6 * 1000).long().clamp(0, 999)[torch.randperm(BATCH)]
        noisy = self._noise.add_noise(codes, noise, times).contiguous(memory_format=torch.channels_last)
        wanted = self._noise.get_velocity(codes, noise, times)
        return {"loss": nn.functional.mse_loss(self._network(noisy, times, states).sample, wanted)}


def main(arguments: list[str] | None = None) -> None:
    """Train the drawing network and write the pipeline."""
    options = parse(__doc__ or "", MINUTES, OUT, arguments)
    if not (options.out / "text_encoder").exists():
        read.main(["--seed", str(options.seed), "--threads", str(options.threads), "--out", str(options.out)])
    tokenizer, encoder = read.load(options.out)
    network = build().to(memory_format=torch.channels_last)
    lesson = Lesson(tokenizer, encoder, network, fit())
    trainer = Trainer("draw", {"unet": network}, options, rate=1e-3, ema_decay=0.995)
    trainer.save = lambda: _write(trainer, options.out)
    trainer.run(lambda step: lesson.loss(random.Random(options.seed * 10**7 + step)))


def _write(trainer: Trainer, folder: Path) -> None:
    """Write the averaged network and the pipeline's own files."""
    network = trainer.modules["unet"]
    network.save_config(folder / "unet")
    write_halves(trainer.averaged("unet"), folder / "unet" / "diffusion_pytorch_model.safetensors")
    scheduler().save_pretrained(folder / "scheduler")
    write_index(folder)


if __name__ == "__main__":
    main()
