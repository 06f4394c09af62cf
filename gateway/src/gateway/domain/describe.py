"""A picture told aloud: caption, translation, speech, in order, from wherever the caller starts.

Owns the order of the steps and what is told of each. Knows no services: it is given `Abilities`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from servicekit.errors import InternalError, ServiceError

CAPTION_LANGUAGE = "en"
"""The language of a caption that does not tell its own."""


@dataclass(frozen=True)
class Image:
    """A picture: its bytes, or the URL that svc-vision fetches by itself."""

    content: bytes = b""
    media_type: str = "application/octet-stream"
    url: str = ""


@dataclass(frozen=True)
class Order:
    """What is asked: a picture or a text to start from, the language and the voice."""

    image: Image | None
    target: str = "pt"
    voice: str | None = None
    caption: str | None = None
    translation: str | None = None
    caption_model: str | None = None


class Abilities(Protocol):
    """The three services, each asked for one result."""

    async def caption(self, image: Image, model: str | None) -> dict[str, Any]:
        """Return `{"text"}`; `model` None: the service chooses."""
        ...

    async def translate(self, text: str, source: str, target: str) -> dict[str, Any]:
        """Return `{"text", "target"}`."""
        ...

    async def speak(self, text: str, language: str, voice: str | None) -> dict[str, Any]:
        """Return `{"url", "duration_s"}`."""
        ...


@dataclass
class Told:
    """What is known so far; kept when a later step fails."""

    caption: dict[str, Any] | None = None
    translation: dict[str, Any] | None = None
    speech: dict[str, Any] | None = None
    timing: dict[str, float] = field(default_factory=dict)
    failed_step: str | None = None
    failure: ServiceError | None = None

    def whole(self) -> dict[str, Any]:
        """Return the one JSON of `stream=false`."""
        body: dict[str, Any] = {
            "caption": self.caption,
            "translation": self.translation,
            "speech": self.speech,
            "timing": self.timing,
        }
        if self.failure:
            body |= self.failure.body() | {"failed_step": self.failed_step}
        return body

    def done(self) -> dict[str, Any]:
        """Return the data of the last event."""
        speech = self.speech or {}
        return self.whole() | {
            "caption": (self.caption or {}).get("text"),
            "translation": (self.translation or {}).get("text"),
            "audio_url": speech.get("url"),
            "duration_s": speech.get("duration_s"),
        }


async def describe(order: Order, abilities: Abilities, told: Told) -> AsyncIterator[dict[str, Any]]:
    """Yield each step's `{"step", "status", "result"}` as it begins and ends; fill `told`.

    A failing step ends the row: its error is told, and what succeeded stays in `told`.
    """
    for step, work in _steps(order, abilities, told):
        yield {"step": step, "status": "running"}
        start = time.perf_counter()
        try:
            result = await work()
        except ServiceError as error:
            told.failed_step, told.failure = step, error
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            told.failed_step, told.failure = (
                step,
                InternalError(f"The result of the step {step} is unreadable."),
            )
            told.failure.__cause__ = error
        told.timing[f"{step}_ms"] = round((time.perf_counter() - start) * 1000, 1)
        if told.failure:
            yield {"step": step, "status": "failed"} | told.failure.body()
            return
        setattr(told, step, result)
        yield {"step": step, "status": "done", "result": result}


def _steps(
    order: Order, abilities: Abilities, told: Told
) -> list[tuple[str, Callable[[], Coroutine[Any, Any, dict[str, Any]]]]]:
    async def caption() -> dict[str, Any]:
        if order.caption is not None:
            return {"text": order.caption, "given": True}
        assert order.image is not None
        return await abilities.caption(order.image, order.caption_model)

    async def translation() -> dict[str, Any]:
        if order.translation is not None:
            return {"text": order.translation, "target": order.target, "given": True}
        caption = told.caption or {}
        text, source = caption["text"], caption.get("language", CAPTION_LANGUAGE)
        if order.target.split("-")[0].lower() == source.split("-")[0].lower():
            return {"text": text, "target": order.target}
        return await abilities.translate(text, source, order.target)

    async def speech() -> dict[str, Any]:
        return await abilities.speak((told.translation or {})["text"], order.target, order.voice)

    steps = [("caption", caption), ("translation", translation), ("speech", speech)]
    start_late = order.translation is not None and order.caption is None and order.image is None
    return steps[1:] if start_late else steps
