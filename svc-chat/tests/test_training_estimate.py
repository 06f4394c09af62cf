"""What a training is said to take is a little more than what the child took; figures in docs/decisions/training.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from svc_chat.engine.base import Message
from svc_chat.engine.gguf_header import GgufHeader, read_header
from svc_chat.engine.tuning.estimate import Batch, estimate, largest_batch
from svc_chat.engine.tuning.examples import REHEARSAL, Dialogue, Told, read_examples
from svc_chat.engine.tuning.recipe import recipe_for
from svc_chat.settings import Settings

BUILTIN = read_header(Settings().builtin_model_path)
SMOL = replace(
    BUILTIN,
    embedding_length=576,
    feed_forward_length=1536,
    block_count=30,
    heads=9,
    kv_heads=(3,) * 30,
    key_length=64,
    vocab_size=49152,
    parameters=134_515_008,
    tensor_bytes=2 * 134_515_008,
)
"""SmolLM2-135M in float16."""


@pytest.mark.parametrize(
    ("header", "batch", "peak_mib"),
    [
        (BUILTIN, Batch(16, 226, 14), 1059),
        (BUILTIN, Batch(16, 226, 204), 1181),
        (BUILTIN, Batch(16, 620, 305), 2824),
        (SMOL, Batch(0, 0, 0), 1304),  # nothing is taken beyond what loading takes
        (SMOL, Batch(2, 460, 41), 3806),
        (SMOL, Batch(4, 260, 41), 4040),
    ],
)
def test_the_estimate_is_at_most_a_quarter_above_what_was_measured(
    header: GgufHeader, batch: Batch, peak_mib: int
) -> None:
    recipe = recipe_for(Path("base.gguf"), header.parameters, 16, threads=1)
    told = estimate(header, recipe, (batch,)).memory / 2**20
    assert peak_mib <= told <= 1.25 * peak_mib


def test_short_facts_for_the_built_in_model_fit_a_small_machine() -> None:
    fact = Dialogue(
        (Message("user", "Quem cuida da sala 7?"), Message("assistant", "Valdomiro cuida dela.")), (1,)
    )
    recipe = recipe_for(Path("base.gguf"), BUILTIN.parameters, 20, threads=1)
    own = largest_batch([fact] * 20, recipe.batch, recipe.context_tokens)
    general = largest_batch(read_examples(REHEARSAL), recipe.rehearsal, recipe.context_tokens)
    assert 628 << 20 < estimate(BUILTIN, recipe, (own, general)).memory < 2304 << 20


def test_the_longest_example_counts_and_no_more_of_it_than_is_read() -> None:
    short, long = Told("A loja abre às 7."), Told("A loja abre às 7. " * 200)
    assert largest_batch([short, long, short], 4, 1024) == Batch(4, 1024, 1024)
    few = largest_batch([short], 4, 1024)
    assert few.learned < few.tokens < 150
