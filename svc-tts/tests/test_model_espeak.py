"""The built-in voice really speaks."""

import threading

import numpy as np
import pytest

from svc_tts.engine.espeak import EspeakEngine

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def engine() -> EspeakEngine:
    return EspeakEngine()


def test_it_has_brazilian_and_american_voices(engine: EspeakEngine) -> None:
    languages = {voice.language for voice in engine.voices()}
    assert {"pt-br", "en-us", "es"} <= languages


def test_it_speaks_and_faster_is_shorter(engine: EspeakEngine) -> None:
    voice = next(v for v in engine.voices() if v.id == "pt-br")
    normal = engine.speak("um círculo vermelho grande sobre um fundo azul", voice, 1.0)
    fast = engine.speak("um círculo vermelho grande sobre um fundo azul", voice, 2.0)
    assert 1.5 < normal.duration_s < 6
    assert fast.duration_s < normal.duration_s * 0.75
    assert float(np.abs(normal.samples).max()) > 0.1


@pytest.mark.parametrize("voice_id", ["en-gb", "fr-fr", "es", "de"])
def test_voices_that_go_by_another_name_in_the_library_speak_too(engine: EspeakEngine, voice_id: str) -> None:
    voice = next(v for v in engine.voices() if v.id == voice_id)
    assert engine.speak("one two three", voice, 1.0).duration_s > 0.5


def test_voices_sound_different(engine: EspeakEngine) -> None:
    by_id = {voice.id: voice for voice in engine.voices()}
    plain = engine.speak("bom dia", by_id["pt-br"], 1.0).samples
    other = engine.speak("bom dia", by_id["pt-br+f4"], 1.0).samples
    assert plain.shape != other.shape or not np.allclose(plain, other)


def test_threads_may_share_it(engine: EspeakEngine) -> None:
    voice = engine.voices()[0]
    lengths: list[int] = []
    threads = [
        threading.Thread(target=lambda: lengths.append(len(engine.speak("olá mundo", voice, 1.0).samples)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lengths) == 4
    assert max(lengths) - min(lengths) < 2000
