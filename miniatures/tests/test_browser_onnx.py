"""The web page's copies of the captioner and the chat model say what the models themselves say."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, VisionEncoderDecoderModel

from miniatures.browser import captioner, chat, graphs
from miniatures.browser.export import CAPTIONER, CHAT, EXPORTS, MANIFEST, OUT, SOURCE, digest, manifest
from miniatures.caption.evaluate import Captioner, held_out_pictures

pytestmark = pytest.mark.model
AGAIN = "run `python -m miniatures export-onnx` and commit what it writes"
PICTURES = 12
ROUNDING = 0.12
"""How far the scores of the eight-bit copy may lie from the model's, as a share of the largest."""


class Graph:
    """A committed ONNX file with its cache."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options)
        self._cache = {
            i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32)
            for i in self._session.get_inputs()
            if i.name.startswith("past_key_values")
        }

    def run(self, **inputs: np.ndarray) -> np.ndarray:
        """Return the first output."""
        return self._session.run(None, inputs)[0]

    def step(self, **inputs: np.ndarray) -> np.ndarray:
        """Return the scores and keep what was seen for the next step."""
        scores, *present = self._session.run(None, inputs | self._cache)
        self._cache = dict(zip(self._cache, present, strict=True))
        return scores


@pytest.mark.parametrize("name", EXPORTS)
def test_the_copies_are_of_the_models_that_are_committed(name: str) -> None:
    made_of = json.loads((OUT / name / SOURCE).read_text())["sha256"]
    assert made_of == digest(EXPORTS[name].source), AGAIN


def test_the_page_knows_every_file_and_its_size() -> None:
    assert json.loads(MANIFEST.read_text()) == manifest(), AGAIN


def test_the_written_out_captioner_is_transformers_own() -> None:
    model = VisionEncoderDecoderModel.from_pretrained(CAPTIONER).eval()
    settings = model.config.decoder
    ids, pixels = torch.tensor([[1, 5, 25, 14, 22]]), torch.rand(1, 3, 64, 64)
    empty = graphs.empty_cache(settings.n_layer, settings.n_head, settings.n_embd // settings.n_head)
    with torch.no_grad():
        states = captioner.Encoder(model)(pixels)
        wanted = model(pixel_values=pixels, decoder_input_ids=ids).logits
        decoder = captioner.Decoder(model)
        whole, _ = decoder(ids, states, empty)
        _, kept = decoder(ids[:, :3], states, empty)
        rest, _ = decoder(ids[:, 3:], states, kept)
    torch.testing.assert_close(whole, wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rest, wanted[:, 3:], atol=1e-4, rtol=1e-4)


def test_the_written_out_chat_model_is_transformers_own() -> None:
    model = AutoModelForCausalLM.from_pretrained(CHAT.parent, gguf_file=CHAT.name, dtype=torch.float32).eval()
    settings = model.config
    empty = graphs.empty_cache(settings.num_hidden_layers, settings.num_key_value_heads, settings.head_dim)
    ids = torch.randint(0, settings.vocab_size, (1, 40), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    with torch.no_grad():
        wanted = model(ids).logits
        decoder = chat.Decoder(model)
        whole, _ = decoder(ids, mask, empty)
        _, kept = decoder(ids[:, :30], mask[:, :30], empty)
        rest, _ = decoder(ids[:, 30:], mask, kept)
    torch.testing.assert_close(whole, wanted, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(rest, wanted[:, 30:], atol=1e-3, rtol=1e-3)


def test_captions_are_the_models_own() -> None:
    own = Captioner()
    _, images = held_out_pictures(PICTURES, seed=17)
    tokenizer = AutoTokenizer.from_pretrained(CAPTIONER)
    folder = OUT / "oficina-captioner" / "onnx"
    encoder = Graph(folder / "encoder_model_quantized.onnx")
    said = []
    for image in images:
        pixels = own._processor([image], return_tensors="np").pixel_values
        states = encoder.run(pixel_values=pixels)
        decoder = Graph(folder / "decoder_model_merged_quantized.onnx")
        ids = list(_greedy(decoder, [1], end=2, most=31, encoder_hidden_states=states))
        said.append(tokenizer.decode(ids, skip_special_tokens=True).strip())
    assert said == own.captions(images)


def test_the_chat_models_scores_are_its_own_but_for_rounding() -> None:
    model = AutoModelForCausalLM.from_pretrained(CHAT.parent, gguf_file=CHAT.name, dtype=torch.float32).eval()
    ids = _prompt("Quanto é 7 + 5?")
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0].numpy()
    graph = Graph(OUT / "oficina-chat" / "onnx" / "model_quantized.onnx")
    got = graph.step(input_ids=np.array([ids]), attention_mask=np.ones((1, len(ids)), np.int64))[0]
    assert np.abs(got - wanted).max() < ROUNDING * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("Quanto é 7 + 5?", "12"), ("What is 9 + 4?", "13"), ("What is Oficina?", "Oficina")],
)
def test_the_chat_model_answers_as_it_was_taught(asked: str, answered: str) -> None:
    graph = Graph(OUT / "oficina-chat" / "onnx" / "model_quantized.onnx")
    written = list(_greedy(graph, _prompt(asked), end=2, most=60, attention_mask=None))
    assert answered in AutoTokenizer.from_pretrained(OUT / "oficina-chat").decode(written)


def _prompt(asked: str) -> list[int]:
    tokenizer = AutoTokenizer.from_pretrained(OUT / "oficina-chat")
    messages = [{"role": "user", "content": asked}]
    return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))


def _greedy(
    graph: Graph, ids: list[int], *, end: int, most: int, **inputs: np.ndarray | None
) -> Iterator[int]:
    """Yield the likeliest words; an `attention_mask` among the inputs is made as long as it has to be."""
    seen = 0
    for _ in range(most):
        seen += len(ids)
        if "attention_mask" in inputs:
            inputs["attention_mask"] = np.ones((1, seen), np.int64)
        token = int(graph.step(input_ids=np.array([ids]), **inputs)[0, -1].argmax())
        if token == end:
            return
        yield token
        ids = [token]
