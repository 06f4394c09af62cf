"""A deterministic engine without weights: it says back what it was told. For tests and development."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from servicekit.models import InstalledModel
from svc_chat.engine.base import Delta, Description, FinishReason, GenerationRequest, TokenLogprob, Usage
from svc_chat.errors import ContextTooLong


class FakeEngine:
    """Answers `echo: <last message>` word by word, or `script` (a list: one for each choice).

    Several choices come in turns, a word each. Honours max_tokens, stop, timeout_s and top_logprobs,
    and goes on after an `answer_prefix` that is the beginning of what it says. After `holds_after` words it
    waits until that is None.
    """

    def __init__(
        self,
        script: str | Sequence[str] | None = None,
        context_tokens: int = 1000,
        delay_s: float = 0.0,
        *,
        builtin: bool = True,
        holds_after: int | None = None,
    ):
        self.script, self.context_tokens, self.delay_s = script, context_tokens, delay_s
        self.builtin, self.holds_after = builtin, holds_after
        self.requests: list[GenerationRequest] = []
        self.running = 0

    async def models(self) -> Sequence[InstalledModel]:
        return [
            InstalledModel("fake-chat", "chat", builtin=self.builtin, license="MIT", languages=("en", "pt"))
        ]

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        self.requests.append(request)
        told = request.prompt if request.prompt is not None else request.messages[-1].content
        read = len(" ".join(m.content for m in request.messages).split()) + len(
            (request.prompt or "").split()
        )
        if read >= self.context_tokens:
            raise ContextTooLong(read, self.context_tokens)
        answers = [self._words(told, index, request) for index in range(request.choices)]
        wrote = [0] * request.choices
        deadline = time.monotonic() + (request.timeout_s or 3600.0)
        self.running += 1
        try:
            while open_ones := [i for i, words in enumerate(answers) if wrote[i] <= len(words)]:
                for index in open_ones:
                    await asyncio.sleep(self.delay_s)
                    words, place = answers[index], wrote[index]
                    while self.holds_after is not None and place >= self.holds_after:  # noqa: ASYNC110 - set from any thread
                        await asyncio.sleep(0.005)
                    late = time.monotonic() > deadline
                    if place == len(words) or place == request.sampling.max_tokens or late:
                        reason: FinishReason = "stop" if place == len(words) else "length"
                        yield Delta("", finish_reason=reason, usage=Usage(read, place), index=index)
                        wrote[index] = len(words) + 1
                        continue
                    scores = _scores(words[place], request.sampling.top_logprobs)
                    yield Delta(words[place], scores, index=index)
                    wrote[index] += 1
        finally:
            self.running -= 1

    def queue(self) -> dict[str, int]:
        return {"running": self.running, "waiting": 0}

    async def close(self) -> None:
        return None

    def _words(self, told: str, index: int, request: GenerationRequest) -> list[str]:
        script = f"echo: {told}" if self.script is None else self.script
        text = script if isinstance(script, str) else script[index % len(script)]
        text = text.removeprefix(request.answer_prefix)
        ends = [text.find(stop) for stop in request.sampling.stop if stop and stop in text]
        words = text[: min(ends, default=len(text))].split(" ")
        return [word if place == 0 else f" {word}" for place, word in enumerate(words)]


class FakeDescriber:
    """Sees on each picture that it is called by its URL, or raises `error`."""

    def __init__(self, error: Exception | None = None):
        self.error = error
        self.asked: list[tuple[str, Mapping[str, str], str]] = []

    async def describe(self, url: str, bearer: Mapping[str, str], param: str) -> Description:
        self.asked.append((url, bearer, param))
        if self.error is not None:
            raise self.error
        return Description(url, f"a picture called {url.rsplit('/', 1)[-1]}", "fake-eyes")

    async def close(self) -> None:
        return None


def _scores(text: str, top: int | None) -> tuple[TokenLogprob, ...]:
    if top is None:
        return ()
    return (TokenLogprob(text, -0.5, ((text, -0.5), (" other", -2.0))[:top]),)
