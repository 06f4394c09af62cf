"""What requests may hold beside the picture, and how it is documented."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, field_validator


class Options(BaseModel):
    """Fields of the JSON body or of the form."""

    image_url: str | None = Field(None, max_length=40_000_000, description="http, https or data URL.")
    model: str | None = Field(
        None, max_length=200, description="A model's id; none: the default of the task."
    )
    threshold: float | None = Field(None, ge=0, le=1, description="Least score of a detection.")
    top_k: int = Field(5, ge=1, le=100, description="Most labels of a classification.")
    question: str | None = Field(None, max_length=2000, description="What is asked about the picture.")

    @field_validator("image_url", "model", "threshold", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value


def picture_body(*needed: str) -> dict[str, Any]:
    """Return the OpenAPI description of a body with a picture and what else is `needed`."""
    fields = Options.model_json_schema()["properties"]
    form = {**fields, "image": {"type": "string", "format": "binary"}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": form,
                        **({"required": [*needed]} if needed else {}),
                    }
                },
                "application/json": {
                    "schema": {"type": "object", "properties": fields, "required": ["image_url", *needed]}
                },
            },
        }
    }
