"""The fetch itself: http, https and data URLs, with a size limit, a deadline and checked redirects.

Every hop is resolved once, checked, and connected to at the checked address: a name that changes its
address between check and use (DNS rebinding) gains nothing. Proxies of the environment are ignored.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from urllib.parse import unquote_to_bytes

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from servicekit.fetch.address import Resolve, checked_addresses, system_resolve
from servicekit.fetch.errors import UrlNotAllowed, UrlTooLarge, UrlUnreachable, UrlWrongType

MAX_REDIRECTS = 5
MAX_URL_CHARS = 4096
_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK_BYTES = 64 * 1024
#: Types that say nothing: what the content is then shows when it is decoded.
_UNTOLD = {"", "application/octet-stream", "binary/octet-stream"}


@dataclass(frozen=True)
class Fetched:
    """What a URL held. `media_type` is lower case without parameters; empty if the server told none."""

    content: bytes
    media_type: str
    final_url: str


@dataclass(frozen=True)
class _Limits:
    max_bytes: int
    timeout_s: float
    allow_hosts: tuple[str, ...]
    media_types: tuple[str, ...]
    param: str | None


class _Pinned(AbstractResolver):
    """Hands out the addresses that were checked, whatever is asked for."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        return None


async def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_s: float = 10.0,
    allow_hosts: Iterable[str] = (),
    media_types: Iterable[str] | None = None,
    param: str | None = "url",
    resolve: Resolve = system_resolve,
) -> Fetched:
    """Fetch `url` (http, https or data).

    Args:
        max_bytes: most bytes of content; never more are kept.
        timeout_s: seconds for everything together, redirects included.
        allow_hosts: `host` or `host:port` that may be reached though not public.
        media_types: accepted types, such as `image/*`; None accepts all. A server that tells no type
            (or octet-stream) is let through: decoders go by the content.
        param: the request's field, for error messages.
        resolve: gives a name's addresses (for tests).

    Raises:
        UrlNotAllowed, UrlUnreachable, UrlTooLarge, UrlWrongType: each 400 with its own code.
    """
    limits = _Limits(max_bytes, timeout_s, tuple(allow_hosts), tuple(media_types or ()), param)
    if url[:5].lower() == "data:":
        return _decode_data(url, limits)
    try:
        async with asyncio.timeout(timeout_s):
            return await _follow(_parse(url, param), limits, resolve)
    except TimeoutError as exc:
        raise UrlUnreachable(
            f"The server did not deliver within {timeout_s:g} seconds. Try again, or send the content itself.",
            param=param,
        ) from exc


def _parse(text: str, param: str | None) -> URL:
    def refuse(why: str) -> UrlNotAllowed:
        return UrlNotAllowed(f"The URL {why}. Use a plain http:// or https:// address.", param=param)

    if len(text) > MAX_URL_CHARS:
        raise refuse(f"has {len(text)} characters, {MAX_URL_CHARS} at most are read")
    if "\\" in text or any(ord(char) <= 32 or ord(char) == 127 for char in text):
        raise refuse("holds a backslash, a space or a control character")
    try:
        url = URL(text)
        host, port, user, password = url.raw_host, url.port, url.raw_user, url.raw_password
    except (ValueError, TypeError) as exc:
        raise refuse("cannot be read") from exc
    if not url.scheme:
        raise refuse("names no scheme and host")
    if url.scheme not in ("http", "https"):
        raise refuse(f"begins with '{url.scheme[:20]}:'")
    if user is not None or password is not None or "@" in url.raw_authority:
        raise refuse("holds a user name or password")
    if not host or not port:
        raise refuse("names no host")
    return url


async def _follow(url: URL, limits: _Limits, resolve: Resolve) -> Fetched:
    for _ in range(MAX_REDIRECTS + 1):
        host, port = url.raw_host or "", url.port or 0
        addresses = await checked_addresses(host, port, limits.allow_hosts, resolve, limits.param)
        found = await _get(url, addresses, limits)
        if isinstance(found, Fetched):
            return found
        url = _parse(found, limits.param)
    raise UrlUnreachable(
        f"The URL redirects more than {MAX_REDIRECTS} times. Use the address it leads to.", param=limits.param
    )


async def _get(url: URL, addresses: list[str], limits: _Limits) -> Fetched | str:
    """One hop: the content, or the address it redirects to."""
    connector = aiohttp.TCPConnector(
        resolver=_Pinned(addresses), use_dns_cache=False, force_close=True, limit=1
    )
    session = aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,  # no compression bombs: plain content is asked for and nothing else read
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "oficina"},
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
    )
    try:
        async with session, session.get(url, allow_redirects=False) as answer:
            if answer.status in _REDIRECTS and "location" in answer.headers:
                return _joined(url, answer.headers["location"], limits.param)
            if answer.status != 200:
                raise UrlUnreachable(
                    f"The server '{url.raw_host}' answered with status {answer.status}. Check the address.",
                    param=limits.param,
                )
            media_type = _checked_type(answer.headers, limits)
            return Fetched(await _read(answer, limits), media_type, str(url))
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        if isinstance(exc, TimeoutError):
            raise
        raise UrlUnreachable(
            f"The server '{url.raw_host}' could not be read ({type(exc).__name__}). "
            "Check the address, or send the content itself.",
            param=limits.param,
        ) from exc


def _joined(url: URL, location: str, param: str | None) -> str:
    try:
        return str(url.join(URL(location)))
    except (ValueError, TypeError) as exc:
        raise UrlUnreachable("The server redirects to an address that cannot be read.", param=param) from exc


def _checked_type(headers: Mapping[str, str], limits: _Limits) -> str:
    media_type = headers.get("Content-Type", "").split(";")[0].strip().lower()
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UrlWrongType(
            f"The server sends the content compressed ('{encoding[:20]}'), which is not read. "
            "Send the content itself.",
            param=limits.param,
        )
    _check_type(media_type, limits)
    return media_type


def _check_type(media_type: str, limits: _Limits) -> None:
    if not limits.media_types or media_type in _UNTOLD:
        return
    if not any(fnmatch(media_type, pattern) for pattern in limits.media_types):
        raise UrlWrongType(
            f"The URL holds '{media_type[:60]}'; this call reads {', '.join(limits.media_types)}.",
            param=limits.param,
        )


async def _read(answer: aiohttp.ClientResponse, limits: _Limits) -> bytes:
    if (answer.content_length or 0) > limits.max_bytes:
        raise _too_large(limits)
    content = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > limits.max_bytes:
            raise _too_large(limits)
    return bytes(content)


def _too_large(limits: _Limits) -> UrlTooLarge:
    return UrlTooLarge(
        f"The URL holds more than {limits.max_bytes} bytes, the limit of this call. Use a smaller file.",
        param=limits.param,
    )


def _decode_data(url: str, limits: _Limits) -> Fetched:
    """Decode `data:[<type>][;base64],<content>` (RFC 2397)."""
    head, comma, body = url[5:].partition(",")
    if not comma:
        raise UrlNotAllowed("The data URL has no comma before its content.", param=limits.param)
    if len(body) > limits.max_bytes * 4:  # escaped, a byte takes three characters
        raise _too_large(limits)
    is_base64 = head.lower().endswith(";base64")
    media_type = head.split(";")[0].strip().lower() or "text/plain"
    _check_type(media_type, limits)
    content = unquote_to_bytes(body)
    if is_base64:
        try:
            content = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise UrlNotAllowed(
                "The data URL's content is not valid base64. Encode it again.", param=limits.param
            ) from exc
    if len(content) > limits.max_bytes:
        raise _too_large(limits)
    return Fetched(content, media_type, f"data:{media_type}")
