"""The body of `POST /v1/chat/completions`: OpenAI's fields, and `persona` of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from servicekit.errors import BadRequest
from svc_chat.api.messages import ChatMessage, FunctionSpec, Name, Tool, to_messages
from svc_chat.api.sampling_schemas import SamplingFields
from svc_chat.domain.schemas import wanted_schema
from svc_chat.domain.service import Ask


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


def _choice(function_call: str | Mapping[str, Any] | None) -> str | Mapping[str, Any] | None:
    """Return the `tool_choice` that the older field means."""
    if not isinstance(function_call, Mapping):
        return function_call
    return {"type": "function", "function": {"name": function_call.get("name")}}
