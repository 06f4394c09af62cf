"""Engines without weights or servers, for tests: a chat that says what it is told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from servicekit.errors import NotReady
from svc_rag.engine.base import ChatReply


class FakeChat:
    """ChatModel that answers `text` (None: is away) and remembers what it was asked."""

    def __init__(self, text: str | None = None):
        self.text = text
        self.asked: list[Sequence[dict[str, str]]] = []
        self.bearers: list[Mapping[str, str]] = []
        self.trained: list[str] = []

    async def reply(
        self, messages: Sequence[dict[str, str]], bearer: Mapping[str, str], max_tokens: int
    ) -> ChatReply:
        """Return the text."""
        self.asked.append(messages)
        self.bearers.append(bearer)
        if self.text is None:
            raise NotReady("The chat service does not answer.")
        return ChatReply(self.text, "fake-chat")

    async def train(self, text: str, bearer: Mapping[str, str]) -> None:
        """Remember the text."""
        if self.text is None:
            raise NotReady("The chat service does not answer.")
        self.trained.append(text)

    async def close(self) -> None:
        """Do nothing."""
