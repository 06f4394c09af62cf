"""What is trained is what is served: the adapter's file in llama.cpp against the network that it was trained in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from svc_chat.engine.backend import Batch
from svc_chat.engine.llama_backend import LlamaBackend
from svc_chat.engine.tuning.recipe import TRAINABLE

pytestmark = pytest.mark.model
BUILTIN = Path(__file__).resolve().parents[1] / "models" / "oficina-chat" / "oficina-chat.gguf"
TOKENS = [5, 40, 77, 130, 200, 9, 33, 40, 77, 12]


def served(base: Path, adapter: Path | None) -> np.ndarray:
    """Return llama.cpp's logits after the last of TOKENS."""
    backend = LlamaBackend(base, context_tokens=64, cache_bytes=64 << 20, threads=1, sequences=1)
    backend.use_adapter(str(adapter) if adapter else None)
    batch = Batch()
    batch.add(0, 0, TOKENS, last_row=True)
    backend.decode(batch)
    logits = backend.logits()[0].copy()
    backend.close()
    return logits


@pytest.mark.parametrize("kind", ["builtin", "llama", "llama, fewer keys", "qwen2, fewer keys"])
def test_the_served_adapter_gives_the_logits_of_the_trained_one(
    kind: str, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    import torch

    from svc_chat.engine.tuning.adapter_file import write_adapter
    from svc_chat.engine.tuning.network import Network

    architecture = kind.partition(",")[0]
    base = BUILTIN
    if kind != "builtin":
        fewer = {"kv_heads": 2} if "fewer" in kind else {}
        base = write_model(tmp_path / "base.gguf", architecture=architecture, **fewer)
    network = Network(base, rank=4, alpha=8, dropout=0.0, seed=1)
    with torch.no_grad():
        for parameter in network.trained():
            parameter.normal_(0, 0.2)
    tokens = torch.tensor([TOKENS])
    last = torch.zeros_like(tokens, dtype=torch.bool)
    last[0, -1] = True
    with torch.no_grad():
        trained = network.logits(tokens, last)[0].numpy()
    with network.as_base():
        plain = network.logits(tokens, last)[0].numpy()
    path = tmp_path / "adapter.gguf"
    config = network.config
    write_adapter(
        path,
        {name: matrix.numpy() for name, matrix in network.adapter().items()},
        architecture=config.model_type,
        alpha=8,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        name="test",
    )
    effect = np.abs(trained - plain).max()
    assert effect > 0.5, "the adapter must change something"
    assert np.abs(served(base, None) - plain).max() < 0.02 * effect + 0.02
    assert np.abs(served(base, path) - trained).max() < 0.02 * effect + 0.02


def test_only_architectures_whose_matrices_are_known_can_be_trained() -> None:
    assert TRAINABLE == ("llama", "qwen2")
