"""Bodies of `/v1/chat/completions` and `/v1/completions`: OpenAI's fields, and a few of our own.

Each of OpenAI's fields is honoured, or is a mere hint and changes nothing, or is refused with a 400 that says
what to do instead. Names that are none of OpenAI's are ignored: clients send other servers' extras.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from servicekit.errors import BadRequest
from svc_chat.api.messages import ChatMessage, FunctionSpec, Name, Tool, to_messages
from svc_chat.api.schemas import FilledText
from svc_chat.domain.schemas import checked
from svc_chat.domain.service import Ask
from svc_chat.engine.base import Sampling

MAX_CHOICES = 8
MAX_PROMPTS = 16
MAX_TIMEOUT_S = 3600.0
ANY_JSON_SCHEMA: dict[str, Any] = {"type": "object"}
_SAMPLING = (
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repeat_penalty", "seed",
)  # fmt: skip
_REFUSED = {
    "audio": "Answers are text. POST /v1/audio/speech speaks a text.",
    "web_search_options": "There is no search of the web here. POST /ask/question answers from your documents.",
    "moderation": "Nothing is moderated here. Leave the field out.",
    "suffix": "Text is continued at its end only. Leave 'suffix' out.",
}
_TEXT_OR_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
Bias = Annotated[float, Field(ge=-100, le=100)]


class StreamOptions(BaseModel):
    """What a stream has besides the text; `include_obfuscation` changes nothing, nothing is padded."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class SamplingFields(BaseModel):
    """Fields that both calls share. `null` is the same as leaving a field out."""

    model_config = ConfigDict(extra="ignore")
    model: Name | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1000)
    min_p: float | None = Field(None, ge=0, le=1)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    repeat_penalty: float | None = Field(None, gt=0, le=2)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop: (
        Annotated[list[Annotated[str, StringConstraints(max_length=1000)]], Field(max_length=16)] | str | None
    ) = None
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    logit_bias: Annotated[dict[str, Bias], Field(max_length=1024)] | None = None
    user: str | None = None
    timeout_s: float | None = Field(None, gt=0, le=MAX_TIMEOUT_S)
    """Seconds after which the answer ends with what there is."""

    @property
    def choices(self) -> int:
        """Answers wanted to one prompt."""
        return self.n or 1

    @property
    def with_usage(self) -> bool:
        """Whether a stream tells the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, given: Any) -> Any:
        for name in _REFUSED.keys() & (given.keys() if isinstance(given, dict) else set()):
            if given[name] is not None:
                raise BadRequest(_REFUSED[name], param=name)
        return given

    @model_validator(mode="after")
    def _stream_options_need_a_stream(self) -> SamplingFields:
        if self.stream_options is not None and not self.stream:
            raise BadRequest("'stream_options' needs 'stream': true.", param="stream_options")
        return self

    def sampling(self, max_tokens: int, top_logprobs: int | None) -> Sampling:
        """Return our Sampling, engine defaults where nothing was sent."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        chosen = {name: getattr(self, name) for name in _SAMPLING if getattr(self, name) is not None}
        return Sampling(
            max_tokens=max_tokens,
            stop=tuple(text for text in stop if text),
            logit_bias=_token_ids(self.logit_bias or {}),
            top_logprobs=top_logprobs,
            **chosen,
        )


class ChatCompletionRequest(SamplingFields):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2000)]
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: dict[str, Any] | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[FunctionSpec], Field(min_length=1, max_length=128)] | None = None
    """What `tools` were called before; answered by `function_call` instead of `tool_calls`."""
    function_call: Literal["auto", "none"] | dict[str, Any] | None = None
    persona: Name | None = None
    store: bool | None = None
    metadata: (
        Annotated[dict[str, Annotated[str, StringConstraints(max_length=512)]], Field(max_length=16)] | None
    ) = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    modalities: list[str] | None = None
    # hints that change no answer here
    prediction: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _what_is_not_done_here(self) -> ChatCompletionRequest:
        if self.store:
            raise BadRequest(
                "Chat completions are not kept. Leave 'store' out, or use POST /v1/responses, which keeps answers.",
                param="store",
            )
        if self.modalities is not None and self.modalities != ["text"]:
            raise BadRequest("Answers are text: 'modalities' can only be ['text'].", param="modalities")
        if self.functions is not None and (self.tools is not None or self.tool_choice is not None):
            raise BadRequest("Send either 'tools' or 'functions', not both.", param="functions")
        if self.function_call is not None and self.functions is None:
            raise BadRequest("'function_call' needs 'functions'.", param="function_call")
        if self.top_logprobs is not None and not self.logprobs:
            raise BadRequest("'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
        return self

    def to_domain(self, default_max: int) -> Ask:
        """Return our Ask."""
        wanted = self.max_completion_tokens or self.max_tokens or default_max
        scores = (self.top_logprobs or 0) if self.logprobs else None
        return Ask(
            messages=to_messages(self.messages),
            model=self.model,
            persona=self.persona,
            tools=self._tools(),
            tool_choice=self.tool_choice if self.functions is None else _choice(self.function_call),
            json_schema=wanted_schema(self.response_format),
            sampling=self.sampling(wanted, scores),
            choices=self.choices,
            parallel_tool_calls=self.parallel_tool_calls is not False and self.functions is None,
            timeout_s=self.timeout_s,
        )

    def _tools(self) -> tuple[dict[str, Any], ...]:
        tools = self.tools or [Tool(type="function", function=spec) for spec in self.functions or ()]
        return tuple(tool.model_dump(exclude_none=True) for tool in tools)


class CompletionRequest(SamplingFields):
    """`POST /v1/completions`: one plain text to continue, or several, each with choices of its own."""

    prompt: Annotated[
        list[FilledText], Field(min_length=1, max_length=MAX_PROMPTS), WithJsonSchema(_TEXT_OR_TEXTS)
    ]
    max_tokens: int | None = Field(None, ge=1)
    logprobs: int | None = Field(None, ge=0, le=5)
    echo: bool | None = None
    best_of: int | None = Field(None, ge=1, le=MAX_CHOICES)

    @field_validator("prompt", mode="before")
    @classmethod
    def _texts(cls, given: Any) -> Any:
        if isinstance(given, list) and given and isinstance(given[0], (int, list)):
            raise ValueError("token ids are not read; send text, or a list of texts")
        if not isinstance(given, (str, list)):
            raise ValueError("send text, or a list of texts")
        return [given] if isinstance(given, str) else given

    @model_validator(mode="after")
    def _best_of_enough(self) -> CompletionRequest:
        if self.best_of is not None and self.best_of < self.choices:
            raise BadRequest(
                f"'best_of' is {self.best_of}, less than 'n', which is {self.choices}.", param="best_of"
            )
        if self.stream and (self.best_of or 1) > self.choices:
            raise BadRequest(
                "The best of several texts cannot be streamed. Leave out 'best_of' or 'stream'.",
                param="best_of",
            )
        return self

    def to_domain(self) -> list[Ask]:
        """Return one Ask a prompt."""
        tries = max(self.best_of or 1, self.choices)
        scores = 0 if self.logprobs is None and tries > self.choices else self.logprobs
        sampling = self.sampling(self.max_tokens or 16, scores)
        return [
            Ask(prompt=prompt, model=self.model, sampling=sampling, choices=tries, timeout_s=self.timeout_s)
            for prompt in self.prompt
        ]


def wanted_schema(response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the JSON schema that `response_format` asks for, None for plain text.

    A schema is always followed, as if `strict` were set.
    """
    kind = (response_format or {"type": "text"}).get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return ANY_JSON_SCHEMA
    given = (response_format or {}).get("json_schema") if kind == "json_schema" else None
    schema = given.get("schema") if isinstance(given, dict) else None
    if not isinstance(schema, dict):
        raise BadRequest(
            "response_format must be {'type': 'text'}, {'type': 'json_object'} or "
            "{'type': 'json_schema', 'json_schema': {'name': …, 'schema': {…}}}.",
            param="response_format",
        )
    return checked(schema, "response_format")


def deadline(header: str | None, field: float | None) -> float | None:
    """Return the shorter of the header `x-request-timeout` (seconds) and the field `timeout_s`."""
    if header is None:
        return field
    try:
        seconds = float(header)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise BadRequest(
            f"The header x-request-timeout is '{header[:20]}'; it must be seconds, more than 0 and at most "
            f"{MAX_TIMEOUT_S:g}.",
            param="x-request-timeout",
        )
    return min(seconds, field or seconds)


def _choice(function_call: str | Mapping[str, Any] | None) -> str | Mapping[str, Any] | None:
    """Return the `tool_choice` that the older field means."""
    if not isinstance(function_call, Mapping):
        return function_call
    return {"type": "function", "function": {"name": function_call.get("name")}}


def _token_ids(bias: Mapping[str, float]) -> dict[int, float]:
    wrong = next((name for name in bias if not (name.isascii() and name.isdigit())), None)
    if wrong is not None:
        raise BadRequest(
            f"'logit_bias' has the key '{wrong[:20]}'; keys are token ids, such as '42'.", param="logit_bias"
        )
    return {int(token): value for token, value in bias.items()}
