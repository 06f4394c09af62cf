"""Fields that `/v1/chat/completions` and `/v1/completions` share, and how long an answer may take.

Each of OpenAI's fields is honoured, or is a mere hint and changes nothing, or is refused with a 400 that says
what to do instead. Names that are none of OpenAI's are ignored: clients send other servers' extras.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from servicekit.deadline import current
from servicekit.errors import BadRequest
from svc_chat.api.items import plain
from svc_chat.api.messages import Name
from svc_chat.engine.base import Sampling

MAX_CHOICES = 8
MAX_TIMEOUT_S = 3600.0
_ENDING_S = 5.0
"""Seconds after the caller's deadline within which an answer ends by itself, with what there is."""
_SAMPLING = (
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repeat_penalty", "seed",
)  # fmt: skip
_REFUSED = {
    "audio": "Answers are text. POST /v1/audio/speech speaks a text.",
    "web_search_options": "There is no search of the web here. POST /ask/question answers from your documents.",
    "moderation": "Nothing is moderated here. Leave the field out.",
    "suffix": "Text is continued at its end only. Leave 'suffix' out.",
}
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
        given = plain(given)
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


def deadline(field: float | None) -> float | None:
    """Return the shorter of the header `x-request-timeout` (seconds) and the field `timeout_s`."""
    told = current()
    if told is None:
        return field
    told.grant(_ENDING_S)
    return min(told.left_s, field or told.left_s)


def _token_ids(bias: Mapping[str, float]) -> dict[int, float]:
    wrong = next((name for name in bias if not (name.isascii() and name.isdigit())), None)
    if wrong is not None:
        raise BadRequest(
            f"'logit_bias' has the key '{wrong[:20]}'; keys are token ids, such as '42'.", param="logit_bias"
        )
    return {int(token): value for token, value in bias.items()}
