"""Bodies of `/v1/assistants`, and the tools and files that threads and runs name as well.

Version 1 of the API is read too: `file_ids`, and tools of the type `retrieval`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from servicekit.errors import BadRequest
from svc_chat.api.items import plain
from svc_chat.api.messages import FunctionSpec, Name
from svc_chat.api.response_schemas import Metadata
from svc_chat.domain.schemas import checked, wanted_schema

FileIds = Annotated[list[Name], Field(max_length=20)]
Instructions = Annotated[str, StringConstraints(max_length=256_000)]


class Body(BaseModel):
    """A JSON body; names that are none of OpenAI's are ignored."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return plain(given)

    def chosen(self, *names: str) -> dict[str, Any]:
        """Return those of the fields that were sent, as JSON has them."""
        sent = self.model_dump(mode="json", exclude_unset=True)
        return {name: sent[name] for name in names if name in sent}


class RankingOptions(Body):
    """How found passages are ranked."""

    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    ranker: Literal["auto", "default_2024_08_21"] = "auto"


class FileSearchOptions(Body):
    """How files are searched."""

    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None


class AssistantTool(Body):
    """A tool: `code_interpreter`, `file_search` or a function."""

    type: Literal["code_interpreter", "file_search", "function"]
    function: FunctionSpec | None = None
    file_search: FileSearchOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_version_1(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("type") == "retrieval":
            return {**given, "type": "file_search"}
        return given

    @model_validator(mode="after")
    def _whole(self) -> AssistantTool:
        if self.type == "function" and self.function is None:
            raise ValueError("a tool of the type 'function' needs 'function'")
        return self

    def wire(self) -> dict[str, Any]:
        """Return the tool as it is kept; the schema of a function's parameters is checked."""
        if self.function is not None and self.type == "function":
            if self.function.parameters is not None:
                checked(self.function.parameters, "tools.function.parameters")
            return {"type": "function", "function": self.function.model_dump(exclude_none=True)}
        if self.type == "file_search" and self.file_search is not None:
            return {"type": "file_search", "file_search": self.file_search.model_dump(exclude_none=True)}
        return {"type": self.type}


Tools = Annotated[list[AssistantTool], Field(max_length=128)]


class CodeFiles(Body):
    """Files that code can read."""

    file_ids: FileIds = []


class VectorStoreWanted(Body):
    """A vector store that is made for the tool."""

    file_ids: Annotated[list[Name], Field(max_length=10_000)] = []
    metadata: Metadata | None = None
    chunking_strategy: dict[str, Any] | None = None


class SearchFiles(Body):
    """Where files are searched: one vector store."""

    vector_store_ids: Annotated[list[Name], Field(max_length=1)] = []
    vector_stores: Annotated[list[VectorStoreWanted], Field(max_length=1)] = []

    @model_validator(mode="after")
    def _one(self) -> SearchFiles:
        if self.vector_store_ids and self.vector_stores:
            raise ValueError("send 'vector_store_ids' or 'vector_stores', not both")
        return self


class ToolResources(Body):
    """Files of the tools."""

    code_interpreter: CodeFiles | None = None
    file_search: SearchFiles | None = None

    def wire(self) -> dict[str, Any]:
        """Return them with every list there."""
        return self.model_dump(exclude_none=True)


class Resourceful(Body):
    """A body with `tools` and `tool_resources`, or version 1's `file_ids`."""

    tools: Tools | None = None
    tool_resources: ToolResources | None = None
    file_ids: FileIds | None = None

    def resources(self) -> dict[str, Any]:
        """Return the fields `tools`, `tool_resources` and `file_ids` that were sent."""
        found: dict[str, Any] = {}
        if self.tools is not None:
            found["tools"] = [tool.wire() for tool in self.tools]
            twice = _twice(found["tools"])
            if twice:
                raise BadRequest(
                    f"Two tools are named '{twice}'. Give each a name of its own.", param="tools"
                )
        if self.tool_resources is not None:
            found["tool_resources"] = self.tool_resources.wire()
        if self.file_ids is not None:
            found |= {"file_ids": self.file_ids, "tool_resources": _from_file_ids(self.file_ids, self.tools)}
        return found


class AssistantFields(Resourceful):
    """What an assistant is."""

    name: Annotated[str, StringConstraints(max_length=256)] | None = None
    description: Annotated[str, StringConstraints(max_length=512)] | None = None
    instructions: Instructions | None = None
    metadata: Metadata | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    response_format: Literal["auto"] | dict[str, Any] | None = None
    reasoning_effort: str | None = None

    @field_validator("response_format")
    @classmethod
    def _readable(cls, given: Any) -> Any:
        check_format(given)
        return given

    def fields(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        check_effort(self.reasoning_effort)
        sent = self.chosen("name", "description", "instructions", "temperature", "top_p", "response_format")
        if "metadata" in self.model_fields_set:
            sent["metadata"] = self.metadata or {}
        if sent.get("response_format", "auto") is None:
            sent["response_format"] = "auto"
        return {**sent, **self.resources()}


class AssistantBody(AssistantFields):
    """`POST /v1/assistants`."""

    model: Name

    def fields(self) -> dict[str, Any]:
        """Return the fields of a new assistant."""
        return {**super().fields(), "model": self.model}


class AssistantChange(AssistantFields):
    """`POST /v1/assistants/{id}`."""

    model: Name | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields to change."""
        named = {"model": self.model} if self.model is not None else {}
        return {**super().fields(), **named}


def check_format(given: Any) -> None:
    """Raise BadRequest for a `response_format` that cannot be followed."""
    if isinstance(given, dict):
        wanted_schema(given)


def check_effort(given: str | None) -> None:
    """Raise BadRequest for reasoning that no model here does."""
    if given not in (None, "none"):
        raise BadRequest(
            f"The models here do not reason: 'reasoning_effort' is '{given[:20]}'. Leave it out.",
            param="reasoning_effort",
        )


def _from_file_ids(file_ids: Sequence[str], tools: Sequence[AssistantTool] | None) -> dict[str, Any]:
    """Return version 2's resources for version 1's list of files."""
    kinds = {tool.type for tool in tools or ()}
    found: dict[str, Mapping[str, Any]] = {}
    if "code_interpreter" in kinds:
        found["code_interpreter"] = {"file_ids": list(file_ids)}
    if "file_search" in kinds and file_ids:
        store = {"file_ids": list(file_ids)}
        found["file_search"] = {"vector_store_ids": [], "vector_stores": [store]}
    return found


def _twice(tools: Sequence[Mapping[str, Any]]) -> str | None:
    names = [tool["function"]["name"] if tool["type"] == "function" else tool["type"] for tool in tools]
    return next((name for name in names if names.count(name) > 1), None)
