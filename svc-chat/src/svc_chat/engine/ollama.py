"""An Ollama server as a chat engine, over its own API (`/api/tags`, `/api/show`, `/api/chat`, `/api/generate`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx

from servicekit.errors import BadRequest
from servicekit.models import InstalledModel
from svc_chat.engine.base import PICTURE_PLACE, Delta, GenerationRequest, Message, Sampling
from svc_chat.engine.modellist import ModelList
from svc_chat.engine.ollama_events import EventReader, arguments_of
from svc_chat.engine.picture_parts import fetched
from svc_chat.engine.remote import OutOfTime, Server
from svc_chat.engine.tool_text import as_text
from svc_chat.together import together
from svc_chat.tool_marks import CLOSE

CHOICES_AT_ONCE = 2
"""Answers to one prompt that are asked for side by side: the API has no `n`."""
_OLD_EYES = {"clip", "mllama"}
"""Families by which servers told that a model sees before they told its capabilities."""


class OllamaEngine:
    """Streams through an Ollama server at `base_url`.

    Forced calls are asked for by a schema, as the API has no way to force one; there is then one call.
    """

    def __init__(
        self,
        base_url: str,
        client: httpx.AsyncClient,
        name: str = "ollama",
        *,
        timeout_s: float = 300.0,
        allow_hosts: Iterable[str] = (),
    ):
        self._base, self._name = base_url.rstrip("/"), name
        self._server = Server(name, client, timeout_s=timeout_s, remedy="Check OLLAMA_HOST.")
        self._list = ModelList(self._ask_models)
        self._allow_hosts = tuple(allow_hosts)
        self._seeing: dict[str, bool] = {}

    async def models(self) -> Sequence[InstalledModel]:
        return await self._list.get()

    async def sees(self, model_id: str) -> bool:
        if model_id not in self._seeing:
            try:
                self._seeing[model_id] = _sees(
                    await self._server.post(f"{self._base}/api/show", {"model": model_id})
                )
            except (httpx.HTTPError, ValueError, TypeError, AttributeError):
                return False
        return self._seeing[model_id]

    def away(self) -> Sequence[str]:
        return (self._name,) if self._list.away else ()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        if request.sampling.logit_bias:
            raise BadRequest("Ollama's API has no 'logit_bias'. Leave it out.", param="logit_bias")
        streams = [self._choice(request, index) for index in range(request.choices)]
        async with aclosing(together(streams, CHOICES_AT_ONCE)) as deltas:
            async for delta in deltas:
                yield delta

    def queue(self) -> dict[str, int]:
        return {"running": self._server.running, "waiting": 0}

    async def close(self) -> None:
        await self._list.close()
        await self._server.close()

    async def _choice(self, request: GenerationRequest, index: int) -> AsyncGenerator[Delta, None]:
        path, body = await self._body(request, index)
        reader = EventReader(self._server)
        try:
            async with aclosing(self._server.lines(f"{self._base}{path}", body, request.timeout_s)) as lines:
                async for line in lines:
                    for delta in reader.read(line):
                        yield replace(delta, index=index)
        except OutOfTime:
            reader.cut()
        yield replace(reader.end(), index=index)

    async def _ask_models(self) -> list[InstalledModel]:
        rows = (await self._server.get(f"{self._base}/api/tags"))["models"]
        return [
            InstalledModel(str(row["name"]), "chat", owned_by=self._name, size_bytes=row.get("size"))
            for row in rows
        ]

    async def _body(self, request: GenerationRequest, index: int) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {
            "model": request.model_id,
            "stream": True,
            "options": _options(request, index),
        }
        if request.sampling.top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": request.sampling.top_logprobs}
        if request.json_schema is not None:
            body["format"] = dict(request.json_schema)
        if request.prompt is not None:
            return "/api/generate", {**body, "prompt": request.prompt, "raw": True}
        messages: Sequence[Message] = request.messages
        if request.forced_tools:
            messages = as_text(messages, request.tools)
        elif request.tools:
            body["tools"] = [dict(tool) for tool in request.tools]
        return "/api/chat", {**body, "messages": await self._messages(messages)}

    async def _messages(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        pictures = await fetched(messages, self._allow_hosts)
        names = {
            call["id"]: call["function"]["name"] for m in messages for call in m.tool_calls if "id" in call
        }
        wires = []
        for message, found in zip(messages, pictures, strict=True):
            wire: dict[str, Any] = {"role": message.role, "content": message.content}
            if found:
                wire["content"] = message.content.replace(PICTURE_PLACE, "").strip()
                wire["images"] = [data for _, data in found]
            if message.tool_calls:
                wire["tool_calls"] = [_call(call) for call in message.tool_calls]
            if message.tool_call_id in names:
                wire["tool_name"] = names[message.tool_call_id]
            wires.append(wire)
        return wires


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {"function": {"name": function["name"], "arguments": arguments_of(function.get("arguments"))}}


def _sees(shown: Mapping[str, Any]) -> bool:
    families = (shown.get("details") or {}).get("families") or []
    return "vision" in (shown.get("capabilities") or []) or bool(_OLD_EYES & set(families))


def _options(request: GenerationRequest, index: int) -> dict[str, Any]:
    sampling: Sampling = request.sampling
    options: dict[str, Any] = {
        "num_predict": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "stop": [text for text in sampling.stop if text != CLOSE or not request.tools],
    }
    if sampling.seed is not None:
        options["seed"] = sampling.seed + index
    return options
