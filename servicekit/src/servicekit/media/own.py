"""Media of this house that a request names by their address: read in the caller's name, not fetched like a stranger's.

Owns which addresses are ours, and reading what is behind them through the gateway, which knows the service of each.
An address is only ever taken apart: nothing connects to where it points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from urllib.parse import urlsplit

import httpx

from servicekit import public
from servicekit.errors import NotReady, ServiceError, TooBusy, UpstreamFailed
from servicekit.fetch import Fetched, UrlTooLarge, UrlWrongType
from servicekit.hosts import is_allowed
from servicekit.media.store import no_such
from servicekit.signed import MEDIA, is_item
from servicekit.tracing import pass_on

_MAX_CHARS = 2048
"""Of an address of ours, with its token."""
_TIMEOUT = httpx.Timeout(30.0, connect=2.0)


class OwnMedia:
    """Reads media through the gateway at `url`; `hosts` are names of this machine, as `ALLOWED_HOSTS` has them."""

    def __init__(
        self, url: str, hosts: Iterable[str] = (), transport: httpx.AsyncBaseTransport | None = None
    ):
        self._client = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, transport=transport, event_hooks={"request": [pass_on]}
        )
        self._gateway = urlsplit(url).netloc.lower()
        self._hosts = tuple(host for host in hosts if host != "*")

    def path_of(self, url: str) -> str | None:
        """Return the path of the medium that `url` names, None when it is no address of ours.

        Ours are `/media/…` alone, and below the origin that the caller sees, the gateway's, or one of the `hosts`
        (each service has a port of its own). A token in the address is left out: the caller's credentials count.
        """
        if len(url) > _MAX_CHARS:  # a picture that stands in the URL itself, say, which urlsplit would keep
            return None
        try:
            parts = urlsplit(url)
            host = parts.netloc.lower()
        except ValueError:
            return None
        if not parts.path.startswith(MEDIA):
            return None
        if not parts.scheme and not host:
            return parts.path
        if parts.scheme.lower() not in ("http", "https") or not host:
            return None
        seen = urlsplit(public.origin()).netloc.lower()
        ours = host in (seen, self._gateway) or (is_item(parts.path) and is_allowed(host, self._hosts))
        return parts.path if ours else None

    async def read(
        self, path: str, bearer: Mapping[str, str], *, param: str, most_bytes: int, kind: str
    ) -> Fetched:
        """Read a medium of the caller whose headers `bearer` are; its type must match `kind`, such as `image/*`.

        Raises:
            NotFound: there is none, or it is somebody else's. UrlWrongType, UrlTooLarge: it is not what is read.
            TooBusy, NotReady, UpstreamFailed: nobody can tell now.
        """
        if not is_item(path):
            raise no_such(path.removeprefix(MEDIA), param)
        try:
            async with self._client.stream("GET", path, headers=dict(bearer)) as answer:
                if answer.status_code != 200:
                    raise _refusal(answer.status_code, path, param)
                media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                if not fnmatch(media_type, kind):
                    raise UrlWrongType(
                        f"The URL holds '{media_type[:60]}'; this call reads {kind}.", param=param
                    )
                return Fetched(await _content(answer, most_bytes, param), media_type, path)
        except httpx.HTTPError as error:
            raise NotReady(
                "The gateway, which knows where pictures are kept, does not answer. Try again.", param=param
            ) from error

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


async def _content(answer: httpx.Response, most_bytes: int, param: str) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > most_bytes:
            raise UrlTooLarge(
                f"The URL holds more than {most_bytes} bytes, the limit of this call. Use a smaller file.",
                param=param,
            )
    return bytes(content)


def _refusal(status: int, path: str, param: str) -> ServiceError:
    if status == 404:
        return no_such(path.removeprefix(MEDIA), param)
    if status == 429:
        return TooBusy("The service that keeps the picture is busy. Try again.", param=param)
    if status >= 500:
        return NotReady("The service that keeps the picture is not ready. Try again.", param=param)
    return UpstreamFailed(f"The picture could not be read (status {status}).", param=param)
