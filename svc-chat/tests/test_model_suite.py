"""The built-in model, as it is committed, in the hundred dialogues of its suite and in transformers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from miniatures.text.chat_format import CHAT_TEMPLATE
from miniatures.text.chat_outside import outside_cases
from miniatures.text.chat_score import Outcome, Speaker, run

pytestmark = pytest.mark.model
GGUF = Path(__file__).resolve().parents[1] / "models" / "oficina-chat" / "oficina-chat.gguf"
LEAST_RIGHT, LEAST_TOKENS_PER_SECOND, MOST_BYTES = 85, 300, 16_000_000


@cache
def suite() -> Outcome:
    return run(GGUF)


def test_the_suite_is_passed() -> None:
    summary = suite().summary()
    assert summary["dialogues"] == 100
    assert summary["right"] >= LEAST_RIGHT, f"{summary['right']} of 100 right: {summary['by_skill']}"


def test_questions_from_outside_its_world_are_answered_by_saying_what_it_is() -> None:
    summary = run(GGUF, outside_cases()).summary()
    assert summary["right"] >= 0.85 * summary["dialogues"], f"{summary['right']} of {summary['dialogues']}"


def test_it_is_small_and_quick() -> None:
    assert GGUF.stat().st_size <= MOST_BYTES
    assert suite().summary()["tokens_per_second"] >= LEAST_TOKENS_PER_SECOND


def test_transformers_loads_the_file_and_writes_the_same() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(GGUF.parent, gguf_file=GGUF.name)
    tokenizer = AutoTokenizer.from_pretrained(GGUF.parent, gguf_file=GGUF.name)
    tokenizer.chat_template = CHAT_TEMPLATE
    speaker = Speaker(GGUF)
    for asked in ("What is Oficina?", "Quem é você?", "What is 2 + 3?"):
        messages = [{"role": "user", "content": asked}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
        made = model.generate(ids, max_new_tokens=60, do_sample=False, eos_token_id=tokenizer.eos_token_id)
        answer = tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
        assert answer == speaker.answer(messages, None)
