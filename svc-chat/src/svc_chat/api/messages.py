"""Messages, tools and tool calls as callers send them, in OpenAI's shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from servicekit.errors import BadRequest
from svc_chat.domain.conversation import composed
from svc_chat.engine.base import Message

MAX_TEXT_CHARS = 400_000
MAX_IMAGE_URL_CHARS = 30_000_000
"""A data URL of the largest picture that is read, in base64."""
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_INSTEAD = {
    "input_audio": "Speech is not understood here; send its text.",
    "audio": "Speech is not understood here; send its text.",
    "file": "Send the file's text, or POST /v1/documents and ask POST /ask/question.",
    "input_file": "Send the file's text, or POST /v1/documents and ask POST /ask/question.",
    "video_url": "Send single pictures of it as 'image_url'.",
}


class CalledFunction(BaseModel):
    """The function of a call; `arguments` is a JSON text."""

    name: Name
    arguments: Text = "{}"


class CalledTool(BaseModel):
    """A call that an earlier answer held."""

    id: Name
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(BaseModel):
    """One turn; `content` is text or a list of parts: text, and pictures in a user's turn."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | Annotated[list[dict[str, Any]], Field(max_length=500)] | None = None
    name: Name | None = None
    refusal: Text | None = None
    tool_calls: Annotated[list[CalledTool], Field(max_length=128)] | None = None
    tool_call_id: Name | None = None
    function_call: CalledFunction | None = None
    """What `tool_calls` was before; its result comes in a message of the role `function`."""

    def to_domain(self, index: int) -> Message:
        """Return our Message; raises BadRequest for parts that nothing here reads."""
        if self.role == "tool" and self.tool_call_id is None:
            where = f"messages.{index}.tool_call_id"
            raise BadRequest(f"'{where}' is missing. Name the call that this is the result of.", param=where)
        content, images = self._content(f"messages.{index}.content")
        made = self.tool_calls or []
        if self.function_call is not None:
            made = [CalledTool(id=f"call_{self.function_call.name}", function=self.function_call)]
        calls = tuple(call.model_dump() for call in made)
        if self.role == "function":
            return Message("tool", content, tool_call_id=f"call_{self.name}")
        return Message(self.role, content, self.name, calls, self.tool_call_id, images)

    def _content(self, where: str) -> tuple[str, tuple[str, ...]]:
        if self.content is None:
            if self.role == "assistant" and (self.tool_calls or self.function_call or self.refusal):
                return self.refusal or "", ()
            raise BadRequest(f"'{where}' is missing. Send text.", param=where)
        if isinstance(self.content, str):
            return self.content, ()
        texts: list[str | None] = []
        images: list[str] = []
        for place, part in enumerate(self.content):
            found, url = self._part(part, f"{where}.{place}")
            texts.append(found)
            images += [url] if url is not None else []
        return composed(texts, images) if images else ("\n".join(t or "" for t in texts), ())

    def _part(self, part: dict[str, Any], where: str) -> tuple[str | None, str | None]:
        """Return a part's text, or None and the picture's URL."""
        kind = str(part.get("type"))[:40]
        key = {"input_text": "text", "output_text": "text", "input_image": "image_url"}.get(kind, kind)
        if key in ("text", "refusal"):
            text = part.get(key)
            if not isinstance(text, str) or len(text) > MAX_TEXT_CHARS:
                raise BadRequest(
                    f"'{where}.{key}' must be text of at most {MAX_TEXT_CHARS:,} characters.", param=where
                )
            return text, None
        if key == "image_url" and self.role in ("user", "tool"):
            return None, _picture(part.get("image_url"), where)
        reads = "text and 'image_url'" if self.role in ("user", "tool") else "text only"
        raise BadRequest(
            f"'{where}' is a part of type '{kind}'; a message of the role '{self.role}' has {reads}. "
            f"{_INSTEAD.get(kind, '')}".strip(),
            param=where,
        )


def _picture(given: Any, where: str) -> str:
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str) or not url.strip():
        raise BadRequest(
            f"'{where}.image_url.url' is missing. Send an http, https or data URL of a picture.", param=where
        )
    if len(url) > MAX_IMAGE_URL_CHARS:
        raise BadRequest(
            f"'{where}.image_url.url' has {len(url):,} characters; {MAX_IMAGE_URL_CHARS:,} at most are read. "
            "Send a smaller picture.",
            param=where,
        )
    return url.strip()


def to_messages(messages: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """Return our Messages.

    Raises:
        BadRequest: a part that nothing here reads, or a result of a call that no turn before it made.
    """
    known: set[str] = set()
    turns = []
    for index, message in enumerate(messages):
        turn = message.to_domain(index)
        if turn.role == "tool" and turn.tool_call_id not in known:
            where = f"messages.{index}.{'name' if message.role == 'function' else 'tool_call_id'}"
            named = message.name if message.role == "function" else turn.tool_call_id
            raise BadRequest(
                f"'{where}' is '{str(named)[:60]}', which no call before it has. "
                "Send the assistant's message with the call, then its results.",
                param=where,
            )
        known.update(str(call["id"]) for call in turn.tool_calls)
        turns.append(turn)
    return tuple(turns)


class FunctionSpec(BaseModel):
    """A function that the model may call."""

    model_config = ConfigDict(extra="allow")
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(BaseModel):
    """A tool in OpenAI's shape."""

    type: Literal["function"]
    function: FunctionSpec
