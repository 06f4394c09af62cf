"""ChatModel: svc-chat (or any OpenAI-compatible server) by HTTP. Knows no documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx

from servicekit.errors import DeadlineExceeded, NotReady, UpstreamFailed
from servicekit.tracing import pass_on
from svc_rag.engine.base import ChatReply


class ChatServer:
    """Asks `POST {url}/v1/chat/completions` as the caller."""

    def __init__(self, url: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None):
        timeout = httpx.Timeout(timeout_s, connect=2.0)
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"), timeout=timeout, transport=transport, event_hooks={"request": [pass_on]}
        )

    async def reply(
        self, messages: Sequence[dict[str, str]], bearer: Mapping[str, str], max_tokens: int
    ) -> ChatReply:
        """Return the answer. Raises NotReady, UpstreamFailed, DeadlineExceeded."""
        body = {"messages": list(messages), "max_tokens": max_tokens, "temperature": 0}
        try:
            answer = await self._client.post("/v1/chat/completions", json=body, headers=dict(bearer))
            answer.raise_for_status()
            found = answer.json()
            return ChatReply(
                str(found["choices"][0]["message"]["content"] or ""), str(found.get("model", "chat"))
            )
        except httpx.ConnectError as exc:
            raise NotReady("The chat service does not answer; try again in a moment.") from exc
        except httpx.TimeoutException as exc:
            raise DeadlineExceeded("The chat service took too long.") from exc
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as exc:
            raise UpstreamFailed("The chat service gave an answer that cannot be used.") from exc

    async def train(self, text: str, bearer: Mapping[str, str]) -> None:
        """Hand a text on to `POST /train`. Raises NotReady, UpstreamFailed."""
        try:
            answer = await self._client.post("/train", json={"training_data": text}, headers=dict(bearer))
            answer.raise_for_status()
        except httpx.ConnectError as exc:
            raise NotReady("The chat service does not answer; try again in a moment.") from exc
        except httpx.HTTPError as exc:
            raise UpstreamFailed("The chat service did not take the training text.") from exc

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
