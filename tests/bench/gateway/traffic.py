"""What is sent and answered, the same for all: a chat call and its answer, 1.3 KB each way, and a stream of tokens."""

from __future__ import annotations

import json

MODEL = "bench"
PATH = "/v1/chat/completions"
CACHED_PATH = "/v1/translations"
KEY = "ofi_bench_0123456789abcdefgh"
"""What every contender that checks credentials is sent; it is made for the run and its empty data only."""
SIZE = 1300
"""Bytes of a call and of its answer."""


def question() -> bytes:
    """Return the body of a chat call, SIZE bytes long."""
    return _filled({"model": MODEL, "messages": [{"role": "user", "content": ""}]})


def translation() -> bytes:
    """Return the body of a call whose answer the gateway keeps."""
    return _filled({"text": "", "source": "en", "target": "pt"})


def answer() -> bytes:
    """Return a whole chat completion, SIZE bytes long, that any OpenAI client can read."""
    message = {"role": "assistant", "content": ""}
    return _filled(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1700000000,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 300, "completion_tokens": 250, "total_tokens": 550},
        }
    )


def event(number: int) -> bytes:
    """Return one token of a stream."""
    choice = {"index": 0, "delta": {"content": f" w{number:03}"}, "finish_reason": None}
    chunk = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": MODEL,
        "choices": [choice],
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _filled(body: dict[str, object]) -> bytes:
    """Return `body` as JSON with its empty text made so long that the whole has SIZE bytes."""
    written = json.dumps(body, separators=(",", ":"))
    return written.replace('""', f'"{"x" * (SIZE - len(written))}"', 1).encode()
