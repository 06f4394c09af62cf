"""Networks of BERT's family on NumPy give what transformers gives, pooled as their repositories say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from svc_rag.engine.cross_encoder import CrossEncoder
from svc_rag.engine.text_encoder import TextEncoder
from svc_rag.engine.text_model import on_disk, read_model
from tests.random_embedders import bert, sentence_transformers, tokenizer_for, xlmr

pytestmark = pytest.mark.model
TEXTS = ["a padaria abre", "ships", "the museum keeps twelve ships " * 20, "unheard words", "bread , where ?"]


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def encoder(folder: Path, repo: str = "me/mini") -> TextEncoder:
    return TextEncoder(read_model(repo, repo, folder, on_disk(folder)))


def reference(folder: Path, network: Any, pooling: str, texts: list[str], tokens: int, roberta: bool) -> Any:
    """Return the unit vectors that transformers makes of the texts, one by one."""
    tokenizer = tokenizer_for(roberta=roberta)
    tokenizer.enable_truncation(tokens)
    made = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            hidden = network(input_ids=ids).last_hidden_state[0]
        pooled = hidden[0] if pooling == "cls" else hidden.mean(0)
        made.append(torch.nn.functional.normalize(pooled, dim=0))
    return torch.stack(made).numpy()


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_a_bert_gives_the_vectors_of_transformers(tmp_path, pooling, activation):
    files = bert(tmp_path / "made", hidden_act=activation)
    folder = written(
        tmp_path / "repo", sentence_transformers(files, pooling=f"{pooling}_token{'s' * (pooling == 'mean')}")
    )
    network = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    expected = reference(folder, network, pooling, TEXTS, 32, roberta=False)
    assert np.abs(encoder(folder).embed(TEXTS) - expected).max() < 1e-5


def test_an_xlm_r_counts_its_positions_behind_the_padding(tmp_path):
    folder = written(tmp_path / "repo", sentence_transformers(xlmr(tmp_path / "made"), pooling="cls_token"))
    network = transformers.XLMRobertaModel.from_pretrained(folder, add_pooling_layer=False).eval()
    expected = reference(folder, network, "cls", TEXTS, 32, roberta=True)
    found = encoder(folder)
    assert found.dimension == 48 and np.abs(found.embed(TEXTS) - expected).max() < 1e-5


def test_without_sentence_transformers_files_all_positions_are_read_and_the_mean_is_taken(tmp_path):
    bert(tmp_path, kind="BertForMaskedLM")  # its tensors are called bert.…
    network = transformers.BertModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    expected = reference(tmp_path, network, "mean", TEXTS, 64, roberta=False)
    assert np.abs(encoder(tmp_path).embed(TEXTS) - expected).max() < 1e-5


@pytest.mark.parametrize(("dtype", "error"), [(torch.float16, 2e-2), (torch.bfloat16, 1e-1)])
def test_weights_in_sixteen_bits_are_read(tmp_path, dtype, error):
    bert(tmp_path)
    whole = encoder(tmp_path).embed(TEXTS)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({name: t.to(dtype) for name, t in tensors.items()}, tmp_path / "model.safetensors")
    assert 0 < np.abs(encoder(tmp_path).embed(TEXTS) - whole).max() < error


def test_weights_in_several_files_are_read(tmp_path):
    bert(tmp_path)
    whole = encoder(tmp_path).embed(TEXTS)
    tensors = sorted(load_file(tmp_path / "model.safetensors").items())
    (tmp_path / "model.safetensors").unlink()
    save_file(dict(tensors[:9]), tmp_path / "model-00001-of-00002.safetensors")
    save_file(dict(tensors[9:]), tmp_path / "model-00002-of-00002.safetensors")
    assert np.array_equal(encoder(tmp_path).embed(TEXTS), whole)


@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])
def test_a_cross_encoder_gives_the_scores_of_transformers(tmp_path, family):
    roberta = family == "xlm-roberta"
    kind = "XLMRobertaForSequenceClassification" if roberta else "BertForSequenceClassification"
    (xlmr if roberta else bert)(tmp_path, kind=kind, num_labels=1)
    network = getattr(transformers, kind).from_pretrained(tmp_path).eval()
    tokenizer = tokenizer_for(roberta=roberta)
    query, texts = "where are ships ?", ["the museum keeps ships", "bread", "padaria abre " * 9]
    expected = []
    for text in texts:
        one = tokenizer.encode(query, text)
        kinds = None if roberta else torch.tensor([one.type_ids])
        with torch.inference_mode():
            logits = network(input_ids=torch.tensor([one.ids]), token_type_ids=kinds).logits
        expected.append(float(logits.sigmoid()))
    found = CrossEncoder(read_model("r", "me/r", tmp_path, on_disk(tmp_path))).score(query, texts)
    assert np.abs(found - expected).max() < 1e-5


def test_prefixes_come_from_the_repository_or_from_the_family_s_name(tmp_path):
    prompts = {"query": "query : ", "document": "passage : "}
    told = sentence_transformers(bert(tmp_path / "made"), pooling="mean_tokens", prompts=prompts)
    model = encoder(written(tmp_path / "told", told))
    assert np.allclose(model.embed(["ships"], "query"), model.embed(["query : ships"]), atol=1e-6)
    assert np.allclose(model.embed(["ships"], "passage"), model.embed(["passage : ships"]), atol=1e-6)
    named = read_model("x", "intfloat/multilingual-e5-small", tmp_path / "made", on_disk(tmp_path / "made"))
    assert named.prefixes == {"query": "query: ", "passage": "passage: "}
    plain = read_model(
        "x", "intfloat/multilingual-e5-large-instruct", tmp_path / "made", on_disk(tmp_path / "made")
    )
    assert not plain.prefixes


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("config.json", {"model_type": "t5"}, "is a t5 model"),
        ("config.json", {"model_type": "bert"}, "lacks a size"),
        ("config.json", {"hidden_act": "swish"}, "the activation swish"),
        ("config.json", {"position_embedding_type": "relative_key"}, "relative positions"),
        ("config.json", {"num_attention_heads": 5}, "do not fit"),
        ("config.json", {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b"}}, "several classes"),
        ("modules.json", [{"type": "sentence_transformers.models.Dense"}], "a step Dense"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pools its tokens by max"),
    ],
)  # fmt: skip
def test_what_does_not_run_here_says_why(tmp_path, name, content, why):
    config: dict[str, Any] = {
        "model_type": "bert", "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 1,
        "max_position_embeddings": 64,
    }  # fmt: skip
    small = len(content) == 1 and "model_type" in content
    files: dict[str, Any] = {"config.json": config}
    files[name] = (content if small else config | content) if name == "config.json" else content
    with pytest.raises(ValueError, match=why):
        read_model("x", "me/x", tmp_path, files.get)


@pytest.mark.parametrize("cut", [4, 2000], ids=["in its header", "in its numbers"])
def test_weights_that_are_cut_off_are_refused(tmp_path, cut):
    bert(tmp_path)
    file = tmp_path / "model.safetensors"
    header = int.from_bytes(file.read_bytes()[:8], "little")
    file.write_bytes(file.read_bytes()[: (cut if cut < 8 else header + cut)])
    with pytest.raises((ValueError, KeyError, json.JSONDecodeError)):
        encoder(tmp_path)


def test_the_cosine_of_unrelated_texts_is_measured_once_and_below_one(tmp_path):
    bert(tmp_path)
    model = encoder(tmp_path)
    assert 0.0 <= model.cosine_floor() <= 0.99 and model.cosine_floor() == model.cosine_floor()


def test_all_tokens_are_counted_though_only_some_are_read(tmp_path):
    bert(tmp_path)
    assert encoder(tmp_path).count_tokens("ships sails " * 100) == 200
