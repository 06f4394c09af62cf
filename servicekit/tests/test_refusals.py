"""What is said of a field that is wrong: the value, what it may be, what to send."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from servicekit.errors import InvalidBody
from servicekit.refusals import refusal


class Part(BaseModel):
    kind: Literal["text", "image"] = "text"


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: Annotated[str, Field(min_length=1, max_length=10, pattern=r"\S")] = "x"
    password: Annotated[str, Field(min_length=10)] = "0123456789"
    pin_token: int = 0
    steps: Annotated[int, Field(ge=1, le=50)] = 1
    max_tokens: Annotated[int, Field(ge=1)] = 1
    sure: bool = True
    scale: float = 1.0
    mode: Literal["text", "vector"] = "text"
    inputs: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1, max_length=2)] = (
        "x"
    )
    parts: list[Part] = []
    after: str = ""
    before: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Order:
        if self.after and self.before:
            raise ValueError("Send either 'after' or 'before'.")
        return self


class Needs(BaseModel):
    text: str


def refused(**given: Any) -> InvalidBody:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate(given)
    return refusal(caught.value.errors())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prompt": ""}, "'prompt' is empty. Send at least one character."),
        ({"prompt": "   "}, "'prompt' holds nothing to read. Send at least one word."),
        ({"prompt": "x" * 11}, "'prompt' has 11 characters; at most 10 are read."),
        ({"prompt": None}, "'prompt' is null. Send a text."),
        ({"steps": 51}, "'steps' is 51; it has to be at most 50."),
        ({"steps": "many"}, "'steps' is 'many'. Send a whole number."),
        ({"steps": "x" * 99}, "'steps' is a text of 99 characters. Send a whole number."),
        ({"max_tokens": -1}, "'max_tokens' is -1; it has to be at least 1."),
        ({"sure": 7}, "'sure' is 7. Send true or false."),
        ({"scale": [1]}, "'scale' is a list. Send a number."),
        ({"mode": "fast"}, "'mode' is 'fast'; it can be 'text' or 'vector'."),
        ({"inputs": []}, "'inputs' is empty. Send at least one entry."),
        ({"inputs": ["a", "b", "c"]}, "'inputs' has 3 entries; at most 2 are read."),
        ({"inputs": 5}, "'inputs' is 5. Send a text or a list."),
        ({"parts": [{"kind": "sound"}]}, "'parts.0.kind' is 'sound'; it can be 'text' or 'image'."),
        ({"parts": ["x"]}, "'parts.0' is 'x'. Send an object."),
        ({"colour": 1}, "'colour' is not read here. Leave it out; /openapi.json tells what is read."),
        ({"after": "a", "before": "b"}, "Send either 'after' or 'before'."),
    ],
)
def test_a_refusal_names_the_value_and_the_remedy(given: dict[str, Any], message: str) -> None:
    assert refused(**given).message == message


def test_a_field_that_is_missing_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        Needs.model_validate({})
    error = refusal([{**problem, "loc": ("body", *problem["loc"])} for problem in caught.value.errors()])
    assert (error.param, error.message) == ("text", "The field 'text' is missing. Send it.")


def test_a_secret_is_not_told_again() -> None:
    assert "hunter2" not in refused(password="hunter2").message
    assert "hunter2" not in refused(pin_token="hunter2").message


@pytest.mark.parametrize("value", ["\ud800", "10" * 3000, 10**5000], ids=["half", "long", "large"])
def test_any_value_makes_a_message_that_can_be_sent(value: Any) -> None:
    message = refused(steps=value).message
    assert len(message.encode()) < 120
