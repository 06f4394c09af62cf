"""The chat service: resolves the model, applies persona and tools, lets an engine write.

Knows no HTTP: `api/` turns its events into OpenAI's, Ollama's and the older shapes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from servicekit.errors import NotReady
from servicekit.models import InstalledModel, resolve
from svc_chat.domain.conversation import with_persona
from svc_chat.domain.tools import OPEN, ToolPlan, plan, read_calls
from svc_chat.engine.base import (
    Delta,
    Engine,
    FinishReason,
    GenerationRequest,
    Message,
    Records,
    Sampling,
    TokenLogprob,
    Usage,
)


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


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    text: str
    tool_calls: tuple[dict[str, Any], ...]
    finish_reason: str
    usage: Usage
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """An Ask after checking: which model, exactly what it reads, which tools bind it."""

    model: InstalledModel
    request: GenerationRequest
    plan: ToolPlan


class ChatService:
    """Answers with the models of one engine (or a group of them)."""

    def __init__(
        self, engine: Engine, records: Records, *, aliases: Mapping[str, str], default: str, max_tokens: int
    ):
        self.engine, self.records = engine, records
        self._aliases, self._default, self._max_tokens = dict(aliases), default, max_tokens

    async def resolve(self, name: str | None) -> InstalledModel:
        """Return the model that `name` (or an alias, or nothing) means; raises ModelNotFound, NotReady."""
        models = await self.engine.models()
        if not models:
            raise NotReady("No chat model is installed. Set CHAT_MODEL_PATH to a GGUF file.")
        default = self._default or models[0].id
        return resolve(name, list(models), self._aliases, default)

    async def prepare(self, ask: Ask, owner: str) -> Prepared:
        """Check an Ask before any work; raises BadRequest, NotFound, ModelNotFound."""
        model = await self.resolve(ask.model)
        messages = ask.messages
        if ask.prompt is None:
            persona = None
            if ask.persona:
                persona = await asyncio.to_thread(self.records.persona, owner, ask.persona)
            messages = with_persona(messages, persona)
        tools = plan(ask.tools, ask.tool_choice)
        sampling = replace(ask.sampling, max_tokens=min(ask.sampling.max_tokens, self._max_tokens))
        request = GenerationRequest(
            model.id,
            messages,
            ask.prompt,
            tools.tools,
            tools.answer_prefix,
            tools.schema or ask.json_schema,
            sampling,
        )
        return Prepared(model, request, tools)

    async def answer(self, prepared: Prepared) -> Answer:
        """Write a whole answer."""
        text = ""
        scores: list[TokenLogprob] = []
        reason: FinishReason = "stop"
        usage = Usage()
        async for delta in self.engine.generate(prepared.request):
            text += delta.text
            scores.extend(delta.logprobs)
            reason = delta.finish_reason or reason
            usage = delta.usage or usage
        text, calls = split_calls(text, prepared.plan)
        return Answer(text, calls, "tool_calls" if calls else reason, usage, tuple(scores))

    async def stream(self, prepared: Prepared) -> AsyncIterator[Delta | tuple[dict[str, Any], ...]]:
        """Write an answer piece by piece; tool calls come whole, as a tuple, before the last Delta."""
        held = ""
        holding = bool(prepared.plan.forced)
        async for delta in self.engine.generate(prepared.request):
            if not prepared.plan.tools:
                yield delta
                continue
            held += delta.text
            holding = holding or OPEN in held
            shown, held = ("", held) if holding else release(held)
            if delta.finish_reason is None:
                if shown:
                    yield replace(delta, text=shown)
                continue
            rest, calls = split_calls(held, prepared.plan)
            if shown or rest:
                yield Delta(shown + rest)
            if calls:
                yield calls
            yield replace(delta, text="")


def release(held: str) -> tuple[str, str]:
    """Split text into what can be shown and a tail that may be the beginning of a tool call."""
    for length in range(min(len(OPEN) - 1, len(held)), 0, -1):
        if OPEN.startswith(held[-length:]):
            return held[:-length], held[-length:]
    return held, ""


def split_calls(text: str, tools: ToolPlan) -> tuple[str, tuple[dict[str, Any], ...]]:
    """Return plain text and tool calls of a whole answer."""
    if not tools.tools:
        return text, ()
    return read_calls(tools.answer_prefix + text)
