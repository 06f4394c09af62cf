"""One call for each ability of the stack, with a check that the answer means something. Stdlib only.

Knows the API and nothing of how the stack was started.
"""

from __future__ import annotations

import base64
import json
import struct
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from deploy.console import say
from deploy.services import Service

CALL_TIMEOUT_S = 180.0
JOB_TIMEOUT_S = 180.0
DOCUMENT = (
    "The Oficina handbook\n\nThe workshop was founded in Curitiba in 1987 by Helena Prado.\n\n"
    "The red lathe in hall four is serviced every ninth of March.\n"
)


class CallFailed(Exception):
    """A call that did not answer, or whose answer is wrong."""


class Caller:
    """Sends requests with one API key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def json(self, url: str, body: object = None, method: str | None = None) -> Any:
        """Send `body` as JSON and return the decoded answer; raise CallFailed on any other status than 2xx."""
        content = None if body is None else json.dumps(body).encode()
        return json.loads(self.raw(url, content, "application/json", method))

    def raw(self, url: str, content: bytes | None, media_type: str, method: str | None = None) -> bytes:
        """Send bytes and return the answer's bytes."""
        headers = {"authorization": f"Bearer {self._key}"}
        if content is not None:
            headers["content-type"] = media_type
        request = urllib.request.Request(url, data=content, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S) as answer:
                received: bytes = answer.read()
                return received
        except urllib.error.HTTPError as error:
            raise CallFailed(f"{url}: {error.code} {error.read()[:400].decode(errors='replace')}") from error
        except OSError as error:
            raise CallFailed(f"{url}: {error}") from error


def check_all(caller: Caller, services: Iterable[Service], url_of: Callable[[Service], str]) -> None:
    """Call every ability through the gateway and on its own port; raise with all that failed."""
    by_name = {service.name: url_of(service) for service in services}
    gateway, failed = by_name["gateway"], []
    for name, check in CHECKS.items():
        for through, base in (("gateway", gateway), ("own port", by_name[name])):
            started = time.monotonic()
            try:
                said = check(caller, base)
                say(f"    {name:14} {through:9} {time.monotonic() - started:5.1f} s  {said}")
            except (CallFailed, KeyError, IndexError, TypeError, ValueError) as error:
                failed.append(f"{name} ({through}): {error!r}")
                say(f"    {name:14} {through:9} FAILED  {error!r}")
    if failed:
        raise CallFailed(f"{len(failed)} calls failed: " + "; ".join(failed))


def chat(caller: Caller, base: str) -> str:
    """Ask for a greeting."""
    messages = [{"role": "user", "content": "Hello! Who are you?"}]
    body = {"messages": messages, "max_tokens": 48, "temperature": 0}
    answer = caller.json(f"{base}/v1/chat/completions", body)
    text = str(answer["choices"][0]["message"]["content"])
    return _shown(text)


def draw(caller: Caller, base: str) -> str:
    """Have a scene drawn."""
    body = {
        "prompt": "um círculo vermelho grande sobre um fundo azul",
        "response_format": "b64_json",
        "steps": 6,
    }
    answer = caller.json(f"{base}/v1/images/generations", body)
    content = base64.b64decode(answer["data"][0]["b64_json"])
    return f"picture of {len(content)} bytes"


def caption(caller: Caller, base: str) -> str:
    """Have a picture of one colour described."""
    url = "data:image/png;base64," + base64.b64encode(plain_png(64, 64, (30, 60, 220))).decode()
    answer = caller.json(f"{base}/v1/vision/captions", {"image_url": url})
    return _shown(str(answer.get("caption") or answer["captions"][0]["text"]))


def translate(caller: Caller, base: str) -> str:
    """Have a sentence translated."""
    body = {"text": "a large red circle on a blue background", "source": "en", "target": "pt"}
    return _shown(str(caller.json(f"{base}/v1/translations", body)["translations"][0]["text"]))


def speak(caller: Caller, base: str) -> str:
    """Have a sentence spoken."""
    body = json.dumps({"input": "Bom dia! Tudo bem?", "voice": "pt-br", "response_format": "wav"}).encode()
    audio = caller.raw(f"{base}/v1/audio/speech", body, "application/json")
    if audio[:4] != b"RIFF":
        raise CallFailed(f"no WAV: {audio[:40]!r}")
    return f"{len(audio)} bytes of speech"


def ask(caller: Caller, base: str) -> str:
    """Upload a document, wait until it is found and ask about it."""
    boundary = "oficina-smoke-boundary"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="handbook.txt"\r\n'
    body = f"{head}Content-Type: text/plain\r\n\r\n{DOCUMENT}\r\n--{boundary}--\r\n".encode()
    media_type = f"multipart/form-data; boundary={boundary}"
    job = json.loads(caller.raw(f"{base}/v1/documents", body, media_type))
    deadline = time.monotonic() + JOB_TIMEOUT_S
    while job["status"] not in ("completed", "failed", "cancelled"):
        if time.monotonic() > deadline:
            raise CallFailed(f"document not indexed after {JOB_TIMEOUT_S:.0f} s: {job}")
        time.sleep(0.3)
        job = caller.json(f"{base}/v1/jobs/{job['id']}")
    if job["status"] != "completed":
        raise CallFailed(f"document not indexed: {job}")
    answer = caller.json(f"{base}/ask/question", {"question": "Who founded the workshop in Curitiba?"})
    quotes = " ".join(str(c["quote"]) for c in answer["citations"])
    if not answer["found"] or "Helena Prado" not in quotes + str(answer["answer"]):
        raise CallFailed(f"the document was not found: {answer}")
    return _shown(str(answer["answer"]))


def page(caller: Caller, base: str) -> str:
    """Fetch the web page."""
    content = caller.raw(f"{base}/", None, "")
    if b"<script" not in content:
        raise CallFailed("the page is not the built page")
    return f"page of {len(content)} bytes"


CHECKS: dict[str, Callable[[Caller, str], str]] = {
    "svc-chat": chat,
    "svc-image-gen": draw,
    "svc-vision": caption,
    "svc-translate": translate,
    "svc-tts": speak,
    "svc-rag": ask,
    "frontend": page,
}


def plain_png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """Return a PNG of one colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _shown(text: str) -> str:
    if not text.strip():
        raise CallFailed("an empty answer")
    return " ".join(text.split())[:70]
