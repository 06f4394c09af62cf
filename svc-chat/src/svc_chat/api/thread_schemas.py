"""Bodies of `/v1/threads` and their messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from servicekit.errors import BadRequest
from svc_chat.api.assistant_schemas import Body, FileIds, Resourceful
from svc_chat.api.items import checked_as
from svc_chat.api.messages import MAX_IMAGE_URL_CHARS, Name
from svc_chat.api.response_schemas import Metadata
from svc_chat.domain.assistants.objects import text_part

Text = Annotated[str, StringConstraints(min_length=1, max_length=256_000)]
_BOTH = [{"type": "code_interpreter"}, {"type": "file_search"}]


class AttachmentTool(Body):
    """A tool that gets a file."""

    type: Literal["code_interpreter", "file_search"]


class Attachment(Body):
    """A file that comes with a message."""

    file_id: Name
    tools: Annotated[list[AttachmentTool], Field(max_length=2)] = []


class _Text(Body):
    type: Literal["text"]
    text: Text


class _ImageUrl(Body):
    url: Annotated[str, StringConstraints(min_length=1, max_length=MAX_IMAGE_URL_CHARS)]
    detail: Literal["auto", "low", "high"] = "auto"


class _ImageUrlPart(Body):
    type: Literal["image_url"]
    image_url: _ImageUrl


class _ImageFile(Body):
    file_id: Name
    detail: Literal["auto", "low", "high"] = "auto"


class _ImageFilePart(Body):
    type: Literal["image_file"]
    image_file: _ImageFile


_PARTS: dict[str, type[Body]] = {"text": _Text, "image_url": _ImageUrlPart, "image_file": _ImageFilePart}


class MessageBody(Body):
    """A message that a caller adds; `content` is text or parts."""

    role: Literal["user", "assistant"]
    content: Text | Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]
    attachments: Annotated[list[Attachment], Field(max_length=20)] | None = None
    file_ids: FileIds | None = None
    metadata: Metadata | None = None

    def fields(self, where: str = "") -> dict[str, Any]:
        """Return the fields of a new message; `where` is the name of the list that it stands in."""
        content = self.content
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        attached = [one.model_dump() for one in self.attachments or ()]
        attached += [{"file_id": file_id, "tools": _BOTH} for file_id in self.file_ids or ()]
        found: dict[str, Any] = {
            "role": self.role,
            "content": [_part(part, self.role, f"{where}content.{n}") for n, part in enumerate(parts)],
            "attachments": attached,
            "metadata": self.metadata or {},
        }
        if self.file_ids is not None:
            found["file_ids"] = list(self.file_ids)
        return found


class MessageChange(Body):
    """`POST /v1/threads/{id}/messages/{id}` and the same for runs: the metadata is replaced as a whole."""

    metadata: Metadata | None = None


class ThreadFields(Resourceful):
    """`POST /v1/threads/{id}`."""

    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _no_tools(self) -> ThreadFields:
        self.tools = self.file_ids = None
        return self

    def fields(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        sent = {"metadata": self.metadata or {}} if "metadata" in self.model_fields_set else {}
        return {**sent, **self.resources()}


class ThreadBody(ThreadFields):
    """`POST /v1/threads`."""

    messages: Annotated[list[MessageBody], Field(max_length=2000)] | None = None

    def first(self) -> tuple[dict[str, Any], ...]:
        """Return the fields of its first messages."""
        return tuple(message.fields(f"messages.{n}.") for n, message in enumerate(self.messages or ()))


def _part(given: Mapping[str, Any], role: str, where: str) -> dict[str, Any]:
    kind = str(given.get("type"))
    if kind not in _PARTS or (kind != "text" and role == "assistant"):
        reads = "'text'" if role == "assistant" else ", ".join(map(repr, _PARTS))
        raise BadRequest(
            f"'{where}' is of type '{kind[:40]}'; a message of the role '{role}' has {reads}.", param=where
        )
    part = checked_as(_PARTS[kind], given, where)
    return text_part(part.text) if kind == "text" else part.model_dump()
