"""A GGUF file written here says to llama.cpp what the model says to transformers."""

from itertools import islice
from pathlib import Path

import llama_cpp
import numpy as np
import torch

from miniatures.text.chat_format import CHAT_TEMPLATE, render
from miniatures.text.chat_world import dialogues


def test_tokens_and_next_words_are_the_same_in_both_runtimes(tmp_path: Path) -> None:
    from miniatures.text.chat_gguf import write_gguf
    from miniatures.text.chat_tokenizer import train_tokenizer
    from miniatures.text.chat_train import Recipe, build_model

    tokenizer = train_tokenizer(vocabulary=600, count=100)
    model = build_model(Recipe(hidden=64, layers=2, heads=2, feed_forward=96), tokenizer)
    path = tmp_path / "tiny.gguf"
    write_gguf(path, model, tokenizer)
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
