"""Bodies of runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from servicekit.errors import BadRequest
from svc_chat.api.assistant_schemas import (
    Body,
    Instructions,
    ToolResources,
    Tools,
    check_effort,
    check_format,
)
from svc_chat.api.messages import Name
from svc_chat.api.response_schemas import Metadata
from svc_chat.api.thread_schemas import MessageBody, ThreadBody
from svc_chat.domain.assistants.runs import NewRun
from svc_chat.engine.tools_base import Bearer

CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
"""What can be included in steps."""


class Truncation(Body):
    """How much of a thread is read."""

    type: Literal["auto", "last_messages"] = "auto"
    last_messages: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _number(self) -> Truncation:
        if self.type == "last_messages" and self.last_messages is None:
            raise ValueError("'last_messages' needs a number of messages")
        if self.type == "auto":
            self.last_messages = None
        return self


class RunFields(Body):
    """What both ways of making a run share; what is missing is the assistant's."""

    assistant_id: Name
    model: Name | None = None
    instructions: Instructions | None = None
    tools: Tools | None = None
    metadata: Metadata | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    stream: bool | None = None
    max_prompt_tokens: int | None = Field(None, ge=256)
    max_completion_tokens: int | None = Field(None, ge=1)
    truncation_strategy: Truncation | None = None
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: Literal["auto"] | dict[str, Any] | None = None
    reasoning_effort: str | None = None

    @field_validator("response_format")
    @classmethod
    def _readable(cls, given: Any) -> Any:
        check_format(given)
        return given

    @field_validator("tool_choice")
    @classmethod
    def _known_choice(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("type") not in (
            "function",
            "file_search",
            "code_interpreter",
        ):
            raise BadRequest(
                "'tool_choice' must be 'auto', 'none', 'required', or name a tool by its 'type'.",
                param="tool_choice",
            )
        return given

    def fields(self) -> dict[str, Any]:
        """Return the fields of the run that were sent; null is as good as nothing."""
        check_effort(self.reasoning_effort)
        names = (
            "model", "instructions", "metadata", "temperature", "top_p", "max_prompt_tokens",
            "max_completion_tokens", "tool_choice", "parallel_tool_calls", "response_format",
        )  # fmt: skip
        found = {name: value for name, value in self.chosen(*names).items() if value is not None}
        if self.tools is not None:
            found["tools"] = [tool.wire() for tool in self.tools]
        if self.truncation_strategy is not None:
            found["truncation_strategy"] = self.truncation_strategy.model_dump()
        return found


class RunBody(RunFields):
    """`POST /v1/threads/{id}/runs`."""

    additional_instructions: Instructions | None = None
    additional_messages: Annotated[list[MessageBody], Field(max_length=100)] | None = None

    def to_domain(self, bearer: Bearer) -> NewRun:
        """Return what is asked for."""
        messages = tuple(
            m.fields(f"additional_messages.{n}.") for n, m in enumerate(self.additional_messages or ())
        )
        return NewRun(self.assistant_id, self.fields(), self.additional_instructions, messages, bearer=bearer)


class ThreadAndRunBody(RunFields):
    """`POST /v1/threads/runs`."""

    thread: ThreadBody | None = None
    tool_resources: ToolResources | None = None

    def to_domain(self, bearer: Bearer) -> NewRun:
        """Return what is asked for."""
        thread = self.thread or ThreadBody()
        resources = self.tool_resources.wire() if self.tool_resources is not None else None
        return NewRun(
            self.assistant_id,
            self.fields(),
            thread=(thread.fields(), thread.first()),
            tool_resources=resources,
            bearer=bearer,
        )


class ToolOutput(Body):
    """What a function gave."""

    tool_call_id: Name
    output: Annotated[str, Field(max_length=400_000)] = ""


class ToolOutputs(Body):
    """`POST …/submit_tool_outputs`."""

    tool_outputs: Annotated[list[ToolOutput], Field(min_length=1, max_length=128)]
    stream: bool | None = None

    def by_call(self) -> dict[str, str]:
        """Return the outputs by the ids of calls."""
        return {one.tool_call_id: one.output for one in self.tool_outputs}
