"""Another server that speaks OpenAI's API (vLLM, llama-server, LM Studio, ...) as a chat engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx

from servicekit.errors import BadRequest, DeadlineExceeded, TooBusy, UpstreamFailed
from servicekit.models import InstalledModel
from svc_chat.engine.base import Delta, GenerationRequest, Message, Usage


class OpenAIServerEngine:
    """Streams through; knows nothing of the models but their names.

    Args:
        base_url: up to and with `/v1`.
        client: made with time-outs; closed by `close`.
    """

    def __init__(self, base_url: str, api_key: str, client: httpx.AsyncClient, name: str = "openai-server"):
        self._base, self._client, self._name = base_url.rstrip("/"), client, name
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._running = 0

    async def models(self) -> Sequence[InstalledModel]:
        try:
            answer = await self._client.get(f"{self._base}/models", headers=self._headers, timeout=2.0)
            answer.raise_for_status()
            return [InstalledModel(str(m["id"]), "chat", owned_by=self._name) for m in answer.json()["data"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        path, body = _body(request)
        self._running += 1
        try:
            async with self._client.stream(
                "POST", f"{self._base}{path}", json=body, headers=self._headers
            ) as answer:
                await check_status(answer, self._name)
                async for delta in _deltas(answer):
                    yield delta
        except httpx.TimeoutException as error:
            raise DeadlineExceeded(f"The server '{self._name}' took too long. Try again.") from error
        except httpx.HTTPError as error:
            raise UpstreamFailed(f"The server '{self._name}' cannot be reached. Is it running?") from error
        finally:
            self._running -= 1

    def queue(self) -> dict[str, int]:
        return {"running": self._running, "waiting": 0}

    async def close(self) -> None:
        await self._client.aclose()


async def check_status(answer: httpx.Response, name: str) -> None:
    """Turn another server's failure into ours; its text is not passed on."""
    if answer.status_code < 400:
        return
    await answer.aread()
    if answer.status_code == 429:
        raise TooBusy(f"The server '{name}' is busy. Try again.", retry_after_s=2)
    if answer.status_code in (400, 404, 413, 422):
        raise BadRequest(f"The server '{name}' refused this request with status {answer.status_code}.")
    raise UpstreamFailed(f"The server '{name}' answered with status {answer.status_code}.")


def wire_message(message: Message) -> dict[str, Any]:
    """Write a message as OpenAI's API has it."""
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name:
        wire["name"] = message.name
    if message.tool_calls:
        wire["tool_calls"] = [dict(call) for call in message.tool_calls]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _body(request: GenerationRequest) -> tuple[str, dict[str, Any]]:
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
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if request.prompt is not None:
        return "/completions", {**body, "prompt": request.prompt}
    body["messages"] = [wire_message(message) for message in request.messages]
    if request.json_schema is not None:
        schema = {"name": "answer", "schema": dict(request.json_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return "/chat/completions", body


async def _deltas(answer: httpx.Response) -> AsyncIterator[Delta]:
    reason, usage = "stop", Usage()
    async for line in answer.aiter_lines():
        if not line.startswith("data:") or line[5:].strip() == "[DONE]":
            continue
        try:
            chunk = json.loads(line[5:])
        except ValueError as error:
            raise UpstreamFailed("The other server sent something that is not JSON.") from error
        if chunk.get("usage"):
            read, wrote = chunk["usage"].get("prompt_tokens", 0), chunk["usage"].get("completion_tokens", 0)
            usage = Usage(read, wrote)
        for choice in chunk.get("choices", []):
            text = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
            reason = choice.get("finish_reason") or reason
            if text:
                yield Delta(text)
    yield Delta(finish_reason="length" if reason == "length" else "stop", usage=usage)
