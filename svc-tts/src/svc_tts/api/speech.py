"""`POST /v1/audio/speech` and `GET /v1/audio/voices`: OpenAI's shapes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from servicekit import sse
from servicekit.timing import Timing
from svc_tts.api.schemas import SpeechRequest, read
from svc_tts.domain.service import SpeechService
from svc_tts.engine.base import Audio, Voice
from svc_tts.engine.encode import FORMATS, StreamEncoder, whole


def blueprint(service: SpeechService) -> Blueprint:
    """Return the routes of speech."""
    routes = Blueprint("speech", __name__)

    @routes.post("/v1/audio/speech")
    def speech() -> Response:
        """Speak `input`. A stream starts as soon as the first clause is spoken."""
        body = read(SpeechRequest)
        voice = service.check(body.input, "input", model=body.model, voice=body.voice, language=body.language)
        timing = Timing()
        if body.stream_format is None:
            audio = service.speak(body.input, voice, body.speed, timing)
            return _file(audio, body.response_format, voice, timing)
        pieces = service.pieces(body.input, voice, body.speed, timing)
        first = next(pieces)  # an error before any sound keeps its status
        if body.stream_format == "sse":
            events = _events(first, pieces, body.response_format)
            return Response(events, content_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
        sound = _stream(first, pieces, body.response_format)
        return Response(sound, content_type=FORMATS[body.response_format].media_type, headers=sse.HEADERS)

    @routes.get("/v1/audio/voices")
    def voices() -> Response:
        """List the voices."""
        model = request.args.get("model")
        return jsonify(object="list", data=[asdict(voice) for voice in service.voices(model)])

    return routes


def _file(audio: Audio, name: str, voice: Voice, timing: Timing) -> Response:
    response = Response(whole(audio, name), content_type=FORMATS[name].media_type)
    response.headers["x-voice"] = voice.id
    response.headers["x-model"] = voice.model
    response.headers["x-duration-s"] = f"{audio.duration_s:.3f}"
    response.headers["x-run-ms"] = str(timing.as_dict()["run_ms"])
    return response


def _stream(first: Audio, rest: Iterator[Audio], name: str) -> Iterator[bytes]:
    encoder = StreamEncoder(name)
    yield encoder.start() + encoder.feed(first)
    for audio in rest:
        yield encoder.feed(audio)
    yield encoder.finish()


def _events(first: Audio, rest: Iterator[Audio], name: str) -> Iterator[bytes]:
    for piece in _stream(first, rest, name):
        if piece:
            payload: dict[str, Any] = {
                "type": "speech.audio.delta",
                "audio": base64.b64encode(piece).decode(),
            }
            yield sse.event(payload)
    yield sse.event({"type": "speech.audio.done"})
