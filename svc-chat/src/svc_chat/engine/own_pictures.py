"""Pictures of this house as data URLs: what models and svc-vision read needs nobody's credentials then."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from servicekit.media import OwnMedia
from svc_chat.engine.picture_parts import MAX_BYTES


class OwnPictures:
    """An Album of what this system keeps."""

    def __init__(self, media: OwnMedia):
        self._media = media

    def has(self, url: str) -> bool:
        """Tell whether a URL is one of ours; see Album."""
        return self._media.path_of(url) is not None

    async def inlined(self, url: str, bearer: Mapping[str, str], param: str) -> str:
        """Return the picture at `url` as a data URL; see Album."""
        path = self._media.path_of(url) or url
        read = await self._media.read(path, bearer, param=param, most_bytes=MAX_BYTES, kind="image/*")
        return f"data:{read.media_type};base64,{base64.b64encode(read.content).decode()}"

    async def close(self) -> None:
        """Close connections."""
        await self._media.close()
