"""Settings of svc-translate (`TRANSLATE_*`, then the plain names)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic_settings import SettingsConfigDict

from servicekit.settings import CommaList, ServiceSettings


class Settings(ServiceSettings):
    """What svc-translate can be told."""

    model_config = SettingsConfigDict(
        env_prefix="TRANSLATE_", extra="ignore", frozen=True, protected_namespaces=(), env_ignore_empty=True
    )

    service: str = "svc-translate"
    port: int = 8005
    data_dir: Path = Path("data/svc-translate")
    engine: Literal["ctranslate2", "transformers", "fake"] = "ctranslate2"
    """What runs Marian models (those of many languages always run by CTranslate2); `fake` is for looking at the service without weights."""
    models_dir: Path = Path(__file__).resolve().parents[2] / "models"
    """Folder with the built-in models, one folder for each pair (`en-pt`, `pt-en`)."""
    extra_models: CommaList = ()
    """More folders: Marian as `id=source-target=/folder` or `id=source-target=/folder=>>label<<`, M2M100 and NLLB as
    `id=any=/folder`."""
    apertium: Literal["auto", "off"] = "auto"
    """`auto` uses Apertium where it is installed."""
    apertium_timeout_s: float = 20.0
    """Seconds for one call of Apertium."""
    beam: int = 4
    """Beams of the search; 1 is greedy, faster and a little worse."""
    window_ms: float = 4.0
    """Milliseconds in which concurrent requests are gathered into one batch."""
    queue_limit: int = 512
    """Sentences that may wait; more are refused with 429."""
    max_chars: int = 20_000
    """Characters that one request may hold, all its texts together."""
    max_texts: int = 128
    """Texts that one request may hold."""
