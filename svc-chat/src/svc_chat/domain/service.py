"""The chat service: resolves the model, applies persona, pictures and tools, lets an engine write.

Knows no HTTP: `api/` turns its Deltas into OpenAI's, Ollama's and the older shapes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, cast

from servicekit.errors import BadRequest, ModelNotFound, NoModel, NotReady
from servicekit.models import InstalledModel, resolve
from svc_chat.domain.analysis import Table, computes, said
from svc_chat.domain.answers import Answer, Gathering, gathered
from svc_chat.domain.callreader import CallReader
from svc_chat.domain.conversation import with_persona
from svc_chat.domain.marks import Unmarked, numbered
from svc_chat.domain.other_tasks import wrong_task
from svc_chat.domain.pictures import check_number, described, inlined
from svc_chat.domain.table_calls import TableCalls
from svc_chat.domain.tools import ToolPlan, plan
from svc_chat.engine.base import (
    ANY_OBJECT,
    Album,
    Delta,
    Describer,
    Description,
    Elsewhere,
    Engine,
    GenerationRequest,
    Message,
    Neighbours,
    Records,
    Sampling,
)

__all__ = ["Answer", "Ask", "ChatService", "Prepared"]


@dataclass(frozen=True)
class Ask:
    """What a caller wants, in our own words."""

    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    model: str | None = None
    persona: str | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    json_schema: Mapping[str, Any] | None = None
    sampling: Sampling = field(default_factory=Sampling)
    choices: int = 1
    parallel_tool_calls: bool = True
    timeout_s: float | None = None
    bearer: Mapping[str, str] = field(default_factory=dict)
    """Headers by which the caller's pictures are described in his name."""
    written: str = ""
    """What of the answer is there already; the model goes on after it."""
    tables: tuple[Table, ...] = ()
    """What the built-in model may compute with; others write code as they see fit."""


@dataclass(frozen=True)
class Prepared:
    """An Ask after checking: which model, exactly what it reads, which tools bind it."""

    model: InstalledModel
    request: GenerationRequest
    plan: ToolPlan
    descriptions: tuple[Description, ...] = ()
    """What was seen on pictures, in words that now stand in the messages."""

    def marks_nothing(self) -> bool:
        """Tell whether a mark of a passage at the answer's beginning has no passage (`domain.marks`)."""
        begins = not self.request.answer_prefix
        return (
            bool(self.descriptions) and self.model.builtin and begins and not numbered(self.request.messages)
        )


class ChatService:
    """Answers with the models of one engine (or a group of them)."""

    def __init__(
        self,
        engine: Engine,
        records: Records,
        *,
        aliases: Mapping[str, str],
        default: str,
        max_tokens: int,
        describer: Describer | None = None,
        album: Album | None = None,
        neighbours: Neighbours | None = None,
        visible: Callable[[str, str], bool] = lambda model_id, owner: True,
    ):
        self.engine, self.records = engine, records
        self._aliases, self._default, self._max_tokens = dict(aliases), default, max_tokens
        self._describer, self._album, self._neighbours = describer, album, neighbours
        self.visible = visible
        """Tells of a model's id and a caller whether the model is there for him."""
        self.tokens = {"prompt": 0, "cached": 0, "completion": 0}
        """Tokens read, found read already, and written by the answers that have ended."""

    async def models(self, owner: str) -> Sequence[InstalledModel]:
        """List what `owner` may use."""
        return [model for model in await self.engine.models() if self.visible(model.id, owner)]

    async def resolve(
        self, name: str | None, owner: str, bearer: Mapping[str, str] | None = None
    ) -> InstalledModel:
        """Return the model that `name` (or an alias, or nothing) means.

        Raises:
            ModelNotFound: nobody has it. WrongTask: another service has it (asked with the caller's `bearer`).
            NotReady: a server that may have it is away. NoModel: there is none at all.
        """
        models = await self.models(owner)
        away = self.engine.away() if isinstance(self.engine, Elsewhere) else ()
        if not models and away:
            raise NotReady(f"The server '{away[0]}' does not answer and no other chat model is installed.")
        if not models:
            raise NoModel(
                "No chat model is installed. Install one: POST /v1/models/install, or the page's tab Models. "
                "Or set CHAT_MODEL_PATH to a GGUF file."
            )
        try:
            return resolve(name, models, self._aliases, self._default or models[0].id)
        except ModelNotFound as error:
            if name and bearer is not None and self._neighbours is not None:
                other = await self._neighbours.find(name, bearer)
                if other is not None:
                    raise wrong_task(other, [model.id for model in models]) from error
            if not away:
                raise
            raise NotReady(
                f"The model '{str(name)[:80]}' is not installed here, and the server '{away[0]}', which may have it, "
                "does not answer. Try again.",
                param="model",
            ) from error

    async def prepare(self, ask: Ask, owner: str) -> Prepared:
        """Check an Ask before any work; raises BadRequest, NotFound, ModelNotFound, and what the describer raises."""
        model = await self.resolve(ask.model, owner, ask.bearer)
        messages = ask.messages
        descriptions: tuple[Description, ...] = ()
        if ask.prompt is None:
            persona = None
            if ask.persona:
                persona = await asyncio.to_thread(self.records.persona, owner, ask.persona)
            tools = plan(ask.tools, ask.tool_choice, parallel=ask.parallel_tool_calls)
            messages, descriptions = await self._seen(with_persona(messages, persona), ask, model)
        else:
            tools = ToolPlan()
        request = GenerationRequest(
            model.id,
            messages=messages,
            prompt=ask.prompt,
            tools=tools.tools,
            answer_prefix=tools.answer_prefix + ask.written,
            json_schema=tools.schema or ask.json_schema,
            repetition=tools.repetition,
            choices=ask.choices,
            timeout_s=ask.timeout_s,
            forced_tools=tools.forced,
            parallel_calls=tools.parallel,
            free_call=tools.free_schema,
            call_form=_call_form(ask),
            tables=computes(tools.names, messages[0].content if messages else ""),
            sampling=replace(
                ask.sampling,
                max_tokens=min(ask.sampling.max_tokens, self._max_tokens),
                stop=(*ask.sampling.stop, *tools.stop),
            ),
        )
        return Prepared(model, request, tools, descriptions)

    async def answer(self, prepared: Prepared) -> Answer:
        """Write one whole answer."""
        return (await self.answers(prepared))[0]

    async def answers(self, prepared: Prepared) -> list[Answer]:
        """Write as many whole answers as were asked for."""
        async with aclosing(self.events(prepared)) as deltas:
            return await gathered(deltas, prepared.request.choices)

    async def events(self, prepared: Prepared) -> AsyncGenerator[Delta, None]:
        """Write the answers piece by piece; tool calls come as `calls` and never in the text."""
        readers: dict[int, CallReader] = {}
        openings: dict[int, Unmarked] = {}
        bare = prepared.plan.forced != () or prepared.request.json_schema != ANY_OBJECT
        unmarked = prepared.marks_nothing()
        written = cast(AsyncGenerator[Delta, None], self.engine.generate(prepared.request))
        async with aclosing(written) as deltas:
            async for delta in deltas:
                self._count(delta)
                opened = openings.setdefault(delta.index, Unmarked()).read(delta) if unmarked else (delta,)
                if not prepared.plan.tools:
                    for piece in opened:
                        yield piece
                    continue
                if delta.index not in readers:
                    readers[delta.index] = CallReader(prepared.plan, bare=bare)
                for piece in opened:
                    for read in readers[delta.index].read(piece):
                        yield read

    def _count(self, delta: Delta) -> None:
        if delta.usage is None:
            return
        self.tokens["completion"] += delta.usage.completion_tokens
        if delta.index == 0:  # all answers to a request read the same prompt
            self.tokens["prompt"] += delta.usage.prompt_tokens
            self.tokens["cached"] += delta.usage.cached_tokens

    async def stream(self, prepared: Prepared) -> AsyncGenerator[Delta | tuple[dict[str, Any], ...], None]:
        """Write one answer piece by piece; its tool calls come whole, as a tuple, before the last Delta."""
        whole = Gathering()
        async with aclosing(self.events(prepared)) as deltas:
            async for delta in deltas:
                whole.add(replace(delta, text="", logprobs=()))
                if delta.finish_reason is not None and whole.calls():
                    yield whole.calls()
                if not delta.calls:
                    yield delta

    async def _seen(
        self, messages: tuple[Message, ...], ask: Ask, model: InstalledModel
    ) -> tuple[tuple[Message, ...], tuple[Description, ...]]:
        """Put words in the place of pictures, unless the model sees for itself."""
        if check_number(messages) == 0:
            return messages, ()
        if isinstance(self.engine, Elsewhere) and await self.engine.sees(model.id):
            return (await inlined(messages, self._album, ask.bearer) if self._album else messages), ()
        if self._describer is None:
            raise BadRequest(
                f"The model '{model.id}' reads text only, and no service that describes pictures is set "
                "(VISION_URL). POST /v1/vision/captions describes a picture.",
                param="messages",
            )
        return await described(messages, self._describer, ask.bearer, self._album)


def _call_form(ask: Ask) -> TableCalls | None:
    if not ask.tables:
        return None
    asked = [message.content for message in ask.messages if message.role == "user"]
    return TableCalls(ask.tables, said(asked[-1]) if asked else "")
