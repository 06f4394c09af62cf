"""What every chat engine does, whatever runs behind it. Knows no HTTP, no personas, no tools' meaning."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from servicekit.models import InstalledModel

PICTURE_PLACE = "\ufffc"
"""Stands in a message's text where a picture belongs (Unicode's object replacement character)."""
ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
"""The schema of an answer that is JSON of any kind."""
FinishReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; `tool_calls` as OpenAI writes them."""

    role: str
    content: str
    name: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    tool_call_id: str | None = None
    images: tuple[str, ...] = ()
    """URLs (http, https, data) of pictures that belong to the turn, each at a PICTURE_PLACE of `content` if that has
    as many; an engine whose model cannot see never gets any."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 takes the likeliest."""

    max_tokens: int = 512
    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repeat_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    """Token id → what is added to its logit, -100 to 100."""
    top_logprobs: int | None = None
    """None: no log-probabilities; 0 to 20: those of the chosen token and of that many others."""


@dataclass(frozen=True)
class Repetition:
    """The answer is one JSON text or more of the schema, `separator` between them and `closing` at the end."""

    separator: str
    closing: str
    at_most: int = 8


class CallForm(Protocol):
    """Which calls of tools may be written, beyond what their schemas say."""

    def may_begin(self, text: bytes) -> bool:
        """Say whether such a call begins with `text`, which follows the mark of a call."""
        ...

    def rests(self, text: bytes) -> Iterable[bytes]:
        """Yield how calls that begin with `text` go on, each up to where they part; empty: in any way."""
        ...


@dataclass(frozen=True)
class GenerationRequest:
    """One text to write. Either `messages` (chat) or `prompt` (plain completion) is given."""

    model_id: str
    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    answer_prefix: str = ""
    """Text that the answer starts with; it is part of the prompt, not of the output."""
    json_schema: Mapping[str, Any] | None = None
    """The output must be JSON of this schema."""
    sampling: Sampling = field(default_factory=Sampling)
    repetition: Repetition | None = None
    """With `json_schema`: several JSON texts may follow one another."""
    choices: int = 1
    """Answers wanted to the one prompt; each Delta says by `index` to which it belongs."""
    timeout_s: float | None = None
    """Seconds after which each answer ends with what there is (`length`); None: the engine's own limit."""
    forced_tools: tuple[str, ...] = ()
    """Names of tools of which one must be called. `answer_prefix` and `json_schema` say the same to an engine that
    writes plain text; one that reads calls out itself goes by this."""
    parallel_calls: bool = True
    """Whether one answer may hold several calls."""
    free_call: Mapping[str, Any] | None = None
    """JSON schema of a call, for calls that the model begins by itself with the mark of `tool_marks.OPEN`; with a
    `json_schema` the answer is either JSON of that schema or such a call."""
    call_form: CallForm | None = None
    """Which calls may be written; an engine whose models are large need not look at it."""
    tables: bool = False
    """Whether files are to be computed with: an engine may have a model for that beside the one that was named."""


@dataclass(frozen=True)
class TokenLogprob:
    """A token, its natural-log probability and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()
    raw: bytes | None = None
    """The token's bytes, where they are known: a character may lie over several tokens."""


@dataclass(frozen=True)
class Usage:
    """Tokens read and written; `cached` of the prompt's tokens were still in memory."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    queue_s: float = 0.0
    load_s: float = 0.0
    run_s: float = 0.0


@dataclass(frozen=True)
class CallDelta:
    """A piece of a tool call. The first piece of a call has `id` and `name`, all have some of the JSON `arguments`."""

    call: int
    """Which of the answer's calls it belongs to, from 0."""
    arguments: str = ""
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Delta:
    """A piece of an answer. The last one of each answer has `finish_reason` and `usage`."""

    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    index: int = 0
    """Which of the request's `choices` it belongs to, from 0."""
    calls: tuple[CallDelta, ...] = ()
    """Tool calls, from an engine that reads them out itself; the others leave them in the text."""


class Engine(Protocol):
    """Writes text with one or more models."""

    async def models(self) -> Sequence[InstalledModel]:
        """List what can answer now."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        """Write the answer piece by piece; closing the iterator frees what it holds at once.

        Raises:
            ContextTooLong: before any work, when the prompt does not fit.
            QueueFull: too many requests wait.
            ServiceError: the model cannot be loaded, or the other server failed.
        """
        ...

    def queue(self) -> dict[str, int]:
        """Return how many requests are `running` and `waiting`."""
        ...

    async def close(self) -> None:
        """Free models and connections."""
        ...


@runtime_checkable
class Elsewhere(Protocol):
    """What an engine can tell besides when its models run on other servers."""

    async def sees(self, model_id: str) -> bool:
        """Say whether the model reads pictures."""
        ...

    def away(self) -> Sequence[str]:
        """Name the servers that did not answer when they were last asked for their models."""
        ...


@dataclass(frozen=True)
class Description:
    """What a picture shows, in words; `model` is the one that saw it."""

    url: str
    text: str
    model: str


class Describer(Protocol):
    """Tells in words what pictures show, for models that cannot see."""

    async def describe(self, url: str, bearer: Mapping[str, str], param: str) -> Description:
        """Describe the picture at `url` on behalf of the caller whose headers `bearer` are.

        Raises:
            ServiceError: the picture cannot be had or read (naming `param`), or nobody is there to look at it.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True)
class OtherModel:
    """A model that does not chat: what it does, and whether it is here or only in a catalogue."""

    id: str
    tasks: tuple[str, ...]
    installed: bool


class Neighbours(Protocol):
    """What the other services run."""

    async def find(self, name: str, bearer: Mapping[str, str]) -> OtherModel | None:
        """Return the model of that name, None when there is none or nobody can tell. Never raises."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class Album(Protocol):
    """The pictures that this system keeps itself: each is its owner's, and no stranger's rules hold for it."""

    def has(self, url: str) -> bool:
        """Tell whether a URL names a picture here."""
        ...

    async def inlined(self, url: str, bearer: Mapping[str, str], param: str) -> str:
        """Return the picture as a data URL, on behalf of the caller whose headers `bearer` are.

        Raises:
            ServiceError: there is none, it is somebody else's, or it cannot be read now (naming `param`).
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True)
class Persona:
    """Who the model speaks as. `created_at` in seconds since 1970; `id` is empty until it is kept."""

    name: str
    description: str = ""
    instructions: str = ""
    id: str = ""
    created_at: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


class Records(Protocol):
    """What the service keeps for its callers; every call blocks and may come from any thread."""

    def add_persona(self, owner: str, persona: Persona) -> Persona:
        """Keep a persona; it gets an id."""
        ...

    def personas(self, owner: str) -> Sequence[Persona]:
        """List the owner's personas, oldest first."""
        ...

    def persona(self, owner: str, persona_id: str) -> Persona:
        """Return one persona by id or name; raises NotFound."""
        ...

    def change_persona(self, owner: str, persona_id: str, changes: dict[str, str]) -> Persona:
        """Change some fields; raises NotFound."""
        ...

    def delete_persona(self, owner: str, persona_id: str) -> None:
        """Remove a persona; raises NotFound."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...
