"""How an answer was made: its times, its device, and what was seen on its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from svc_chat.domain.service import Prepared
from svc_chat.engine.base import Usage


def made(prepared: Prepared, usages: Sequence[Usage]) -> dict[str, Any]:
    """Return how an answer was made: `timing`, `device`, and what was seen on its pictures.

    Choices are written side by side, so the longest of their times is told.
    """
    times = {
        name: max((getattr(u, f"{name}_s") for u in usages), default=0.0) for name in ("queue", "load", "run")
    }
    return {
        "timing": {f"{name}_ms": round(1000 * seconds, 1) for name, seconds in times.items()},
        "device": "cpu" if prepared.model.owned_by == "oficina" else "remote",
        **seen(prepared),
    }


def seen(prepared: Prepared) -> dict[str, Any]:
    """Return what was seen on pictures, in words; nothing when there were none."""
    if not prepared.descriptions:
        return {}
    told = [{"url": _short_url(d.url), "text": d.text, "model": d.model} for d in prepared.descriptions]
    return {"image_descriptions": told}


def _short_url(url: str) -> str:
    """Return a URL that can be told: a data URL without its content."""
    return url.split(",", 1)[0] if url[:5].lower() == "data:" else url
