"""Bodies that callers send. Field names are OpenAI's and the older documents'; ranges are checked here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from servicekit.errors import BadRequest
from svc_chat.domain.service import Ask
from svc_chat.engine.base import Message, Sampling

MAX_TEXT_CHARS = 400_000
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)]
FilledText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS, pattern=r"\S")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ANY_JSON_SCHEMA: dict[str, Any] = {"type": "object"}


class ChatMessage(BaseModel):
    """One turn; `content` is text or a list of text parts."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | list[dict[str, Any]] | None = None
    name: Name | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: Name | None = None

    def to_domain(self, index: int) -> Message:
        """Return our Message; raises BadRequest for parts that no model here reads."""
        return Message(
            self.role, self._text(index), self.name, tuple(self.tool_calls or ()), self.tool_call_id
        )

    def _text(self, index: int) -> str:
        where = f"messages.{index}.content"
        if self.content is None:
            if self.role == "assistant" and self.tool_calls:
                return ""
            raise BadRequest(f"'{where}' is missing. Send text.", param=where)
        if isinstance(self.content, str):
            return self.content
        texts = []
        for part in self.content:
            if part.get("type") not in ("text", "input_text") or not isinstance(part.get("text"), str):
                raise BadRequest(
                    f"'{where}' has a part of type '{str(part.get('type'))[:40]}'; this model reads text only. "
                    "POST /v1/vision/captions describes a picture.",
                    param=where,
                )
            texts.append(part["text"])
        return "\n".join(texts)


class FunctionSpec(BaseModel):
    """A function that the model may call."""

    model_config = ConfigDict(extra="allow")
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(BaseModel):
    """A tool in OpenAI's shape."""

    type: Literal["function"]
    function: FunctionSpec


class StreamOptions(BaseModel):
    """What a stream has besides the text."""

    include_usage: bool = False


class SamplingFields(BaseModel):
    """Fields that `/v1/chat/completions` and `/v1/completions` share. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")
    model: Name | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1000)
    min_p: float | None = Field(None, ge=0, le=1)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    repeat_penalty: float | None = Field(None, gt=0, le=2)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop: Annotated[list[str], Field(max_length=16)] | str | None = None
    n: int = Field(1, ge=1, le=8)

    def sampling(self, max_tokens: int | None, top_logprobs: int | None, default_max: int) -> Sampling:
        """Return our Sampling, engine defaults where nothing was sent."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        chosen: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "temperature",
                "top_p",
                "top_k",
                "min_p",
                "frequency_penalty",
                "presence_penalty",
                "repeat_penalty",
                "seed",
            )
            if getattr(self, name) is not None
        }
        return Sampling(
            max_tokens=max_tokens or default_max, stop=tuple(stop), top_logprobs=top_logprobs, **chosen
        )


class ChatCompletionRequest(SamplingFields):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2000)]
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: dict[str, Any] | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = None
    persona: Name | None = None

    def to_domain(self, default_max: int) -> Ask:
        """Return our Ask."""
        wanted = self.max_completion_tokens or self.max_tokens
        scores = (self.top_logprobs or 0) if self.logprobs else None
        return Ask(
            messages=tuple(message.to_domain(i) for i, message in enumerate(self.messages)),
            model=self.model,
            persona=self.persona,
            tools=tuple(tool.model_dump(exclude_none=True) for tool in self.tools or ()),
            tool_choice=self.tool_choice,
            json_schema=wanted_schema(self.response_format),
            sampling=self.sampling(wanted, scores, default_max),
        )


class CompletionRequest(SamplingFields):
    """`POST /v1/completions`; one prompt of plain text."""

    prompt: FilledText | Annotated[list[FilledText], Field(min_length=1, max_length=1)]
    max_tokens: int = Field(16, ge=1)
    logprobs: int | None = Field(None, ge=0, le=5)
    echo: bool = False

    def to_domain(self) -> Ask:
        """Return our Ask."""
        prompt = self.prompt if isinstance(self.prompt, str) else self.prompt[0]
        sampling = self.sampling(self.max_tokens, self.logprobs, self.max_tokens)
        return Ask(prompt=prompt, model=self.model, sampling=sampling)


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


def wanted_schema(response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the JSON schema that `response_format` asks for, None for plain text."""
    kind = (response_format or {"type": "text"}).get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return ANY_JSON_SCHEMA
    schema = (
        ((response_format or {}).get("json_schema") or {}).get("schema") if kind == "json_schema" else None
    )
    if not isinstance(schema, dict):
        raise BadRequest(
            "response_format must be {'type': 'text'}, {'type': 'json_object'} or "
            "{'type': 'json_schema', 'json_schema': {'name': …, 'schema': {…}}}.",
            param="response_format",
        )
    return schema
