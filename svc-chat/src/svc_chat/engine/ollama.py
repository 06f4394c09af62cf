"""An Ollama server as a chat engine, over its own API (`/api/tags`, `/api/chat`, `/api/generate`)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx

from servicekit.errors import DeadlineExceeded, UpstreamFailed
from servicekit.models import InstalledModel
from svc_chat.engine.base import Delta, GenerationRequest, Sampling, Usage
from svc_chat.engine.openai_server import check_status, wire_message


class OllamaEngine:
    """Streams through an Ollama server at `base_url`."""

    def __init__(self, base_url: str, client: httpx.AsyncClient):
        self._base, self._client = base_url.rstrip("/"), client
        self._running = 0

    async def models(self) -> Sequence[InstalledModel]:
        try:
            answer = await self._client.get(f"{self._base}/api/tags", timeout=2.0)
            answer.raise_for_status()
            return [
                InstalledModel(str(m["name"]), "chat", owned_by="ollama", size_bytes=m.get("size"))
                for m in answer.json()["models"]
            ]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        path, body = _body(request)
        self._running += 1
        try:
            async with self._client.stream("POST", f"{self._base}{path}", json=body) as answer:
                await check_status(answer, "ollama")
                async for line in answer.aiter_lines():
                    if line.strip():
                        for delta in _read(line):
                            yield delta
        except httpx.TimeoutException as error:
            raise DeadlineExceeded(
                "The Ollama server took too long. Try again or raise its limit."
            ) from error
        except httpx.HTTPError as error:
            raise UpstreamFailed("The Ollama server cannot be reached. Is it running?") from error
        finally:
            self._running -= 1

    def queue(self) -> dict[str, int]:
        return {"running": self._running, "waiting": 0}

    async def close(self) -> None:
        await self._client.aclose()


def _body(request: GenerationRequest) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"model": request.model_id, "stream": True, "options": _options(request.sampling)}
    if request.json_schema is not None:
        body["format"] = dict(request.json_schema)
    if request.prompt is not None:
        return "/api/generate", {**body, "prompt": request.prompt, "raw": True}
    return "/api/chat", {**body, "messages": [wire_message(message) for message in request.messages]}


def _options(sampling: Sampling) -> dict[str, Any]:
    options: dict[str, Any] = {
        "num_predict": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "stop": list(sampling.stop),
    }
    if sampling.seed is not None:
        options["seed"] = sampling.seed
    return options


def _read(line: str) -> list[Delta]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise UpstreamFailed("The Ollama server sent something that is not JSON.") from error
    if "error" in event:
        raise UpstreamFailed("The Ollama server reported an error while it was answering.")
    text = event.get("response") or (event.get("message") or {}).get("content") or ""
    deltas = [Delta(text)] if text else []
    if event.get("done"):
        usage = Usage(event.get("prompt_eval_count", 0), event.get("eval_count", 0))
        reason = "length" if event.get("done_reason") == "length" else "stop"
        deltas.append(Delta(finish_reason=reason, usage=usage))  # type: ignore[arg-type]
    return deltas
