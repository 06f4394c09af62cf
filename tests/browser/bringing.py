"""What is installed in the tests of the page: a small model for each service, and how it is used afterwards.

A service that learns to install joins `ALL`.
"""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from PIL import Image, ImageDraw

from servicekit.hub.fake_hub import repository_of

ROOT = Path(__file__).resolve().parents[2]
REPO = "me/mini"
JOB_S = 120


@dataclass(frozen=True)
class Brought:
    """One service, what the page calls its work, the repository's files and a use of the model.

    `use` is given the gateway's client and the model's id; it raises when the model does not answer.
    """

    service: str
    work: str
    files: Callable[[Path], dict[str, bytes]]
    use: Callable[[httpx.Client, str], None]
    model_id: str = REPO
    told: dict[str, str] = field(default_factory=dict)
    """Settings of the service."""


def _chat(client: httpx.Client, model_id: str) -> None:
    body = {"model": model_id, "messages": [{"role": "user", "content": "Olá!"}], "max_tokens": 8}
    answer = client.post("/v1/chat/completions", json=body).raise_for_status().json()
    assert (answer["model"], bool(answer["choices"][0]["message"]["content"])) == (model_id, True)


def _image(client: httpx.Client, model_id: str) -> None:
    body = {"prompt": "a red circle", "size": "64x64", "steps": 2, "response_format": "b64_json"}
    answer = client.post("/v1/images/generations", json=body | {"model": model_id}).raise_for_status()
    picture = Image.open(io.BytesIO(base64.b64decode(answer.json()["data"][0]["b64_json"])))
    assert picture.size == (64, 64)


def _vision(client: httpx.Client, model_id: str) -> None:
    image = Image.new("RGB", (96, 96), (40, 70, 200))
    ImageDraw.Draw(image).ellipse((20, 20, 76, 76), fill=(210, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    files = {"image": ("scene.png", buffer.getvalue(), "image/png")}
    answer = client.post("/v1/vision/captions", data={"model": model_id}, files=files).raise_for_status()
    assert (answer.json()["model"], "red" in answer.json()["text"]) == (model_id, True)


def _translate(client: httpx.Client, model_id: str) -> None:
    body = {"text": "a large red circle", "source": "en", "target": "pt", "model": model_id}
    (said,) = client.post("/v1/translations", json=body).raise_for_status().json()["translations"]
    assert (said["model"], said["text"]) == (model_id, "um círculo vermelho grande")


def _speak(client: httpx.Client, model_id: str) -> None:
    body = {"input": "um texto curto", "voice": model_id, "response_format": "wav"}
    assert client.post("/v1/audio/speech", json=body).raise_for_status().content[:4] == b"RIFF"


def finished(client: httpx.Client, job_id: str) -> None:
    """Wait until a job is done."""
    deadline = time.monotonic() + JOB_S
    while (job := client.get(f"/v1/jobs/{job_id}").raise_for_status().json())["status"] != "completed":
        assert job["status"] in ("queued", "loading", "running") and time.monotonic() < deadline, job
        time.sleep(0.1)


def _search(client: httpx.Client, model_id: str) -> None:
    """Move the documents to the embedder and find each by it."""
    texts = ("The museum keeps twelve ships", "A padaria abre seven hour", "Bicycle of the library")
    for text in texts:
        files = {"file": ("notes.txt", text.encode())}
        finished(client, client.post("/v1/documents", files=files).raise_for_status().json()["id"])
    finished(client, client.post("/v1/embedder", json={"model": model_id}).raise_for_status().json()["id"])
    assert client.get("/v1/embedder").json()["model"] == model_id
    for text in texts:
        answer = client.post("/v1/search", json={"query": text, "mode": "vector"}).raise_for_status().json()
        assert answer["hits"][0]["text"] == text, "each text is nearest to itself"


def _embedder(folder: Path) -> dict[str, bytes]:
    """A BERT of random weights, two megabytes, with the files of sentence-transformers."""
    from tests.random_embedders import bert, sentence_transformers

    return sentence_transformers(bert(folder, width=256), pooling="mean_tokens")


def _voice(folder: Path) -> dict[str, bytes]:
    """A VITS model of the real architecture with random weights, a few megabytes."""
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    folder.mkdir()
    letters = folder / "letters.json"
    letters.write_text(json.dumps({letter: at for at, letter in enumerate("_abcdefghijklmnopqrstuvwxyz '-")}))
    config = VitsConfig(
        vocab_size=30, hidden_size=64, num_hidden_layers=1, num_attention_heads=2, ffn_dim=64, flow_size=64,
        spectrogram_bins=9, prior_encoder_num_flows=1, duration_predictor_num_flows=1, depth_separable_num_layers=1,
        upsample_initial_channel=256, upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8], resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3, 5]], wavenet_dilation_rate=1, posterior_encoder_num_wavenet_layers=2,
        prior_encoder_num_wavenet_layers=2, sampling_rate=8000,
    )  # fmt: skip
    VitsModel(config).save_pretrained(folder)
    VitsTokenizer(
        str(letters), language="por", is_uroman=False, phonemize=False, pad_token="_"
    ).save_pretrained(folder)
    return repository_of(folder)


def _built_in(folder: str) -> Callable[[Path], dict[str, bytes]]:
    return lambda _: repository_of(ROOT / folder)


def _gguf(_: Path) -> dict[str, bytes]:
    built_in = ROOT / "svc-chat/models/oficina-chat/oficina-chat.gguf"
    return {"mini-Q4_K_M.gguf": built_in.read_bytes()}


ALL = (
    Brought("svc-chat", "conversa", _gguf, _chat, model_id="mini-Q4_K_M"),
    Brought("svc-image-gen", "imagem", _built_in("svc-image-gen/models/draw"), _image),
    Brought("svc-vision", "legenda", _built_in("svc-vision/models/captioner"), _vision),
    Brought("svc-translate", "tradução", _built_in("svc-translate/models/en-pt"), _translate),
    Brought("svc-tts", "fala", _voice, _speak),
    Brought("svc-rag", "vetores", _embedder, _search),
)
