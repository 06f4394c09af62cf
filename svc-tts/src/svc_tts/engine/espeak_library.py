"""The espeak-ng library from the `espeakng-loader` wheel: its voices, its speech, and how it says a text.

The C library keeps global state, so one object with one lock guards it; engines share that object. API: espeak-ng's
`speak_lib.h`.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np

from svc_tts.errors import EngineBroken

NORMAL_WORDS_PER_MINUTE = 165
TIE = "^"
"""Stands between the letters of one sound (`t^ʃ`) where ties are asked for."""
_SYNCHRONOUS, _UTF8, _RATE = 2, 1, 1
_IPA, _TIED = 0x02, 1 << 7
_COMBINING_TIE = 0x361
_SWITCH = re.compile(r"\([^)]*\)")
"""`(en)` before a word that espeak-ng says in another language, and `(pt)` behind it."""


def library_places() -> tuple[Path, Path]:
    """Return the library's file and the folder of its voices."""
    return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())


@dataclass(frozen=True)
class ListedVoice:
    """A voice as the library names it."""

    language: str
    name: str


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


class EspeakLibrary:
    """Loads the library at the first use; safe to call from several threads. Raises EngineBroken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: Any = None
        self._rate_hz = 22_050
        self._pieces: list[np.ndarray[Any, Any]] = []
        self._callback = _Callback(self._collect)
        self._voices: tuple[ListedVoice, ...] = ()

    def voices(self) -> Sequence[ListedVoice]:
        """Return one voice a language."""
        with self._lock:
            self._start()
            return self._voices

    def speak(self, text: str, voice: str, speed: float) -> tuple[np.ndarray[Any, Any], int]:
        """Speak a text; return int16 samples and their rate in Hz."""
        with self._lock:
            library = self._with_voice(voice)
            self._pieces.clear()
            library.espeak_SetParameter(_RATE, int(min(max(NORMAL_WORDS_PER_MINUTE * speed, 80), 900)), 0)
            spoken = text.encode() + b"\0"
            status = library.espeak_Synth(spoken, len(spoken), 0, 0, 0, _UTF8, None, None)
            if status != 0:
                raise EngineBroken("espeak-ng could not speak this text.")
            sound = np.concatenate(self._pieces) if self._pieces else np.zeros(1, np.int16)
            return sound, self._rate_hz

    def phonemes(self, text: str, voice: str, *, tied: bool = False) -> str:
        """Return how the voice says a text, in IPA with stress; punctuation is lost, words stay apart."""
        mode = _IPA | _TIED | (_COMBINING_TIE << 8) if tied else _IPA
        content = ctypes.create_string_buffer(text.replace("\0", " ").encode())
        parts = []
        with self._lock:
            library = self._with_voice(voice)
            at = ctypes.c_void_p(ctypes.addressof(content))
            while at.value:  # a clause each; the pointer is null after the last one
                found = library.espeak_TextToPhonemes(ctypes.byref(at), _UTF8, mode)
                parts.append((found or b"").decode("utf-8", "replace"))
        said = _SWITCH.sub("", " ".join(parts)).replace(chr(_COMBINING_TIE), TIE)
        return " ".join(said.split())

    def _with_voice(self, voice: str) -> Any:
        library = self._start()
        # a few voices (en-gb, fr-fr) do not go by their language, only by their name
        names = (voice, *(one.name for one in self._voices if one.language == voice))
        if all(library.espeak_SetVoiceByName(name.encode()) != 0 for name in names):
            raise EngineBroken(f"The voice '{voice}' of espeak-ng cannot be loaded.")
        return library

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
        library.espeak_TextToPhonemes.argtypes = [
            ctypes.POINTER(ctypes.c_void_p),
            ctypes.c_int,
            ctypes.c_int,
        ]
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceStruct))
        rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
        if rate <= 0:
            raise EngineBroken("espeak-ng could not be started.")
        library.espeak_SetSynthCallback(self._callback)
        self._library, self._rate_hz = library, rate
        self._voices = tuple(_listed(library))
        return library


def _listed(library: Any) -> list[ListedVoice]:
    """Read the library's voices, the first one of each language."""
    found: dict[str, ListedVoice] = {}
    voices = library.espeak_ListVoices(None)
    index = 0
    while voices[index]:
        voice = voices[index].contents
        # `languages` is a priority byte followed by a NUL-terminated tag
        language = ctypes.string_at(voice.languages + 1).decode() if voice.languages else ""
        if language and not language.startswith("variant"):
            found.setdefault(language, ListedVoice(language, voice.name.decode()))
        index += 1
    return list(found.values())
