"""The body of `POST /v1/completions`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from servicekit.errors import BadRequest
from svc_chat.api.sampling_schemas import MAX_CHOICES, SamplingFields
from svc_chat.api.schemas import FilledText
from svc_chat.domain.service import Ask

MAX_PROMPTS = 16
_TEXT_OR_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


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
