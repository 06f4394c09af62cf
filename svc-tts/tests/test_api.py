"""The calls of svc-tts, with a fake voice."""

import base64
import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.io import wavfile

from servicekit.contract import FlaskClient, TestKeys, assert_error
from servicekit.deadline import current
from servicekit.wsgi import start, stop
from svc_tts.app import create_app
from svc_tts.engine.base import Audio, Voice
from svc_tts.engine.fake import FakeEngine
from svc_tts.settings import Settings


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    return FlaskClient(create_app(Settings(data_dir=tmp_path, auth="off"), [FakeEngine()]))


def test_a_text_becomes_a_kept_wav_with_a_uuid_name(client: FlaskClient) -> None:
    answer = client.post("/text-to-audio", json={"text": "um círculo vermelho"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["language"] == "pt-br"
    sound = client.get(body["url"])
    rate, samples = wavfile.read(io.BytesIO(sound.content))
    assert len(samples) / rate == pytest.approx(body["duration_s"], abs=0.01)


def test_a_path_says_which_methods_it_answers(client: FlaskClient) -> None:
    answer = client.get("/text-to-audio")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.json()["error"]["message"] == "/text-to-audio does not answer GET. Use POST."


def test_a_kept_sound_is_its_owners_alone(tmp_path: Path) -> None:
    keys, settings = TestKeys(), Settings(data_dir=tmp_path)
    client = FlaskClient(create_app(settings, [FakeEngine()], keys.authenticator(settings)))
    url = client.post("/text-to-audio", json={"text": "segredo"}, headers=keys.headers("ana")).json()["url"]
    assert client.get(url, headers=keys.headers("ana")).status_code == 200
    assert client.get(url, headers=keys.headers("bia")).status_code == 404
    assert client.get("/audio/..%2f..%2fx.wav", headers=keys.headers("ana")).status_code == 404


@pytest.mark.parametrize("name", ["wav", "mp3", "opus", "flac", "pcm"])
@pytest.mark.parametrize("stream", [None, "audio"])
def test_every_format_holds_the_whole_sound(client: FlaskClient, name: str, stream: str | None) -> None:
    text = "The first sentence is here. And this is the second one, a little longer than the first."
    body = {"input": text, "response_format": name, "stream_format": stream}
    answer = client.post("/v1/audio/speech", json=body)
    assert answer.status_code == 200
    if name == "pcm":
        seconds = len(answer.content) / 2 / 24_000
    elif name == "wav" and stream:
        seconds = (len(answer.content) - 44) / 2 / 24_000
    else:
        with av.open(io.BytesIO(answer.content)) as file:
            seconds = sum(f.samples / f.sample_rate for f in file.decode(audio=0))
    assert seconds == pytest.approx(len(text) * 0.01, abs=0.3)


def test_events_carry_the_sound_in_pieces(client: FlaskClient) -> None:
    body = {"input": "One. Two. Three.", "stream_format": "sse", "response_format": "pcm"}
    lines = client.post("/v1/audio/speech", json=body).text.splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert events[-1]["type"] == "speech.audio.done"
    sound = b"".join(base64.b64decode(e["audio"]) for e in events[:-1])
    assert len(np.frombuffer(sound, np.int16)) > 1000
    assert len(events) >= 4


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input": ""}, "invalid_value"),
        ({"input": "  \n"}, "invalid_value"),
        ({"input": 5}, "invalid_request"),
        ({}, "invalid_request"),
        ({"input": "x" * 5000}, "text_too_long"),
        ({"input": "hi", "voice": "nobody"}, "voice_not_found"),
        ({"input": "hi", "language": "tlh"}, "voice_not_found"),
        ({"input": "hi", "model": "nothing"}, "model_not_found"),
        ({"input": "hi", "speed": 9}, "invalid_request"),
        ({"input": "hi", "response_format": "aac3"}, "invalid_request"),
    ],
)
def test_wrong_input_is_a_clear_4xx(client: FlaskClient, body: dict, code: str) -> None:
    answer = client.post("/v1/audio/speech", json=body)
    assert 400 <= answer.status_code < 500
    assert_error(answer, code)


def test_openais_names_of_models_and_voices_work(client: FlaskClient) -> None:
    body = {"input": "good morning to you", "model": "tts-1", "voice": "alloy"}
    answer = client.post("/v1/audio/speech", json=body)
    assert answer.status_code == 200
    assert answer.headers["x-voice"] == "en-us"


def test_a_full_queue_is_a_429_with_retry_after(tmp_path: Path) -> None:
    gate = threading.Event()
    app = create_app(Settings(data_dir=tmp_path, auth="off", max_waiting=1), [FakeEngine(gate)])
    with ThreadPoolExecutor(6) as pool:
        pending = [
            pool.submit(FlaskClient(app).post, "/v1/audio/speech", json={"input": "hello"}) for _ in range(6)
        ]
        deadline = time.monotonic() + 60
        while sum(p.done() for p in pending) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        gate.set()
        answers = [p.result() for p in pending]
    refused = [a for a in answers if a.status_code == 429]
    assert len(refused) == 4
    assert int(refused[0].headers["retry-after"]) >= 1


def test_old_sounds_are_removed_by_the_process_that_answers_and_it_says_so(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path, auth="off"), [FakeEngine()])
    client = FlaskClient(app)

    def swept_at() -> float | None:
        return client.get("/readyz").json()["swept"]["last_sweep_at"]

    time.sleep(0.2)
    assert swept_at() is None  # threads do not outlive the fork that comes now
    start(app)
    deadline = time.monotonic() + 30
    while swept_at() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop(app)


class LateEngine(FakeEngine):
    """Speaks so slowly that the caller's deadline passes meanwhile."""

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        until = current()
        if until is not None:
            until.at = 0.0
        return super().speak(text, voice, speed)


def test_no_clause_is_spoken_that_nobody_waits_for(tmp_path: Path) -> None:
    engine = LateEngine()
    client = FlaskClient(create_app(Settings(data_dir=tmp_path, auth="off"), [engine]))
    body, headers = {"input": "One is here. Two is here."}, {"x-request-timeout": "60"}
    answer = client.post("/v1/audio/speech", json=body, headers=headers)
    assert answer.status_code == 504
    assert_error(answer, "deadline_exceeded")
    assert [text for text, _, _ in engine.spoken] == ["One is here."]
    assert client.post("/v1/audio/speech", json=body).status_code == 200


def test_the_description_names_every_route(client: FlaskClient, tmp_path: Path) -> None:
    described = set(client.get("/openapi.json").json()["paths"])
    assert {"/v1/audio/speech", "/text-to-audio", "/v1/audio/voices"} <= described
