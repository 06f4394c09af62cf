"""Which voice a caller means: a voice's id, OpenAI's names, a language, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from svc_tts.engine.base import Voice, normal_language
from svc_tts.errors import VoiceNotFound

OPENAI_TIMBRES: Mapping[str, str] = {
    "alloy": "", "ash": "+m3", "ballad": "+m7", "coral": "+f4", "echo": "+m3", "fable": "+f2", "onyx": "+m7",
    "nova": "+f4", "sage": "+f2", "shimmer": "+f2", "verse": "+m3",
}  # fmt: skip
"""OpenAI's voice names are aliases: each is a timbre of the language that is spoken."""


def choose(
    voices: Sequence[Voice],
    wanted: str | None,
    language: str | None,
    detect: Callable[[], str],
) -> Voice:
    """Return the voice to speak with.

    `detect` gives the language of the text; it is asked only when nothing else tells.

    Raises:
        VoiceNotFound: there is no such voice or language; the message lists some that there are.
    """
    by_id = {voice.id.lower(): voice for voice in voices}
    if wanted and wanted.lower() in by_id:
        return by_id[wanted.lower()]
    if wanted and wanted.lower() not in OPENAI_TIMBRES:
        some = ", ".join(sorted(by_id)[:12])
        raise VoiceNotFound(
            f"There is no voice '{wanted[:60]}'. Some that there are: {some}. GET /v1/audio/voices lists all.",
            param="voice",
        )
    spoken = normal_language(language) if language else detect()
    base = next((v for v in voices if v.language == spoken), None)
    if base is None and not language:
        base = voices[0]  # the text only seems to be in a language that this model does not speak
    if base is None:
        known = ", ".join(sorted({v.language for v in voices})[:20])
        raise VoiceNotFound(
            f"No voice speaks '{spoken[:20]}'. Languages that there are: {known}.", param="language"
        )
    timbre = OPENAI_TIMBRES.get((wanted or "").lower(), "")
    return by_id.get(f"{base.id}{timbre}".lower(), base)
