"""A voice is installed from a hub while the service runs, speaks without a restart, and is removed."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from servicekit import wsgi
from servicekit.hub.fake_hub import FakeHub, repository_of
from servicekit.hub.fake_hub import install as installed
from svc_tts.app import create_app
from svc_tts.settings import Settings

pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def small_voice(folder: Path) -> dict[str, bytes]:
    """A VITS model of the real architecture with random weights, about a megabyte."""
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    folder.mkdir()
    letters = {letter: place for place, letter in enumerate("_abcdefghijklmnopqrstuvwxyz '-")}
    (folder / "letters.json").write_text(json.dumps(letters))
    config = VitsConfig(
        vocab_size=len(letters), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16, flow_size=16,
        spectrogram_bins=9, prior_encoder_num_flows=1, duration_predictor_num_flows=1, depth_separable_num_layers=1,
        upsample_initial_channel=32, upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8], resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3, 5]], wavenet_dilation_rate=1, posterior_encoder_num_wavenet_layers=2,
        prior_encoder_num_wavenet_layers=2, sampling_rate=8000,
    )  # fmt: skip
    VitsModel(config).save_pretrained(folder)
    tokenizer = VitsTokenizer(
        str(folder / "letters.json"), language="por", is_uroman=False, phonemize=False, pad_token="_"
    )
    tokenizer.save_pretrained(folder)
    return repository_of(folder)


class Client:
    """A Flask client that answers as the helper of installs expects."""

    def __init__(self, flask: FlaskClient):
        self.flask = flask

    def post(self, url: str, *, json: Any) -> Any:
        return _Answer(self.flask.post(url, json=json))

    def get(self, url: str) -> Any:
        return _Answer(self.flask.get(url))


class _Answer:
    def __init__(self, response: Any):
        self.status_code, self.headers, self.text = response.status_code, response.headers, response.text
        self.json = lambda: response.json


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("tts")
    other = {
        "config.json": b'{"model_type": "llama"}',
        "model.safetensors": (2).to_bytes(8, "little") + b"{}",
    }
    with FakeHub({"me/voice": small_voice(folder / "voice"), "me/other": other}) as hub:
        settings = Settings(data_dir=folder / "data", auth="off", hf_endpoint=hub.url)
        app = create_app(settings)
        wsgi.start(app)
        yield Client(app.test_client())
        wsgi.stop(app)


def test_an_installed_voice_speaks_without_a_restart_and_goes_again(client: Client) -> None:
    assert installed(client, "me/voice")["status"] == "completed"
    voices = client.get("/v1/audio/voices").json()["data"]
    assert {"id": "me/voice", "language": "pt-br"}.items() <= next(
        v for v in voices if v["id"] == "me/voice"
    ).items()
    asked = {"input": "um texto curto", "voice": "me/voice", "response_format": "wav"}
    answer = client.flask.post("/v1/audio/speech", json=asked)
    with wave.open(io.BytesIO(answer.data)) as sound:
        assert (sound.getframerate(), sound.getnframes() > 100) == (8000, True)
    assert client.flask.delete("/v1/models/me/voice").json["deleted"] is True
    gone = client.post("/v1/audio/speech", json=asked)
    assert (gone.status_code, gone.json()["error"]["code"]) == (400, "voice_not_found")


def test_what_does_not_speak_is_refused_with_what_does(client: Client) -> None:
    answer = client.post("/v1/models/install", json={"id": "me/other"})
    assert answer.status_code == 400 and "VITS" in answer.json()["error"]["message"]


def test_jobs_of_installs_are_listed_followed_and_checked(client: Client) -> None:
    job = installed(client, "me/voice")
    assert job["id"] in {row["id"] for row in client.get("/v1/jobs").json()["data"]}
    events = client.flask.get(f"/v1/jobs/{job['id']}/events").text
    assert '"status":"completed"' in events.replace(" ", "")
    assert client.get("/v1/jobs?limit=0").status_code == 400
    assert client.get("/v1/jobs/job_x").status_code == 404
    assert client.post("/v1/models/install", json={"name": "me/voice"}).status_code == 400
    assert client.post("/v1/models/plan", json={"id": "nothing"}).status_code == 404


def test_the_catalogue_tells_which_of_its_models_run_here(client: Client) -> None:
    rows = {row["id"]: row for row in client.get("/v1/catalogue").json()["data"]}
    assert rows["mms-tts-por"]["runnable"] is True
    bark = rows["bark-small"]
    assert bark["obstacle"] == {"of": "pickle", "found": "pytorch_model.bin", "runs": []}
    assert (bark["runnable"], "pickle" in bark["why_not"]) == (False, True), (
        "its publisher gives a pickle only"
    )
