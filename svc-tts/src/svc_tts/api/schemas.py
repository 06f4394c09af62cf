"""Bodies that callers send."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from servicekit.asgi import from_validation
from servicekit.wsgi import json_object

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SpeechRequest(BaseModel):
    """`POST /v1/audio/speech`; field names are OpenAI's. `instructions` is accepted and ignored."""

    model_config = ConfigDict(extra="ignore")
    input: str
    voice: Name | None = None
    model: Name | None = None
    language: Name | None = None
    response_format: Literal["wav", "mp3", "opus", "flac", "pcm"] = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0)
    stream_format: Literal["audio", "sse"] | None = None


class TextToAudio(BaseModel):
    """`POST /text-to-audio`."""

    model_config = ConfigDict(extra="ignore")
    text: str
    voice: Name | None = None
    language: Name | None = None
    model: Name | None = None
    speed: float = Field(1.0, ge=0.25, le=4.0)


Body = TypeVar("Body", bound=BaseModel)


def read(schema: type[Body]) -> Body:
    """Return the current request's body as `schema`; raises InvalidBody or UnsupportedMedia."""
    body: Any = json_object()
    try:
        return schema.model_validate(body)
    except ValidationError as error:
        raise from_validation(error.errors(), "application/json") from error
