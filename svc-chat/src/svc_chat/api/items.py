"""Items as callers send them to the Responses and Conversations APIs, checked and made whole.

What no model here reads is a 400 that says what to send instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from servicekit.asgi import from_validation
from servicekit.errors import BadRequest
from svc_chat.api.messages import MAX_IMAGE_URL_CHARS, Name, Text

MAX_ITEMS = 2000
_INSTEAD = {
    "item_reference": "Send the item itself, or 'previous_response_id', or 'conversation'.",
    "input_file": "Send the file's text, or POST /v1/documents and ask POST /ask/question.",
    "input_audio": "Speech is not understood here; send its text.",
    "reasoning": "The models here have no reasoning items; leave it out.",
}


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")


class InputText(_Item):
    """Text from somebody other than the model."""

    type: Literal["input_text"]
    text: Text


class OutputText(_Item):
    """Text that a model wrote."""

    type: Literal["output_text"]
    text: Text
    annotations: list[dict[str, Any]] = []


class Refusal(_Item):
    """Text by which a model refused."""

    type: Literal["refusal"]
    refusal: Text


class InputImage(_Item):
    """A picture by its URL."""

    type: Literal["input_image"]
    image_url: Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_URL_CHARS)]
    detail: Literal["auto", "low", "high", "original"] = "auto"


_PARTS: dict[str, type[_Item]] = {
    "input_text": InputText,
    "output_text": OutputText,
    "refusal": Refusal,
    "input_image": InputImage,
}


class MessageItem(_Item):
    """A turn; `content` is text or parts."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Text | Annotated[list[dict[str, Any]], Field(min_length=1, max_length=500)]


class FunctionCallItem(_Item):
    """A call that an earlier answer held."""

    call_id: Name
    name: Name
    arguments: Text


class FunctionCallOutputItem(_Item):
    """What a called function gave back."""

    call_id: Name
    output: Text | Annotated[list[dict[str, Any]], Field(max_length=500)]


def plain(given: Any) -> Any:
    """Return a body as JSON can hold it; raises BadRequest for lone surrogates and numbers beyond 64 bits."""
    try:
        return orjson.loads(orjson.dumps(given))
    except (TypeError, ValueError) as error:
        raise BadRequest(
            "The body holds text that is not Unicode, a whole number of more than 64 bits, or is nested too deep."
        ) from error


def read_input(given: str | list[Any], param: str = "input") -> tuple[dict[str, Any], ...]:
    """Return the items of a request; text alone is a user's message. Raises BadRequest."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if len(given) > MAX_ITEMS:
        raise BadRequest(f"'{param}' has {len(given)} items; {MAX_ITEMS} at most are read.", param=param)
    return tuple(_read_item(item, f"{param}.{index}") for index, item in enumerate(given))


def _read_item(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise BadRequest(f"'{where}' must be an object with a 'type'.", param=where)
    kind = given.get("type", "message")
    if kind == "message":
        message = checked_as(MessageItem, given, where)
        content = _content(message.content, message.role, f"{where}.content")
        return {"type": "message", "role": message.role, "content": content, "status": "completed"}
    if kind == "function_call":
        call = checked_as(FunctionCallItem, given, where)
        return {"type": "function_call", **call.model_dump(), "status": "completed"}
    if kind == "function_call_output":
        result = checked_as(FunctionCallOutputItem, given, where)
        output = result.output
        if not isinstance(output, str):
            output = [_part(part, "user", f"{where}.output.{n}") for n, part in enumerate(output)]
        return {"type": kind, "call_id": result.call_id, "output": output, "status": "completed"}
    raise BadRequest(
        f"'{where}' is of type '{str(kind)[:40]}'; the types 'message', 'function_call' and "
        f"'function_call_output' are read. {_INSTEAD.get(str(kind), '')}".strip(),
        param=f"{where}.type",
    )


def _content(content: str | list[dict[str, Any]], role: str, where: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        kind = "output_text" if role == "assistant" else "input_text"
        content = [{"type": kind, "text": content}]
    return [_part(part, role, f"{where}.{index}") for index, part in enumerate(content)]


def _part(given: Mapping[str, Any], role: str, where: str) -> dict[str, Any]:
    kind = str(given.get("type"))
    read: tuple[str, ...] = (
        ("output_text", "refusal") if role == "assistant" else ("input_text", "input_image")
    )
    if role in ("system", "developer"):
        read = ("input_text",)
    if role == "assistant" and kind == "input_text":  # clients replay answers so
        given, kind = {**given, "type": "output_text"}, "output_text"
    if kind not in read:
        raise BadRequest(
            f"'{where}' is of type '{kind[:40]}'; a message of the role '{role}' has "
            f"{' and '.join(map(repr, read))}. {_INSTEAD.get(kind, '')}".strip(),
            param=where,
        )
    if kind == "input_image" and given.get("image_url") is None:
        raise BadRequest(
            f"'{where}.image_url' is missing. Send an http, https or data URL; files are not read here.",
            param=f"{where}.image_url",
        )
    part = checked_as(_PARTS[kind], given, where)
    return part.model_dump()


def checked_as(model: type[Any], given: Mapping[str, Any], where: str) -> Any:
    """Return `given` as `model`; raises the BadRequest that names the field below `where`."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = [{**problem, "loc": (*where.split("."), *problem["loc"])} for problem in error.errors()]
        raise from_validation(problems, "application/json") from error
