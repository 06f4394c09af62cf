"""Keeps copies of pictures that a page may not load from where they are."""

from __future__ import annotations

import asyncio
import io

from fastapi import Request

from servicekit.auth import identity_of
from servicekit.media import MediaStore
from svc_vision.api.picture import Picture


async def copied(picture: Picture, store: MediaStore, request: Request) -> dict[str, str]:
    """Keep a picture, written anew so that nothing but its pixels is served; `image_url` says where."""

    def keep() -> str:
        file = io.BytesIO()
        picture.image.save(file, "PNG")
        return store.put(file.getvalue(), "image/png", identity_of(request).user_id).url

    return {"image_url": await asyncio.to_thread(keep)}
