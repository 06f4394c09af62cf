"""espeak-ng from the `espeakng-loader` wheel: formant synthesis, any text, many languages.

The C library keeps global state, so one lock guards it. API: espeak-ng's `speak_lib.h`.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import espeakng_loader
import numpy as np

from servicekit.models import InstalledModel
from svc_tts.engine.base import Audio, Voice
from svc_tts.errors import EngineBroken

MODEL_ID = "espeak-ng"
NORMAL_WORDS_PER_MINUTE = 165
_SYNCHRONOUS, _UTF8, _RATE = 2, 1, 1
_VARIANTS = {"f2": "feminina / female 2", "f4": "feminina / female 4", "m3": "masculina / male 3",
             "m7": "masculina / male 7"}  # fmt: skip
_WITH_VARIANTS = ("pt-br", "en-us")


class _VoiceStruct(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakEngine:
    """The built-in voices. The library is loaded at the first use."""

    model = InstalledModel(
        MODEL_ID, "speech", owned_by="espeak-ng", builtin=True, license="GPL-3.0",
        languages=("pt-br", "en-us", "es", "fr", "de", "it"),
    )  # fmt: skip

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: Any = None
        self._rate_hz = 22_050
        self._pieces: list[np.ndarray[Any, Any]] = []
        self._callback = _Callback(self._collect)
        self._voices: tuple[Voice, ...] = ()

    def voices(self) -> Sequence[Voice]:
        with self._lock:
            self._start()
            return self._voices

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        with self._lock:
            library = self._start()
            self._pieces.clear()
            if library.espeak_SetVoiceByName(voice.id.encode()) != 0:
                raise EngineBroken(f"The voice '{voice.id}' cannot be loaded.")
            library.espeak_SetParameter(_RATE, int(min(max(NORMAL_WORDS_PER_MINUTE * speed, 80), 900)), 0)
            spoken = text.encode() + b"\0"
            status = library.espeak_Synth(spoken, len(spoken), 0, 0, 0, _UTF8, None, None)
            if status != 0:
                raise EngineBroken("espeak-ng could not speak this text.")
            sound = np.concatenate(self._pieces) if self._pieces else np.zeros(1, np.int16)
        return Audio(sound.astype(np.float32) / 32768.0, self._rate_hz)

    def _collect(self, samples: Any, count: int, _: Any) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    def _start(self) -> Any:
        if self._library is not None:
            return self._library
        try:
            library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise EngineBroken("The espeak-ng library cannot be loaded on this machine.") from error
        library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceStruct))
        rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
        if rate <= 0:
            raise EngineBroken("espeak-ng could not be started.")
        library.espeak_SetSynthCallback(self._callback)
        self._library, self._rate_hz = library, rate
        self._voices = tuple(_listed(library))
        return library


def _listed(library: Any) -> list[Voice]:
    """Read the library's voices: one a language, and a few timbres for the main ones."""
    found: dict[str, Voice] = {}
    voices = library.espeak_ListVoices(None)
    index = 0
    while voices[index]:
        voice = voices[index].contents
        # `languages` is a priority byte followed by a NUL-terminated tag
        language = ctypes.string_at(voice.languages + 1).decode() if voice.languages else ""
        if language and not language.startswith("variant"):
            found.setdefault(language, Voice(language, voice.name.decode(), language, MODEL_ID))
        index += 1
    for language in _WITH_VARIANTS:
        if language in found:
            for variant, name in _VARIANTS.items():
                voice_id = f"{language}+{variant}"
                found[voice_id] = Voice(voice_id, f"{found[language].name}, {name}", language, MODEL_ID)
    return sorted(found.values(), key=lambda v: (v.language not in _WITH_VARIANTS, v.language, v.id))
