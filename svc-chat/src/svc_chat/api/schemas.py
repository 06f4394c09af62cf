"""Bodies of the older calls, of training and of personas; ranges are checked here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints, model_validator

from svc_chat.api.items import plain
from svc_chat.api.messages import MAX_TEXT_CHARS, Name, Text

FilledText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS, pattern=r"\S")]


class SimpleChat(BaseModel):
    """`POST /chat`: `{"msg"}` is answered as plain text, `{"system_prompt", "user_input"}` as JSON."""

    msg: FilledText | None = None
    system_prompt: Text = ""
    user_input: FilledText | None = None

    @model_validator(mode="after")
    def _one_question(self) -> SimpleChat:
        if (self.msg is None) == (self.user_input is None):
            raise ValueError("Send either 'msg', or 'user_input' with 'system_prompt'.")
        return self


class OllamaStyleChat(BaseModel):
    """`POST /api/chat`: one message, answered in JSON lines."""

    message: FilledText
    model: Name = "llama3.2:latest"
    stream: bool = True


class TrainingData(BaseModel):
    """`POST /train`."""

    _plain = model_validator(mode="before")(plain)
    training_data: FilledText | Annotated[list[Any], Field(min_length=1, max_length=10_000)] | dict[str, Any]


class PersonaBody(BaseModel):
    """A persona as callers send it."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    description: Annotated[str, StringConstraints(max_length=4000)] = ""
    instructions: Annotated[str, StringConstraints(max_length=8000)] = ""


class PersonaChange(BaseModel):
    """Fields of a persona to change."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] | None = None
    description: Annotated[str, StringConstraints(max_length=4000)] | None = None
    instructions: Annotated[str, StringConstraints(max_length=8000)] | None = None


class PersonaImport(BaseModel):
    """`{"personas": [{"name", "description"}]}`."""

    personas: Annotated[list[PersonaBody], Field(min_length=1, max_length=200)]
