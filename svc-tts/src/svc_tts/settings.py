"""Settings of svc-tts; `TTS_` is the prefix, the plain names work too."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from servicekit.models import DEFAULT_ALIASES
from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What svc-tts can be told."""

    model_config = SettingsConfigDict(env_prefix="TTS_")

    service: str = "svc-tts"
    port: int = 5000
    data_dir: Path = Path("data/svc-tts")
    max_body_bytes: int = 1024 * 1024

    max_chars: int = 4096
    """Longest text of one request, in characters (OpenAI's limit)."""
    max_waiting: int = 16
    """Requests that may wait for a voice; one more is answered 429."""
    default_language: str = "pt-br"
    """Language when none is given and the text does not tell."""
    vits_path: str = ""
    """Folder of a VITS model (such as MMS-TTS); empty: none."""
    bark_path: str = ""
    """Folder of a Bark model; empty: none. Slow on a processor."""
    model_aliases: dict[str, str] = Field(
        default_factory=lambda: {alias: task for alias, task in DEFAULT_ALIASES.items() if task == "speech"}
    )
    """Names that existing clients send, and the model or task each stands for (JSON)."""
