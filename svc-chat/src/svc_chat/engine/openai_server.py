"""Another server that speaks OpenAI's API (vLLM, llama-server, LM Studio, …) as a chat engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx

from servicekit.models import InstalledModel
from svc_chat.engine.base import ANY_OBJECT, Delta, GenerationRequest, Message, Sampling
from svc_chat.engine.modellist import ModelList
from svc_chat.engine.openai_chunks import ChunkReader
from svc_chat.engine.picture_parts import fetched, parts
from svc_chat.engine.remote import OutOfTime, Server
from svc_chat.tool_marks import CLOSE

_EXTRAS = {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repetition_penalty"}
"""Fields beyond OpenAI's, by the names that vLLM and llama-server know; sent only when they were asked for."""
_DEFAULTS = Sampling()


class OpenAIServerEngine:
    """Streams through; knows nothing of the models but their names.

    Args:
        base_url: up to and with `/v1`.
        client: made with time-outs; closed by `close`.
        seeing: ids of models that read pictures, `*` for all, beside those of which the server says so.
        allow_hosts: hosts of the own network that pictures may be fetched from.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        client: httpx.AsyncClient,
        name: str = "openai-server",
        *,
        timeout_s: float = 300.0,
        seeing: Iterable[str] = (),
        allow_hosts: Iterable[str] = (),
    ):
        self._base, self._name = base_url.rstrip("/"), name
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._server = Server(
            name, client, timeout_s=timeout_s, headers=headers, remedy="Check OPENAI_API_KEY."
        )
        self._list = ModelList(self._ask_models)
        self._told_seeing, self._seeing, self._allow_hosts = frozenset(seeing), set[str](), tuple(allow_hosts)

    async def models(self) -> Sequence[InstalledModel]:
        return await self._list.get()

    async def sees(self, model_id: str) -> bool:
        return model_id in self._told_seeing or "*" in self._told_seeing or model_id in self._seeing

    def away(self) -> Sequence[str]:
        return (self._name,) if self._list.away else ()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        missing = list(range(request.choices))
        while missing:
            asked = missing[:1] if len(missing) < request.choices else missing
            part = _only(request, asked)
            reader = ChunkReader(self._server, part)
            async with aclosing(self._read(part, reader)) as deltas:  # type: ignore[type-var]
                async for delta in deltas:
                    yield replace(delta, index=asked[delta.index])
            # some servers overlook `n` and write one choice: the others are asked for one by one
            missing = [index for index in missing if index not in {asked[seen] for seen in reader.seen}]

    def queue(self) -> dict[str, int]:
        return {"running": self._server.running, "waiting": 0}

    async def close(self) -> None:
        await self._list.close()
        await self._server.close()

    async def _read(self, request: GenerationRequest, reader: ChunkReader) -> AsyncIterator[Delta]:
        path, body = await self._body(request)
        try:
            async with aclosing(self._server.lines(f"{self._base}{path}", body, request.timeout_s)) as lines:
                async for line in lines:
                    for delta in reader.read(line):
                        yield delta
                    if reader.done:
                        break
        except OutOfTime:
            reader.cut()
        for delta in reader.end():
            yield delta

    async def _ask_models(self) -> list[InstalledModel]:
        rows = (await self._server.get(f"{self._base}/models"))["data"]
        self._seeing = {str(row["id"]) for row in rows if _reads_pictures(row)}
        return [InstalledModel(str(row["id"]), "chat", owned_by=self._name) for row in rows]

    async def _body(self, request: GenerationRequest) -> tuple[str, dict[str, Any]]:
        body = _sampling(request)
        if request.prompt is not None:
            if request.sampling.top_logprobs is not None:
                body["logprobs"] = request.sampling.top_logprobs
            return "/completions", {**body, "prompt": request.prompt}
        if request.sampling.top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": request.sampling.top_logprobs}
        pictures = await fetched(request.messages, self._allow_hosts)
        messages = [wire_message(m, found) for m, found in zip(request.messages, pictures, strict=True)]
        return "/chat/completions", {**body, "messages": messages, **_tools(request), **_format(request)}


def wire_message(message: Message, pictures: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Write a message as OpenAI's API has it; `pictures` as (media type, base64)."""
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if pictures:
        wire["content"] = parts(message.content, pictures)
    if message.name:
        wire["name"] = message.name
    if message.tool_calls:
        wire["tool_calls"] = [dict(call) for call in message.tool_calls]
        wire["content"] = message.content or None
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _only(request: GenerationRequest, choices: Sequence[int]) -> GenerationRequest:
    """Return the request for some of its choices, with a seed of their own."""
    seed = request.sampling.seed
    if seed is not None:
        seed += choices[0]
    return replace(request, choices=len(choices), sampling=replace(request.sampling, seed=seed))


def _sampling(request: GenerationRequest) -> dict[str, Any]:
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": request.model_id,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
    }
    for field, name in _EXTRAS.items():
        if getattr(sampling, field) != getattr(_DEFAULTS, field):
            body[name] = getattr(sampling, field)
    if request.choices > 1:
        body["n"] = request.choices
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    stop = [text for text in sampling.stop if text != CLOSE or not request.tools]
    return {**body, "stop": stop} if stop else body


def _tools(request: GenerationRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    wire: dict[str, Any] = {"tools": [dict(tool) for tool in request.tools]}
    if len(request.forced_tools) == 1:
        wire["tool_choice"] = {"type": "function", "function": {"name": request.forced_tools[0]}}
    elif request.forced_tools:
        wire["tool_choice"] = "required"
    return wire if request.parallel_calls else {**wire, "parallel_tool_calls": False}


def _format(request: GenerationRequest) -> dict[str, Any]:
    schema = request.json_schema
    if schema is None or request.forced_tools:
        return {}
    if schema == ANY_OBJECT:
        return {"response_format": {"type": "json_object"}}
    given = {"name": "answer", "schema": dict(schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": given}}


def _reads_pictures(row: Mapping[str, Any]) -> bool:
    """Say whether a row of `/models` tells that the model sees; several servers do, each in its way."""
    architecture = row.get("architecture") or {}
    told = [row.get("capabilities"), row.get("input_modalities"), architecture.get("input_modalities")]
    words = {str(word).lower() for given in told if isinstance(given, list) for word in given}
    return bool(words & {"image", "vision", "multimodal"}) or row.get("type") == "vlm"
