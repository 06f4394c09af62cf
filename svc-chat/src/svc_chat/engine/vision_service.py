"""svc-vision as a Describer: pictures become words over `POST /v1/vision/captions`. Knows no conversation.

Its refusals are passed on as they are: it is a service of this house, and says what is wrong with a picture.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from servicekit.errors import BadRequest, NoModel, NotReady, ServiceError, TooBusy, UpstreamFailed
from svc_chat.engine.base import Description

KEPT_MAX = 256
"""Descriptions that are remembered: a conversation sends its pictures again with every turn."""


class PictureRefused(BadRequest):
    """svc-vision cannot have or read a picture; `code` is the one that it gave."""

    def __init__(self, message: str, code: str, param: str):
        super().__init__(message, param=param)
        self.code = code  # type: ignore[misc]


class VisionService:
    """Asks svc-vision at `url`, in the name of the caller; only content of data URLs is remembered."""

    def __init__(self, url: str, client: httpx.AsyncClient):
        self._url, self._client = f"{url.rstrip('/')}/v1/vision/captions", client
        self._kept: OrderedDict[str, Description] = OrderedDict()

    async def describe(self, url: str, bearer: Mapping[str, str], param: str) -> Description:
        """Describe one picture; see Describer."""
        key = hashlib.sha256(url.encode()).hexdigest() if url[:5].lower() == "data:" else None
        if key is not None and key in self._kept:
            self._kept.move_to_end(key)
            return replace(self._kept[key], url=url)
        try:
            answer = await self._client.post(self._url, json={"image_url": url}, headers=dict(bearer))
        except httpx.HTTPError as error:
            raise NotReady(
                "The service that describes pictures (svc-vision) does not answer. Try again, or send text only.",
                param=param,
            ) from error
        if answer.status_code >= 400:
            raise _refusal(answer, param)
        try:
            told = answer.json()
            seen = Description(url, " ".join(str(told["text"]).split()), str(told["model"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UpstreamFailed("svc-vision gave a description that cannot be used.", param=param) from error
        if key is not None:
            self._kept[key] = replace(seen, url="")
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return seen

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _refusal(answer: httpx.Response, param: str) -> ServiceError:
    status = answer.status_code
    if status == 429:
        return TooBusy(
            "The service that describes pictures is busy. Try again.", param=param, retry_after_s=2
        )
    if status == 503 and _error(answer).get("code") == NoModel.code:
        return NoModel(str(_error(answer).get("message") or "No model describes pictures."), param=param)
    if status in (503, 504):
        return NotReady(
            "The service that describes pictures (svc-vision) is not ready. Try again, or send text only.",
            param=param,
        )
    if status >= 500 or status in (401, 403, 404, 405):
        return UpstreamFailed(f"svc-vision could not describe the picture (status {status}).", param=param)
    told = _error(answer)
    message = str(told.get("message") or "The picture cannot be read.")
    return PictureRefused(message, str(told.get("code") or "invalid_image"), param)


def _error(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        told = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}
