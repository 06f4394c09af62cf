"""Pictures of messages for servers whose models see. This service fetches them: the other server need not, and
must not be led to addresses of its own network."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Sequence
from typing import Any

from servicekit.fetch import fetch
from svc_chat.engine.base import PICTURE_PLACE, Message

MAX_BYTES = 20 * 1024 * 1024


async def fetched(messages: Sequence[Message], allow_hosts: Iterable[str]) -> list[list[tuple[str, str]]]:
    """Return each message's pictures as (media type, base64).

    Raises:
        BadRequest: one cannot be had, or is no picture, or too large.
    """
    hosts = tuple(allow_hosts)

    async def one(url: str, where: str) -> tuple[str, str]:
        got = await fetch(url, max_bytes=MAX_BYTES, allow_hosts=hosts, media_types=("image/*",), param=where)
        return got.media_type or "image/png", base64.b64encode(got.content).decode()

    async def all_of(index: int, message: Message) -> list[tuple[str, str]]:
        where = f"messages.{index}.content"
        return [await one(url, where) for url in message.images]

    return list(await asyncio.gather(*(all_of(i, m) for i, m in enumerate(messages))))


def parts(content: str, pictures: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return text and pictures as parts in OpenAI's shape, each picture at its place."""
    images = [
        {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}} for kind, data in pictures
    ]
    texts = content.split(PICTURE_PLACE)
    if len(texts) != len(images) + 1:
        return [{"type": "text", "text": content}, *images]
    found: list[dict[str, Any]] = []
    for place, text in enumerate(texts):
        text = text.strip("\n")
        found += [{"type": "text", "text": text}] if text else []
        found += images[place : place + 1]
    return found
