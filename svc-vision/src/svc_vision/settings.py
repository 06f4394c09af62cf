"""Settings of svc-vision; `VISION_` is the prefix, the plain names work too."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic_settings import SettingsConfigDict

from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What svc-vision can be told."""

    model_config = SettingsConfigDict(env_prefix="VISION_")

    service: str = "svc-vision"
    port: int = 8004
    data_dir: Path = Path("data/svc-vision")
    threads: int = 1
    """Processor threads of a model. Built-in ones are too small to share between two; large public ones
    want 2."""

    engine: Literal["transformers", "fake"] = "transformers"
    """`fake` is for looking at the service without weights."""
    models_dir: Path = Path(__file__).resolve().parents[2] / "models"
    """Folder with the built-in models, `captioner` and `detector`."""
    captioner_path: str = ""
    """Another VisionEncoderDecoderModel folder; it becomes the default captioner."""
    detector_path: str = ""
    """Another object-detection folder; it becomes the default detector."""
    classifier_path: str = ""
    """An image-classification folder; without one, classes come from the detector."""
    default_threshold: float = 0.6
    """Least score of a detection when the caller names none."""
    beams: int = 1
    """Beams of the caption search; 1 is greedy."""
    max_caption_tokens: int = 64
    """Tokens after which a caption ends."""
    max_answer_tokens: int = 128
    """Tokens after which the answer to a question ends."""
    question_tiles: int = 1
    """Tiles along the longer side of a picture that a question is asked about; 1: the whole picture at once. SmolVLM
    was published with 4, which reads small print and takes some ten times as long."""
    no_repeat_ngram: int = 3
    """Public captioners may say no run of so many tokens twice; 0 allows all. Built-in ones are free."""
    window_ms: float = 4.0
    """Milliseconds in which concurrent pictures are gathered into one batch."""
    queue_limit: int = 64
    """Pictures that may wait; more are refused with 429."""
    max_image_bytes: int = 20 * 1024 * 1024
    """Largest picture in bytes."""
    fetch_timeout_s: float = 10.0
    """Seconds to fetch an image_url."""
