"""The estimate of a model's memory is near what a process really takes, and never far below."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from svc_chat.engine.gguf_header import read_header
from svc_chat.engine.memory_need import cell_bytes, cells_for, memory_need
from svc_chat.settings import Settings

pytestmark = pytest.mark.model
BUILTIN = Settings().builtin_model_path
CACHE_BYTES = 1 << 30
NOISE_BYTES = 8 << 20
MEASURE = """
import json, sys
from pathlib import Path
from svc_chat.engine.backend import Batch
from svc_chat.engine.llama_backend import LlamaBackend

def resident():
    return {k: int(v.split()[0]) * 1024 for k, v in (l.split(":", 1) for l in open("/proc/self/status")) if k.startswith("Vm")}

path, context, cache, sequences = Path(sys.argv[1]), *map(int, sys.argv[2:])
before = resident()["VmRSS"]
model = LlamaBackend(path, context_tokens=context, cache_bytes=cache, threads=1, sequences=sequences)
full, rest = divmod(model.cells, model.context_tokens)
for sequence in range(full):
    for start in range(0, model.context_tokens, 512):
        batch = Batch()
        batch.add(sequence, start, [3 + n % 250 for n in range(min(512, model.context_tokens - start))], last_row=True)
        model.decode(batch)
        model.logits().sum()
for sequence in range(sequences):
    model.truncate(sequence, 0)
batch = Batch()
for sequence in range(sequences):
    batch.add(sequence, 0, [3], last_row=True)
model.decode(batch)
model.logits().sum()
print(json.dumps([resident()["VmHWM"] - before, model.cells]))
"""


def measured(path: Path, context: int, sequences: int) -> tuple[int, int]:
    """Return the peak in bytes and the cells of a model that is used to the full."""
    told = [sys.executable, "-c", MEASURE, str(path), str(context), str(CACHE_BYTES), str(sequences)]
    peak, cells = json.loads(subprocess.run(told, capture_output=True, check=True).stdout)
    return peak, cells


@pytest.mark.parametrize(
    ("name", "context", "sequences"), [("builtin", 2048, 48), ("wide", 512, 48), ("deep", 512, 4)]
)
def test_the_estimate_is_within_a_fifth_of_what_is_taken(
    tmp_path: Path, write_model: Callable[..., Path], name: str, context: int, sequences: int
) -> None:
    shapes = {
        "wide": {"width": 512, "layers": 4, "heads": 8, "hidden": 1408, "vocabulary": 32_000, "kind": "F16"},
        "deep": {"width": 384, "layers": 12, "heads": 6, "hidden": 1024, "vocabulary": 2_000, "kind": "F16"},
    }
    path = BUILTIN
    if name != "builtin":
        path = write_model(tmp_path / f"{name}.gguf", context=context, **shapes[name])
    header = read_header(path)
    peak, cells = measured(path, context, sequences)
    assert cells_for(header, context, CACHE_BYTES) == cells
    told = memory_need(header, cells=cells, sequences=sequences).total
    # the interpreter's own memory moves by some MiB, which counts beside the smallest model only
    assert abs(told - peak) < max(0.2 * peak, NOISE_BYTES), (told / 2**20, peak / 2**20)


def test_the_key_value_memory_is_made_for_four_contexts_if_they_fit() -> None:
    header = read_header(BUILTIN)
    assert cells_for(header, 1000, CACHE_BYTES) == 4000
    assert cells_for(header, 1000, 2000 * cell_bytes(header)) == 2000
    assert cells_for(header, 1000, 1) == 1000
    assert cells_for(header, 10**9, 1) == header.context_tokens
