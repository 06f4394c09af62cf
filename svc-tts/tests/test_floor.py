"""One text is spoken at a time, and a listener who does not come back for more keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from servicekit.models import ServiceModels
from servicekit.timing import Timing
from svc_tts.domain.service import SpeechService
from svc_tts.engine.base import Audio, Voice
from svc_tts.engine.fake import FakeEngine

LONG = "One is said. Two is said. Three is said."
VOICE = Voice("en-us", "en-us", "en-us", "fake-speech")


def service_of(engine: FakeEngine, patience_s: float) -> SpeechService:
    models = ServiceModels("svc-tts", [engine.model])
    return SpeechService(
        [engine], models, lambda _: "en-us", max_chars=1000, max_waiting=16, patience_s=patience_s
    )


def said(engine: FakeEngine) -> list[str]:
    return [text.split()[0] for text, _, _ in engine.spoken]


def test_a_stream_that_nobody_reads_on_lets_others_speak_and_goes_on_afterwards():
    engine = FakeEngine()
    service = service_of(engine, patience_s=0.05)
    stalled = service.pieces(LONG, VOICE, 1.0, Timing())
    next(stalled)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(service.speak, "Hello there.", VOICE, 1.0, Timing())
        try:
            assert other.result(timeout=20).duration_s > 0
        finally:
            stalled_rest = list(stalled)  # and lets the pool end
    assert len(stalled_rest) == 2
    assert said(engine) == ["One", "Hello", "Two", "Three"]
    assert service.queue() == {"running": 0, "waiting": 0}


def test_a_stream_that_is_read_on_is_not_interrupted():
    engine = FakeEngine()
    service = service_of(engine, patience_s=60)
    mine = service.pieces(LONG, VOICE, 1.0, Timing())
    next(mine)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(service.speak, "Hello there.", VOICE, 1.0, Timing())
        deadline = time.monotonic() + 20
        while service.queue()["waiting"] < 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert len(list(mine)) == 2
        other.result(timeout=20)
    assert said(engine) == ["One", "Two", "Three", "Hello"]


class Broken(FakeEngine):
    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        raise RuntimeError("no sound card")


@pytest.mark.parametrize("ends", ["closed", "failed"])
def test_whoever_ends_early_leaves_the_floor_at_once(ends):
    engine = Broken() if ends == "failed" else FakeEngine()
    service = service_of(engine, patience_s=60)
    mine = service.pieces(LONG, VOICE, 1.0, Timing())
    if ends == "failed":
        with pytest.raises(RuntimeError):
            next(mine)
        service._engines["fake-speech"] = FakeEngine()
    else:
        next(mine)
        mine.close()
    done = threading.Thread(target=service.speak, args=("Hello there.", VOICE, 1.0, Timing()), daemon=True)
    done.start()
    done.join(20)
    assert not done.is_alive() and service.queue() == {"running": 0, "waiting": 0}
