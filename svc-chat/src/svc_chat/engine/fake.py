"""A deterministic engine without weights: it says back what it was told. For tests and development."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from servicekit.models import InstalledModel
from svc_chat.engine.base import Delta, GenerationRequest, TokenLogprob, Usage
from svc_chat.errors import ContextTooLong


class FakeEngine:
    """Answers `echo: <last message>` word by word, or `script` when one is given."""

    def __init__(self, script: str | None = None, context_tokens: int = 1000, delay_s: float = 0.0):
        self.script, self.context_tokens, self.delay_s = script, context_tokens, delay_s
        self.requests: list[GenerationRequest] = []
        self.running = 0

    async def models(self) -> Sequence[InstalledModel]:
        return [InstalledModel("fake-chat", "chat", builtin=True, license="MIT", languages=("en", "pt"))]

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        self.requests.append(request)
        told = request.prompt if request.prompt is not None else request.messages[-1].content
        read = len(" ".join(m.content for m in request.messages).split()) + len(
            (request.prompt or "").split()
        )
        if read >= self.context_tokens:
            raise ContextTooLong(read, self.context_tokens)
        words = (self.script if self.script is not None else f"echo: {told}").split(" ")
        self.running += 1
        try:
            for index, word in enumerate(words[: request.sampling.max_tokens]):
                await asyncio.sleep(self.delay_s)
                text = word if index == 0 else f" {word}"
                scored = request.sampling.top_logprobs is not None
                yield Delta(text, (TokenLogprob(text, -0.5, ((text, -0.5),)),) if scored else ())
        finally:
            self.running -= 1
        wrote = min(len(words), request.sampling.max_tokens)
        reason = "length" if wrote < len(words) else "stop"
        yield Delta("", finish_reason=reason, usage=Usage(read, wrote))  # type: ignore[arg-type]

    def queue(self) -> dict[str, int]:
        return {"running": self.running, "waiting": 0}

    async def close(self) -> None:
        return None
