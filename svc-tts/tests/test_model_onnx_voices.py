"""Kokoro and Piper voices are installed from a hub while the service runs, speak over HTTP, and go again."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any

import pytest

from servicekit import wsgi
from servicekit.contract import FlaskClient
from servicekit.hub.fake_hub import FakeHub, install
from svc_tts.app import create_app
from svc_tts.settings import Settings
from tests.onnx_voices import kokoro, piper

pytestmark = pytest.mark.model
FABER = "pt/pt_BR/faber/medium/pt_BR-faber-medium.onnx"
DUO = "pt/pt_BR/duo/low/pt_BR-duo-low.onnx"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("onnx")
    faber, duo, chinese = piper(), piper(speakers=2), piper(phoneme_type="pinyin")
    torn = kokoro() | {"voices/pf_dora.bin": bytes(1000)}
    repositories = {
        "me/kokoro": kokoro(),
        "me/torn": torn,
        "me/broken": kokoro() | {"onnx/model_quantized.onnx": b"not a graph"},
        "me/piper-voices": {FABER: faber[0], f"{FABER}.json": faber[1], DUO: duo[0], f"{DUO}.json": duo[1]},
        "me/chinese": {"zh.onnx": chinese[0], "zh.onnx.json": chinese[1]},
    }
    with FakeHub(repositories) as hub:
        settings = Settings(data_dir=folder, auth="off", hf_endpoint=hub.url, allowed_hosts=("localhost",))
        app = create_app(settings)
        wsgi.start(app)
        yield FlaskClient(app)
        wsgi.stop(app)


def seconds(client: FlaskClient, text: str, **asked: Any) -> tuple[float, int, str]:
    """Speak, and return the length, the rate and the voice that spoke."""
    answer = client.post("/v1/audio/speech", json={"input": text, "response_format": "wav", **asked})
    assert answer.status_code == 200, answer.text
    with wave.open(io.BytesIO(answer.content)) as sound:
        return sound.getnframes() / sound.getframerate(), sound.getframerate(), answer.headers["x-voice"]


def removed(client: FlaskClient, url: str) -> int:
    return client.request("DELETE", url).status_code


def voices(client: FlaskClient, model: str) -> dict[str, str]:
    answer = client.get(f"/v1/audio/voices?model={model}").json()
    return {voice["id"]: voice["language"] for voice in answer["data"]}


def test_kokoro_is_installed_speaks_with_each_of_its_voices_and_goes_again(client: FlaskClient) -> None:
    assert install(client, "me/kokoro")["status"] == "completed"
    assert voices(client, "me/kokoro") == {"af_heart": "en-us", "pf_dora": "pt-br"}
    length, rate_hz, voice = seconds(client, "Olá, mundo!", voice="pf_dora")
    assert (rate_hz, voice) == (24_000, "pf_dora")
    assert seconds(client, "Olá, mundo!", voice="pf_dora", speed=2)[0] == pytest.approx(length / 2, rel=0.01)
    assert seconds(client, "good morning to you", model="me/kokoro")[2] == "af_heart"
    assert seconds(client, "bom dia a todos vocês", model="me/kokoro")[2] == "pf_dora"
    assert client.post("/v1/audio/speech", json={"input": "oi", "voice": "jf_alpha"}).status_code == 400
    assert removed(client, "/v1/models/me/kokoro") == 200
    assert client.post("/v1/audio/speech", json={"input": "oi", "voice": "pf_dora"}).status_code == 400


def test_only_the_files_that_are_used_are_fetched(client: FlaskClient) -> None:
    plan = client.post("/v1/models/plan", json={"id": "me/kokoro"}).json()
    assert {file["name"] for file in plan["files"]} == {
        "config.json", "tokenizer.json", "onnx/model_quantized.onnx", "voices/af_heart.bin", "voices/pf_dora.bin"
    }  # fmt: skip
    large = client.post("/v1/models/plan", json={"id": "me/kokoro:onnx/model.onnx"}).json()
    assert "onnx/model.onnx" in {file["name"] for file in large["files"]}
    assert "onnx/model_quantized.onnx" not in {file["name"] for file in large["files"]}


def test_a_text_longer_than_kokoro_holds_is_spoken_whole(client: FlaskClient) -> None:
    assert install(client, "me/kokoro")["status"] == "completed"
    long = seconds(client, "9 " * 98 + "9", voice="pf_dora")[0]  # one clause of about 590 phonemes
    assert long > 510 * 256 / 24_000
    assert removed(client, "/v1/models/me/kokoro") == 200


def test_a_piper_voice_is_installed_by_its_file_speaks_and_goes_again(client: FlaskClient) -> None:
    name = f"me/piper-voices:{FABER}"
    assert install(client, name)["status"] == "completed"
    assert voices(client, name) == {name: "pt-br"}
    length, rate_hz, voice = seconds(client, "Bom dia, tudo bem?", voice=name)
    assert (rate_hz, voice) == (22_050, name)
    assert seconds(client, "Bom dia, tudo bem?", voice=name, speed=0.5)[0] == pytest.approx(
        2 * length, rel=0.01
    )
    assert removed(client, f"/v1/models/{name}") == 200
    assert client.post("/v1/audio/speech", json={"input": "oi", "voice": name}).status_code == 400


def test_each_speaker_of_a_piper_voice_is_a_voice(client: FlaskClient) -> None:
    name = f"me/piper-voices:{DUO}"
    assert install(client, name)["status"] == "completed"
    assert set(voices(client, name)) == {f"{name}:s0", f"{name}:s1"}
    said = [
        client.post("/v1/audio/speech", json={"input": "oi", "voice": f"{name}:{who}", "response_format": "wav"})
        for who in ("s0", "s1")
    ]  # fmt: skip
    assert said[0].status_code == said[1].status_code == 200
    assert said[0].content != said[1].content
    assert removed(client, f"/v1/models/{name}") == 200


@pytest.mark.parametrize(
    ("repo", "says"),
    [
        ("me/piper-voices", "Name one as"),
        ("me/chinese", "pinyin"),
        ("me/torn", "its size is odd"),
    ],
)
def test_what_cannot_speak_is_refused_before_it_is_fetched(client: FlaskClient, repo: str, says: str) -> None:
    answer = client.post("/v1/models/install", json={"id": repo})
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


def test_a_graph_that_cannot_be_opened_is_said_so_and_can_be_removed(client: FlaskClient) -> None:
    assert install(client, "me/broken")["status"] == "completed"
    answer = client.post("/v1/audio/speech", json={"input": "oi", "model": "me/broken"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_not_loadable")
    assert removed(client, "/v1/models/me/broken") == 200


def test_the_estimate_counts_the_graph(client: FlaskClient) -> None:
    plan = client.post("/v1/models/plan", json={"id": f"me/piper-voices:{FABER}"}).json()
    assert plan["memory_bytes"] == 290 * 2**20 + plan["files"][0]["size_bytes"]
