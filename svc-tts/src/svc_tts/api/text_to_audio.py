"""`POST /text-to-audio` keeps a wav under a new uuid and tells its URL; `GET /audio/{uuid}.wav` serves it."""

from __future__ import annotations

import re

from flask import Blueprint, Response, jsonify, send_file

from servicekit.auth import flask_identity
from servicekit.errors import NotFound
from servicekit.media import MediaStore
from servicekit.timing import Timing
from svc_tts.api.schemas import TextToAudio, read
from svc_tts.domain.service import SpeechService
from svc_tts.engine.encode import whole

_NAME = re.compile(r"([0-9a-f]{32})\.wav")


def blueprint(service: SpeechService, store: MediaStore) -> Blueprint:
    """Return the routes of spoken files."""
    routes = Blueprint("text_to_audio", __name__)

    @routes.post("/text-to-audio")
    def text_to_audio() -> Response:
        """Speak `text` and keep the sound."""
        body = read(TextToAudio)
        owner = flask_identity().user_id
        voice = service.check(body.text, "text", model=body.model, voice=body.voice, language=body.language)
        timing = Timing()
        audio = service.speak(body.text, voice, body.speed, timing)
        item = store.put(whole(audio, "wav"), "audio/wav", owner)
        return jsonify(
            url=f"/audio/{item.id.removeprefix('aud_')}.wav",
            media_id=item.id,
            duration_s=round(audio.duration_s, 3),
            voice=voice.id,
            language=voice.language,
            model=voice.model,
            device="cpu",
            timing=timing.as_dict(),
        )

    @routes.get("/audio/<name>")
    def audio_file(name: str) -> Response:
        """Serve a kept sound to its owner."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise NotFound("There is no such audio. Its name is a uuid followed by '.wav'.")
        item = store.open(f"aud_{found.group(1)}", flask_identity().user_id)
        return send_file(item.path, mimetype="audio/wav", conditional=True)

    return routes
