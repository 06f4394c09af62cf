"""Samples into audio files: wav by SciPy, the others by PyAV, whole or piece by piece."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any

import av
import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from svc_tts.engine.base import Audio, Samples

STREAM_RATE_HZ = 24_000
"""Rate of pcm, opus and every stream: the one that OpenAI's clients expect of pcm."""


@dataclass(frozen=True)
class Format:
    """A file format: its media type, PyAV's container and codec (None: written here)."""

    media_type: str
    container: str | None = None
    codec: str | None = None


FORMATS: Mapping[str, Format] = {
    "wav": Format("audio/wav"),
    "pcm": Format("audio/pcm"),
    "mp3": Format("audio/mpeg", "mp3", "libmp3lame"),
    "opus": Format("audio/ogg", "ogg", "libopus"),
    "flac": Format("audio/flac", "flac", "flac"),
}


def whole(audio: Audio, name: str) -> bytes:
    """Return `audio` as a complete file of format `name` (a key of FORMATS)."""
    if name == "wav":
        file = io.BytesIO()
        wavfile.write(file, audio.sample_rate_hz, _int16(audio.samples))
        return file.getvalue()
    encoder = StreamEncoder(name)
    return encoder.start() + encoder.feed(audio) + encoder.finish()


def resampled(audio: Audio, rate_hz: int) -> Samples:
    """Return the samples at another rate."""
    if audio.sample_rate_hz == rate_hz:
        return audio.samples
    shared = gcd(audio.sample_rate_hz, rate_hz)
    return resample_poly(audio.samples, rate_hz // shared, audio.sample_rate_hz // shared).astype(np.float32)


class StreamEncoder:
    """Writes a file piece by piece: `start`, `feed` any number of times, `finish`; not thread-safe."""

    def __init__(self, name: str):
        self._format, self._name = FORMATS[name], name
        self._sink = _Sink()
        self._container: Any = None
        self._stream: Any = None
        self._written = 0
        if self._format.container:
            self._container = av.open(self._sink, "w", format=self._format.container)
            self._stream = self._container.add_stream(self._format.codec, rate=STREAM_RATE_HZ)
            self._stream.layout = "mono"

    def start(self) -> bytes:
        """Return what the file begins with; a wav of unknown length says so in its header."""
        return _endless_wav_header(STREAM_RATE_HZ) if self._name == "wav" else b""

    def feed(self, audio: Audio) -> bytes:
        """Return the next bytes of the file."""
        samples = _int16(resampled(audio, STREAM_RATE_HZ))
        if self._container is None:
            return samples.tobytes()
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = STREAM_RATE_HZ, self._written
        self._written += len(samples)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        return self._sink.take()

    def finish(self) -> bytes:
        """Return the end of the file."""
        if self._container is None:
            return b""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        return self._sink.take()


class _Sink:
    """Takes bytes and cannot seek, so that a container never goes back to mend its header."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _int16(samples: Samples) -> np.ndarray[Any, np.dtype[np.int16]]:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2")


def _endless_wav_header(rate_hz: int) -> bytes:
    unknown = 0xFFFFFFFF
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", unknown, b"WAVE", b"fmt ", 16, 1, 1, rate_hz,
                       rate_hz * 2, 2, 16)  # fmt: skip
    return head + struct.pack("<4sI", b"data", unknown - 36)
