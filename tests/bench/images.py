"""What drawing costs on this processor: `python -m tests.bench.images steps|decoders|memory KIND`.

Random weights of the public models' shapes. Ways are taken in turn, round after round, and told as medians: what else the
machine does then weighs on all alike. Besides seconds by the clock the processor's seconds are told, which other
programs weigh on less. Nothing here is part of the product.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.random_pipelines import Kind, network, real

SIDE = 512
Way = Callable[[], object]


def in_turn(ways: Mapping[str, Way], rounds: int) -> None:
    """Take each way once to warm up, then all in turn; print medians of wall and processor seconds."""
    for way in ways.values():
        way()
    walls: dict[str, list[float]] = {name: [] for name in ways}
    cpus: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            walls[name].append(time.perf_counter() - wall)
            cpus[name].append(time.process_time() - cpu)
    print(f"| way | s | processor s | least s |   ({rounds} rounds, load {os.getloadavg()[0]:.1f})")
    for name in ways:
        print(
            f"| {name} | {statistics.median(walls[name]):.2f} | {statistics.median(cpus[name]):.2f} "
            f"| {min(walls[name]):.2f} |"
        )


def steps(rounds: int, compiled: bool, converted: Path | None, batches: tuple[int, ...], fp32: bool) -> None:
    """One pass of Stable Diffusion 1.5's network at 512 x 512: number formats, layouts, compilers."""
    import torch

    torch.set_num_threads(2)
    full = _network(torch.float32) if fp32 else None
    half = _network(torch.bfloat16)
    for batch in batches:
        given = {
            "sample": torch.randn(batch, 4, SIDE // 8, SIDE // 8),
            "encoder_hidden_states": torch.randn(batch, 77, 768),
        }

        def one(unet: Any, given: dict[str, Any] = given) -> Way:
            here = {
                name: value.to(half.dtype if unet is not full else full.dtype)
                for name, value in given.items()
            }
            return torch.inference_mode()(lambda: unet(timestep=torch.tensor(500), **here))

        def sliced(way: Way) -> Way:
            def run() -> None:
                half.set_attention_slice("auto")
                way()
                half.set_default_attn_processor()

            return run

        ways: dict[str, Way] = {"bf16, channels last": one(half)}
        if full is not None:
            ways["fp32, channels last"] = one(full)
            ways["bf16, attention in slices"] = sliced(one(half))
        if compiled:
            ways["the same, torch.compile"] = one(torch.compile(half))
        if converted is not None:
            ways |= _openvino(converted, given)
        print(f"\none pass, {batch} at once")
        in_turn(ways, rounds)
        gc.collect()


def _network(dtype: Any) -> Any:
    import torch
    from diffusers import UNet2DConditionModel

    made = network(lambda: UNet2DConditionModel(**real("sd").unet), dtype, real=True)
    return made.to(memory_format=torch.channels_last)


def _openvino(converted: Path, given: dict[str, Any]) -> dict[str, Way]:
    import openvino

    core = openvino.Core()
    fixed: dict[str, Any] = {name: list(value.shape) for name, value in given.items()} | {"timestep": []}
    here = {name: value.numpy() for name, value in given.items()} | {"timestep": 500.0}
    options = {"INFERENCE_NUM_THREADS": 2}
    model = core.read_model(converted)
    model.reshape(fixed)
    began = time.perf_counter()
    bf16 = options | {"INFERENCE_PRECISION_HINT": "bf16"}
    request = core.compile_model(model, "CPU", bf16).create_infer_request()
    print(f"OpenVINO: compiled in {time.perf_counter() - began:.1f} s, peak {_peak_mib():.0f} MiB")
    return {"OpenVINO bf16, one shape": lambda: request.infer(here)}


def convert(folder: Path) -> None:
    """Convert the network for OpenVINO and keep it in 16 bits; tell seconds and the peak of memory."""
    import openvino
    import torch

    unet = _network(torch.float32)
    given = {
        "sample": torch.randn(2, 4, 8, 8),
        "timestep": torch.tensor(500.0),
        "encoder_hidden_states": torch.randn(2, 77, 768),
    }
    began = time.perf_counter()

    class One(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unet = unet

        def forward(self, sample: Any, timestep: Any, encoder_hidden_states: Any) -> Any:
            return self.unet(sample, timestep, encoder_hidden_states, return_dict=False)[0]

    with torch.no_grad():
        model = openvino.convert_model(One(), example_input=given)
    openvino.save_model(model, folder / "unet.xml", compress_to_fp16=True)
    print(f"converted in {time.perf_counter() - began:.1f} s, peak {_peak_mib():.0f} MiB")


def decoders(rounds: int, full: bool) -> None:
    """Latents of one 512 x 512 picture in the model's own decoder and in the small one; a preview."""
    import torch
    from diffusers import AutoencoderKL, AutoencoderTiny

    from svc_image_gen.engine.preview import preview_of

    torch.set_num_threads(2)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    ways: dict[str, Way] = {}
    for dtype, name in ((torch.float32, "fp32"), (torch.bfloat16, "bf16"))[0 if full else 1 :]:
        latents = torch.randn(1, 4, SIDE // 8, SIDE // 8, dtype=dtype)
        own = network(lambda: AutoencoderKL(**real("sd").vae, **blocks), dtype, real=True)
        own = own.to(memory_format=torch.channels_last)
        small = AutoencoderTiny().to(dtype, memory_format=torch.channels_last).eval()

        class Pipeline:
            vae = own

        for decoder, which in ((own, "own decoder"), (small, "small decoder")):
            ways[f"{which}, {name}"] = torch.inference_mode()(
                lambda decoder=decoder, latents=latents: decoder.decode(latents)
            )
        ways[f"preview in the small decoder, {name}"] = lambda latents=latents, small=small: preview_of(
            Pipeline, latents, "sd", small
        )
    in_turn(ways, rounds)


CHILD = """
import json, sys, threading, time
from pathlib import Path
from servicekit.timing import Timing
from svc_image_gen.engine.base import DrawRequest
from svc_image_gen.engine.decoders import Decoders
from svc_image_gen.engine.diffusers_engine import DiffusersEngine, LoadOptions, installed_from

folder, side, decoder, small = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
least = {"anon": 0}
def watch():
    while True:
        for line in open("/proc/self/status"):
            if line.startswith("RssAnon"):
                least["anon"] = max(least["anon"], int(line.split()[1]) // 1024)
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
decoders = Decoders()
if decoder == "small":
    decoders.add("taesd", "madebyollin/taesd", small)
engine = DiffusersEngine(installed_from(folder, builtin=False), folder, LoadOptions(), decoders)
began = time.time()
engine.slot.load()
loaded, peak = time.time() - began, {}
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        peak["load"] = int(line.split()[1]) // 1024
anon = least["anon"]
request = DrawRequest("a cat", "", side, side, 2, engine.recommended.guidance_scale, 1, None, decoder)
began = time.time()
engine.draw(request, lambda *_: None, Timing())
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        peak["all"] = int(line.split()[1]) // 1024
print(json.dumps({"load_s": round(loaded, 1), "draw_2_steps_s": round(time.time() - began, 1), "peak_load_mib": peak["load"],
    "peak_mib": peak["all"], "anon_load_mib": anon, "anon_mib": least["anon"], "dtype": str(engine.slot.peek().pipeline.unet.dtype)}))
"""


def memory(kind: Kind, half: bool, side: int, decoder: str) -> None:
    """Load and draw in a process of its own; tell its peak beside what a plan would have told."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as place:
        folder, small = Path(place) / "model", Path(place) / "taesd"
        made = (
            "from tests.random_pipelines import make, real; from pathlib import Path; "
            f"make('taesd', Path({str(small)!r}), real('sd')); "
            f"make({kind!r}, Path({str(folder)!r}), real({kind!r}), half={half})"
        )
        subprocess.run([sys.executable, "-c", made], check=True)
        print(f"{kind}: told {_told(folder) / 2**20:.0f} MiB; measured:")
        subprocess.run([sys.executable, "-c", CHILD, str(folder), str(side), decoder, str(small)], check=True)


def _told(folder: Path) -> int:
    """Ask the service's own estimate about a folder, as a plan asks it about a repository."""
    from servicekit.hub import Needs
    from servicekit.hub.choosing import RepoFile
    from servicekit.hub.repository import Listing
    from svc_image_gen.engine.memory_need import memory_need

    class Local:
        def opened(self, _: Listing, file: RepoFile) -> Any:
            return (folder / file.name).open("rb", buffering=0)

        def small(self, _: Listing, name: str) -> bytes:
            return (folder / name).read_bytes()

    files = tuple(
        RepoFile(path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    )
    local: Any = Local()
    return memory_need("auto", "cpu")(Needs(local, Listing("me/model", "0", files), files)) or 0


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["steps", "convert", "decoders", "memory"])
    parser.add_argument("kind", nargs="?", default="sd")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--fp32", action="store_true", help="in 32 bits too")
    parser.add_argument("--openvino", type=Path, help="folder of `convert`")
    parser.add_argument("--batches", default="2,1")
    parser.add_argument("--half", action="store_true", help="files in 16 bits")
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--decoder", default="full")
    told = parser.parse_args()
    if told.what == "steps":
        converted = told.openvino / "unet.xml" if told.openvino else None
        steps(told.rounds, told.compile, converted, tuple(int(b) for b in told.batches.split(",")), told.fp32)
    elif told.what == "convert":
        convert(told.openvino)
    elif told.what == "decoders":
        decoders(told.rounds, told.fp32)
    else:
        memory(told.kind, told.half, told.side, told.decoder)


if __name__ == "__main__":
    main()
