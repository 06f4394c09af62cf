"""Pictures among a caller's files, as URLs that models and svc-vision read."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

from servicekit.errors import BadRequest
from svc_chat.domain.files import FileService
from svc_chat.engine.threads import Body

PICTURE_BYTES = 20 * 1024 * 1024
_KINDS = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))


def picture_files(messages: Iterable[Body]) -> list[str]:
    """Return the ids of files that messages show."""
    return [
        part["image_file"]["file_id"]
        for message in messages
        if message["role"] == "user"
        for part in message["content"]
        if part["type"] == "image_file"
    ]


async def picture_urls(files: FileService, owner: str, file_ids: Iterable[str]) -> Mapping[str, str]:
    """Return data URLs by the ids of files; raises NotFound, and BadRequest for what is no picture."""
    urls = {}
    for file_id in dict.fromkeys(file_ids):
        file, path = await files.content(owner, file_id)
        if file.bytes > PICTURE_BYTES:
            raise BadRequest(
                f"The file '{file_id}' has {file.bytes:,} bytes; pictures of at most {PICTURE_BYTES:,} are read.",
                param="content",
            )
        urls[file_id] = await asyncio.to_thread(_url, file_id, path)
    return urls


def _url(file_id: str, path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    kind = next((kind for magic, kind in _KINDS if content.startswith(magic)), None)
    if kind is None:
        raise BadRequest(
            f"The file '{file_id}' is no picture that is read here. Send PNG, JPEG, GIF or WebP.",
            param="content",
        )
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
