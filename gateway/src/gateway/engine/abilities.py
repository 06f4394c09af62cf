"""Caption, translation and speech by the services, each result kept by its content and its caller."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson

from gateway.domain.describe import Image
from gateway.engine.calls import Calls
from servicekit.auth import Identity
from servicekit.cache import Cache
from servicekit.errors import UpstreamFailed

_TIMEOUT_S = 300.0
_SPEECH_TTL_S = 600.0
"""Shorter than any retention of audio, so that a kept URL still answers."""


class ServiceAbilities:
    """The `Abilities` of one caller.

    `edition_of` tells what a service's results are kept by beside what was asked: its models. Nothing is kept while
    that is empty.
    """

    def __init__(
        self,
        calls: Calls,
        cache: Cache,
        caller: Identity,
        ttl_s: float,
        edition_of: Callable[[str], Awaitable[str]],
    ):
        self._calls, self._cache, self._caller, self._ttl_s = calls, cache, caller, ttl_s
        self._edition_of = edition_of

    async def caption(self, image: Image, model: str | None) -> dict[str, Any]:
        """Caption a picture; kept by its bytes (what a foreign URL shows may change)."""
        named = {"model": model} if model else {}
        if image.url:
            return await self._ask_caption(json={"image_url": image.url} | named)
        form = aiohttp.FormData(quote_fields=False)
        for name, value in named.items():
            form.add_field(name, value)
        form.add_field("image", image.content, filename="image", content_type=image.media_type)
        parts = ("vision", model or "", hashlib.sha256(image.content).hexdigest())
        return await self._kept(parts, self._ttl_s, lambda: self._ask_caption(form=form))

    async def _ask_caption(
        self, json: dict[str, Any] | None = None, form: aiohttp.FormData | None = None
    ) -> dict[str, Any]:
        body = await self._post("vision", "/v1/vision/captions", json=json, form=form)
        first = (body.get("captions") or [body])[0]
        text = first if isinstance(first, str) else first.get("caption", first.get("text"))
        language = first.get("language") if isinstance(first, dict) else None
        shown = {"image_url": body["image_url"]} if isinstance(body.get("image_url"), str) else {}
        return _with_text(text, body, "vision") | ({"language": language} if language else {}) | shown

    async def translate(self, text: str, source: str, target: str) -> dict[str, Any]:
        """Translate one text."""

        async def ask() -> dict[str, Any]:
            asked = {"text": text, "source": source, "target": target}
            body = await self._post("translate", "/v1/translations", json=asked)
            first = (body.get("translations") or [{}])[0]
            return _with_text(first.get("text"), body, "translate") | {"target": first.get("target", target)}

        return await self._kept(("translate", source, target, text), self._ttl_s, ask)

    async def speak(self, text: str, language: str, voice: str | None) -> dict[str, Any]:
        """Speak one text; the result's `url` is under the gateway."""

        async def ask() -> dict[str, Any]:
            asked = {"text": text, "language": language} | ({"voice": voice} if voice else {})
            body = await self._post("tts", "/text-to-audio", json=asked)
            if not isinstance(body.get("url"), str):
                raise UpstreamFailed("svc-tts answered without the audio's URL.")
            return {"url": body["url"], "duration_s": body.get("duration_s")}

        return await self._kept(("tts", language, voice or "", text), min(self._ttl_s, _SPEECH_TTL_S), ask)

    async def _post(
        self, service: str, path: str, json: Any = None, form: aiohttp.FormData | None = None
    ) -> dict[str, Any]:
        body = await self._calls.json(
            service, "POST", path, token=self._caller.token, timeout_s=_TIMEOUT_S, json=json, form=form
        )
        if not isinstance(body, dict):
            raise UpstreamFailed(f"svc-{service} answered with something that is not a JSON object.")
        return body

    async def _kept(
        self, parts: tuple[str, ...], ttl_s: float, ask: Callable[[], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        """Return what is kept of a step, or ask; the first of `parts` is the service."""
        edition = await self._edition_of(parts[0])
        if ttl_s <= 0 or not edition:
            return await ask()
        name = "\0".join((self._caller.user_id, edition, *parts))
        key = "step:" + hashlib.sha256(name.encode()).hexdigest()
        value = await self._cache.get(key)
        if value is not None:
            kept: dict[str, Any] = orjson.loads(value)
            return kept | {"cached": True}
        result = await ask()
        await self._cache.set(key, orjson.dumps(result), ttl_s)
        return result


def _with_text(text: Any, body: dict[str, Any], service: str) -> dict[str, Any]:
    if not isinstance(text, str):
        raise UpstreamFailed(f"svc-{service} answered without a text.")
    return {"text": text} | ({"model": body["model"]} if "model" in body else {})
