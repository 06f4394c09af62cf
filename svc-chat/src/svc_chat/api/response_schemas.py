"""The body of `POST /v1/responses`. Each field of OpenAI's is honoured, changes nothing, or is refused with a 400."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from servicekit.errors import BadRequest
from svc_chat.api.items import checked_as, plain, read_input
from svc_chat.api.messages import Name, Text
from svc_chat.api.sampling_schemas import MAX_TIMEOUT_S
from svc_chat.domain.responses import NewResponse
from svc_chat.domain.schemas import ANY_JSON_SCHEMA, checked
from svc_chat.domain.service import Ask
from svc_chat.engine.base import Sampling

Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
    Field(max_length=16),
]
LOGPROBS = "message.output_text.logprobs"
INCLUDABLE = frozenset(
    {
        LOGPROBS, "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
        "message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
    }
)  # fmt: skip
_REFUSED = {
    "prompt": "Prompts are not kept here. Send 'instructions' and 'input'.",
    "context_management": "Nothing is compacted here. Send 'truncation': 'auto' to drop the oldest turns.",
    "moderation": "Nothing is moderated here. Leave the field out.",
    "max_tool_calls": "It limits tools that a server runs; functions are run by you. Leave it out.",
}


class FunctionTool(BaseModel):
    """A function that the model may call, as the Responses API writes it: not nested."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["function"]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    description: Text | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def nested(self) -> dict[str, Any]:
        """Return the tool as the chat API writes it."""
        fields = self.model_dump(exclude={"type"}, exclude_none=True)
        return {"type": "function", "function": fields}


class TextConfig(BaseModel):
    """How the text is to be."""

    model_config = ConfigDict(extra="ignore")
    format: dict[str, Any] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class StreamOptions(BaseModel):
    """Nothing is padded: `include_obfuscation` changes nothing."""

    include_obfuscation: bool | None = None


class ConversationRef(BaseModel):
    """A conversation by its id."""

    id: Name


class InputFields(BaseModel):
    """What a model reads; `null` is the same as leaving a field out."""

    model_config = ConfigDict(extra="ignore")
    model: Name | None = None
    input: Text | list[Any] | None = None
    instructions: Text | None = None
    previous_response_id: Name | None = None
    conversation: Name | ConversationRef | None = None
    persona: Name | None = None
    tools: Annotated[list[Any], Field(max_length=128)] | None = None
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: dict[str, Any] | None = None
    truncation: Literal["auto", "disabled"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return plain(given)

    @model_validator(mode="after")
    def _one_past(self) -> InputFields:
        if self.conversation is not None and self.previous_response_id is not None:
            raise BadRequest(
                "Send 'conversation' or 'previous_response_id', not both.", param="previous_response_id"
            )
        effort = (self.reasoning or {}).get("effort")
        if effort not in (None, "none"):
            raise BadRequest(
                f"The models here do not reason: 'reasoning.effort' is '{str(effort)[:20]}'. Leave it out.",
                param="reasoning.effort",
            )
        return self

    @property
    def conversation_id(self) -> str | None:
        """The conversation's id."""
        named = self.conversation
        return named.id if isinstance(named, ConversationRef) else named

    def items(self) -> tuple[dict[str, Any], ...]:
        """Return the input; raises BadRequest when there is none."""
        if self.input is None or self.input == [] or (isinstance(self.input, str) and not self.input.strip()):
            raise BadRequest("'input' is missing or empty. Send text, or a list of items.", param="input")
        return read_input(self.input)

    def functions(self) -> tuple[FunctionTool, ...]:
        """Return the tools; raises BadRequest for those that a server would have to run."""
        for index, tool in enumerate(self.tools or ()):
            kind = tool.get("type") if isinstance(tool, Mapping) else None
            if kind != "function":
                raise BadRequest(
                    f"'tools.{index}' is of type '{str(kind)[:40]}'; tools of type 'function' are read. Your program "
                    "runs them and sends the results.",
                    param=f"tools.{index}.type",
                )
        return tuple(_tool(tool, index) for index, tool in enumerate(self.tools or ()))

    def ask(self, sampling: Sampling, timeout_s: float | None = None) -> Ask:
        """Return our Ask, without messages."""
        return Ask(
            model=self.model,
            persona=self.persona,
            tools=tuple(tool.nested() for tool in self.functions()),
            tool_choice=self.tool_choice,
            json_schema=wanted_format(self.text.format if self.text else None),
            sampling=sampling,
            parallel_tool_calls=self.parallel_tool_calls is not False,
            timeout_s=timeout_s,
        )

    def new(self, default_max: int) -> NewResponse:
        """Return what is asked for."""
        return NewResponse(
            self.items(),
            self.ask(Sampling(max_tokens=default_max)),
            {"truncation": self.truncation or "disabled"},
            self.instructions,
            self.previous_response_id,
            self.conversation_id,
        )


class ResponseRequest(InputFields):
    """`POST /v1/responses`."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    background: bool | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_logprobs: int | None = Field(None, ge=0, le=20)
    max_output_tokens: int | None = Field(None, ge=1)
    metadata: Metadata | None = None
    include: list[str] | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    # of our own
    top_k: int | None = Field(None, ge=0, le=1000)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    timeout_s: float | None = Field(None, gt=0, le=MAX_TIMEOUT_S)

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, given: Any) -> Any:
        for name in _REFUSED.keys() & (given.keys() if isinstance(given, dict) else set()):
            if given[name] is not None:
                raise BadRequest(_REFUSED[name], param=name)
        return given

    @model_validator(mode="after")
    def _kept_or_not(self) -> ResponseRequest:
        if self.store is False and self.background:
            raise BadRequest(
                "A background response is kept: 'background' needs 'store': true.", param="store"
            )
        if self.store is False and self.conversation is not None:
            raise BadRequest(
                "A conversation keeps its responses: 'conversation' needs 'store': true.", param="store"
            )
        check_include(self.include or ())
        return self

    def to_domain(self, default_max: int) -> NewResponse:
        """Return what is asked for; raises BadRequest."""
        scores = self.top_logprobs if LOGPROBS in (self.include or ()) or self.top_logprobs else None
        if LOGPROBS in (self.include or ()):
            scores = self.top_logprobs or 0
        chosen = {
            name: getattr(self, name)
            for name in ("temperature", "top_p", "top_k", "seed")
            if getattr(self, name) is not None
        }
        sampling = Sampling(max_tokens=self.max_output_tokens or default_max, top_logprobs=scores, **chosen)
        return NewResponse(
            self.items(),
            self.ask(sampling, self.timeout_s),
            self._repeated(sampling),
            self.instructions,
            self.previous_response_id,
            self.conversation_id,
            self.store is not False,
            bool(self.background),
        )

    def _repeated(self, sampling: Sampling) -> dict[str, Any]:
        """Return the fields that the response repeats."""
        wanted = (self.text.format if self.text else None) or {"type": "text"}
        return {
            "max_output_tokens": self.max_output_tokens,
            "metadata": self.metadata or {},
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "persona": self.persona,
            "reasoning": {"effort": None, "summary": None},
            "safety_identifier": self.safety_identifier,
            "service_tier": "default",
            "temperature": sampling.temperature,
            "text": {"format": wanted, "verbosity": (self.text and self.text.verbosity) or "medium"},
            "tool_choice": self.tool_choice or "auto",
            "tools": [tool.model_dump() for tool in self.functions()],
            "top_logprobs": self.top_logprobs or 0,
            "top_p": sampling.top_p,
            "truncation": self.truncation or "disabled",
            "user": self.user,
        }


def check_include(include: Any) -> None:
    """Raise BadRequest for what cannot be included; what no answer here has is simply not there."""
    unknown = next((name for name in include if name not in INCLUDABLE), None)
    if unknown is not None:
        raise BadRequest(
            f"'include' has '{str(unknown)[:60]}'; it can have {', '.join(sorted(INCLUDABLE))}.",
            param="include",
        )


def wanted_format(given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the JSON schema that `text.format` asks for, None for plain text."""
    kind = (given or {"type": "text"}).get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return ANY_JSON_SCHEMA
    schema = (given or {}).get("schema") if kind == "json_schema" else None
    if not isinstance(schema, dict):
        raise BadRequest(
            "'text.format' must be {'type': 'text'}, {'type': 'json_object'} or "
            "{'type': 'json_schema', 'name': …, 'schema': {…}}.",
            param="text.format",
        )
    return checked(schema, "text.format.schema")


def _tool(given: Mapping[str, Any], index: int) -> FunctionTool:
    return checked_as(FunctionTool, given, f"tools.{index}")
