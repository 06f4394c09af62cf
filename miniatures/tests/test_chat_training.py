"""The chat model's own forward pass is transformers', and a stopped run goes on as if it had not stopped."""

import multiprocessing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from miniatures.text import chat_init, chat_model, chat_train
from miniatures.text.chat_tokenizer import train_tokenizer

TINY = chat_train.Recipe(
    hidden=32, layers=2, heads=2, head_size=16, feed_forward=48, tokens_per_step=512, steps=4
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(vocabulary=500, count=60)


def test_the_forward_pass_is_that_of_transformers(tokenizer: Tokenizer) -> None:
    model = chat_train.build_model(TINY, tokenizer)
    ids = torch.arange(80).view(2, 40)
    with torch.no_grad():
        ours = chat_model.hidden_states(model, ids, torch.float32)
        theirs = model.model(input_ids=ids).last_hidden_state.flatten(0, 1)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tokenizer: Tokenizer, tmp_path: Path) -> None:
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
        tokenizer.save(str(tmp_path / name / "tokenizer.json"))
    whole, _, done = chat_train.train(TINY, tmp_path / "whole")
    stopped = StoppedAfter(2)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(chat_train, "batches", stopped.batches)
        patch.setattr(chat_train.Clock, "save_is_due", lambda clock: True)
        chat_train.train(TINY, tmp_path / "stopped")
    resumed, _, again = chat_train.train(TINY, tmp_path / "stopped")
    assert (done.step, done.tokens) == (again.step, again.tokens)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


class StoppedAfter:
    """Batches that end in an interrupt."""

    def __init__(self, count: int) -> None:
        self._count, self._batches = count, chat_train.batches

    def batches(self, *given: object) -> object:
        yield from islice(self._batches(*given), self._count)
        raise KeyboardInterrupt


def test_an_untrained_model_already_looks_back_and_at_what_followed_a_word_before(
    tokenizer: Tokenizer,
) -> None:
    model = chat_train.build_model(chat_train.Recipe(), tokenizer)
    model.set_attn_implementation("eager")
    said = torch.randperm(400, generator=torch.Generator().manual_seed(1))[:30] + 20
    with torch.no_grad():
        attended = model(torch.cat((said, said))[None], output_attentions=True).attentions
    back, follow = attended[0][0, 0].argmax(1), attended[1][0, 0].argmax(1)
    assert (back[1:] == torch.arange(59)).float().mean() > 0.7
    # By chance it would be one in forty-five; random weights around the head keep it from being sure.
    assert (follow[30:] == torch.arange(1, 31)).float().mean() > 0.1


def test_a_deepened_model_says_what_it_said_before_and_can_learn_more(tokenizer: Tokenizer) -> None:
    model = chat_train.build_model(TINY, tokenizer)
    deeper = chat_train.build_model(replace(TINY, layers=3), tokenizer)
    deeper.load_state_dict(chat_init.deepened(model.state_dict(), 3))
    ids = torch.arange(80).view(2, 40)
    said = [chat_model.hidden_states(one, ids, torch.float32) for one in (model, deeper)]
    assert torch.allclose(*said, atol=1e-6)
    said[1].square().sum().backward()
    assert deeper.model.layers[1].mlp.down_proj.weight.grad.abs().max() > 0
    assert not deeper.model.layers[1].self_attn.o_proj.weight.any()


def test_processes_that_train_together_see_other_data_and_end_with_the_same_weights(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        asked = [(TINY, tmp_path, None, 1, chat_train.Share(number, 2)) for number in range(2)]
        (one, _, done), (other, _, its) = pool.starmap_async(chat_train.train, asked).get(timeout=300)
    assert (done.step, its.step) == (TINY.steps, TINY.steps)
    assert done.tokens != its.tokens
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
