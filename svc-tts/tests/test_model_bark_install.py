"""Bark is installed from a hub with its presets, speaks, and goes again: its own architecture, tiny, random weights."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from servicekit import wsgi
from servicekit.contract import FlaskClient
from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_tts.app import create_app
from svc_tts.settings import Settings

pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def small_bark(folder: Path) -> dict[str, bytes]:
    """Write a model of ten megabytes, most of them its table of words, that speaks a tenth of a second."""
    from transformers import BarkConfig, BarkModel, BertTokenizerFast, EncodecConfig
    from transformers.models.bark import BarkCoarseConfig, BarkFineConfig, BarkSemanticConfig

    small = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "block_size": 1024}
    config = BarkConfig(
        semantic_config=BarkSemanticConfig(input_vocab_size=129600, output_vocab_size=10048, **small).to_dict(),
        coarse_acoustics_config=BarkCoarseConfig(input_vocab_size=12096, output_vocab_size=12096, **small).to_dict(),
        fine_acoustics_config=BarkFineConfig(input_vocab_size=1056, output_vocab_size=1056, **small).to_dict(),
        codec_config=EncodecConfig(
            num_filters=4, hidden_size=8, codebook_dim=8, num_lstm_layers=1, upsampling_ratios=[8, 5, 4, 2]
        ).to_dict(),
    )  # fmt: skip
    BarkModel(config).save_pretrained(folder)
    generation = {
        "model_type": "bark", "sample_rate": 24000, "codebook_size": 1024,
        "semantic_config": {"max_new_tokens": 6, "semantic_vocab_size": 10000, "eos_token_id": 10000},
        "coarse_acoustics_config": {"max_coarse_input_length": 256, "sliding_window_len": 60},
        "fine_acoustics_config": {"n_fine_codebooks": 8},
    }  # fmt: skip
    (folder / "generation_config.json").write_text(json.dumps(generation))
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bom", "dia"]))
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    presets = folder / "speaker_embeddings" / "v2"
    presets.mkdir(parents=True)
    numbers = np.random.default_rng(0)
    told: dict[str, object] = {"repo_or_path": "somebody/else"}
    for voice in ("pt_speaker_1", "zh_speaker_0"):
        for kind, shape in (("semantic", (20,)), ("coarse", (2, 30)), ("fine", (8, 30))):
            np.save(presets / f"{voice}_{kind}_prompt.npy", numbers.integers(0, 1000, shape))
        told[f"v2/{voice}"] = {
            f"{kind}_prompt": f"speaker_embeddings/v2/{voice}_{kind}_prompt.npy" for kind in ("semantic", "coarse", "fine")
        }  # fmt: skip
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(told))
    return repository_of(folder)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("bark")
    files = small_bark(folder)
    pickled = {name: content for name, content in files.items() if not name.endswith(".safetensors")}
    pickled["pytorch_model.bin"] = b"\x80\x04"
    with FakeHub({"me/bark": files, "me/pickled": pickled, "suno/bark-small": dict(pickled)}) as hub:
        settings = Settings(
            data_dir=tmp_path_factory.mktemp("data"), auth="off", hf_endpoint=hub.url, allowed_hosts=("localhost",)
        )  # fmt: skip
        app = create_app(settings)
        wsgi.start(app)
        yield FlaskClient(app)
        wsgi.stop(app)


def test_bark_speaks_with_its_preset_and_goes_again(client: FlaskClient) -> None:
    assert install(client, "me/bark")["status"] == "completed"
    voices = client.get("/v1/audio/voices?model=me/bark").json()["data"]
    assert [(voice["id"], voice["language"]) for voice in voices] == [("v2/pt_speaker_1", "pt-br")]
    asked = {"input": "bom dia", "voice": "v2/pt_speaker_1", "response_format": "wav"}
    answer = client.post("/v1/audio/speech", json=asked)
    assert answer.status_code == 200, answer.text
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getframerate(), sound.getnframes() > 1000) == (24_000, True)
    assert client.request("DELETE", "/v1/models/me/bark").status_code == 200
    assert client.post("/v1/audio/speech", json=asked).status_code == 400


@pytest.mark.parametrize("name", ["me/pickled", "suno/bark-small", "bark-small"])
def test_bark_as_a_pickle_is_refused(client: FlaskClient, name: str) -> None:
    answer = client.post("/v1/models/install", json={"id": name})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsafe_model")
