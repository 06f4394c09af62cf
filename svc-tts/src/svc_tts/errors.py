"""Errors that only svc-tts raises."""

from __future__ import annotations

from servicekit.errors import BadRequest, NotReady, TooBusy


class VoiceNotFound(BadRequest):
    """No engine has this voice."""

    code = "voice_not_found"


class TextTooLong(BadRequest):
    """The text is over the limit."""

    code = "text_too_long"

    def __init__(self, length: int, limit: int, param: str):
        super().__init__(
            f"The text has {length} characters; the limit is {limit}. Send it in parts.", param=param
        )


class QueueFull(TooBusy):
    """Too many texts wait to be spoken."""

    code = "queue_full"

    def __init__(self, limit: int):
        super().__init__(f"{limit} requests are already waiting. Try again soon.", retry_after_s=2)


class EngineBroken(NotReady):
    """The speech engine cannot be started."""

    code = "model_not_loadable"
