"""Bodies of requests."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TranslationsRequest(BaseModel):
    """`POST /v1/translations`."""

    model_config = ConfigDict(json_schema_extra={"example": {"text": "a red circle", "target": "pt"}})

    text: str | list[str] = Field(description="One text or a list; paragraphs and line breaks are kept.")
    source: str = Field("auto", max_length=40, description="Language code, or auto.")
    target: str = Field(max_length=40, description="Language code.")
    model: str | None = Field(
        None, max_length=200, description="A model's id; auto or none: the best there is."
    )


class LibreRequest(BaseModel):
    """LibreTranslate's `POST /translate`. `api_key` and `alternatives` are accepted and not used."""

    q: str | list[str]
    source: str = Field("auto", max_length=40)
    target: str = Field(max_length=40)
    format: str = Field("text", pattern="^text$", description="Only text.")


class DetectRequest(BaseModel):
    """LibreTranslate's `POST /detect`."""

    q: str
