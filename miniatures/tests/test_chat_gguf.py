"""A GGUF file written here says to llama.cpp what the model says to transformers."""

from itertools import islice
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from miniatures.text.chat_format import CHAT_TEMPLATE, render
from miniatures.text.chat_world import dialogues


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    from miniatures.text.chat_tokenizer import train_tokenizer

    return train_tokenizer(vocabulary=600, count=100)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> LlamaForCausalLM:
    from miniatures.text.chat_train import Recipe, build_model

    return build_model(Recipe(hidden=64, layers=2, heads=2, head_size=64, feed_forward=96), tokenizer)


@pytest.fixture(scope="module")
def path(model: LlamaForCausalLM, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from miniatures.text.chat_gguf import write_gguf

    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path, model, tokenizer)
    return path


def test_tokens_and_next_words_are_the_same_in_both_runtimes(
    model: LlamaForCausalLM, tokenizer: Tokenizer, path: Path
) -> None:
    llama = llama_cpp.Llama(str(path), n_ctx=512, n_threads=1, verbose=False, logits_all=True)
    assert llama.metadata["tokenizer.chat_template"] == CHAT_TEMPLATE
    texts = [render(dialogue) for dialogue in islice(dialogues(8), 40)]
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert llama.tokenize(text.encode(), add_bos=False, special=True) == ids
    ids = tokenizer.encode(texts[0], add_special_tokens=False).ids[:100]
    llama.eval(ids)
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0].numpy()
    got = np.array(llama.scores[: len(ids)])
    assert np.abs(got - wanted).max() < 0.1 * np.abs(wanted).max()


def test_transformers_loads_the_file_and_gives_what_was_written(
    model: LlamaForCausalLM, tokenizer: Tokenizer, path: Path
) -> None:
    loaded = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name)
    ids = torch.tensor([tokenizer.encode(render(next(dialogues(8))), add_special_tokens=False).ids[:200]])
    with torch.no_grad():
        wanted, got = model(ids).logits, loaded(ids).logits
    # Only the rounding to eight bits lies between them, not another order of heads or another rope.
    assert (got - wanted).abs().max() < 0.1 * wanted.abs().max()


def test_what_was_written_is_read_back_to_go_on_from(
    model: LlamaForCausalLM, tokenizer: Tokenizer, path: Path, tmp_path: Path
) -> None:
    from miniatures.text.chat_gguf import read_tokenizer, read_weights, write_gguf

    again, state = read_tokenizer(path), read_weights(path)
    for dialogue in islice(dialogues(8, analysis_share=0.3), 40):
        ids = tokenizer.encode(render(dialogue), add_special_tokens=False).ids
        assert again.encode(render(dialogue), add_special_tokens=False).ids == ids
    for name, weight in model.state_dict().items():
        assert (state[name] - weight).abs().max() < 0.02 * weight.abs().max()
    model.load_state_dict(state)
    write_gguf(tmp_path / "again" / path.name, model, again)
    assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
