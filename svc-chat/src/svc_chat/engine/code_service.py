"""svc-code as a CodeInterpreter: over HTTP or its Unix socket, in the name of the caller. Knows no runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from servicekit.errors import BadRequest, NotFound, NotReady, ServiceError, TooBusy, UpstreamFailed
from svc_chat.engine.tools_base import CodeResult, InputFile, OutputFile

FILES_MAX = 10
"""Files of one execution that are kept."""
FILE_BYTES_MAX = 20 * 1024 * 1024
_BUSY_S, _BUSY_TRIES = 2.0, 15
"""How often, and how many times, a busy interpreter is asked again."""
_KNOWN_MAX = 1024
_STOPPED = {
    "memory": "It needed more memory than it may have and was ended.",
    "cpu": "It used more processor time than it may and was ended.",
    "files": "It made too many files and was ended; the session's files are gone.",
    "died": "It ended its own process.",
    "interrupted": "It was stopped.",
}


@dataclass
class _Session:
    """What is known of a session: its token changes when it is made anew, and then its files are gone."""

    token: str = ""
    files: dict[str, str] = field(default_factory=dict)
    """The id of the file that lies there, by the name that it has there."""


class CodeService:
    """Asks svc-code at `url`: `http://…`, or `unix:` and the path of its socket."""

    def __init__(self, url: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None):
        base = url.rstrip("/")
        if url.startswith("unix:"):
            transport = transport or httpx.AsyncHTTPTransport(uds=url.removeprefix("unix:"))
            base = "http://localhost"
        timeout = httpx.Timeout(timeout_s, connect=3.0)
        self._client = httpx.AsyncClient(base_url=base, timeout=timeout, transport=transport)
        self._known: OrderedDict[str, _Session] = OrderedDict()

    async def run(
        self, session_id: str, code: str, files: Sequence[InputFile], bearer: Mapping[str, str]
    ) -> CodeResult:
        """Run code where the files can be read; see CodeInterpreter."""
        session = await self._session(session_id, bearer)
        for file in files:
            if session.files.get(file.name) != file.id:
                path = f"{_path(session_id)}/files/{quote(file.name, safe='')}"
                await self._ask("PUT", path, bearer, content=_parts(file.path))
                session.files[file.name] = file.id
        done = await self._execute(session_id, code, bearer)
        try:
            session.token = str(done["session"]["token"])
            made = [str(file["name"]) for file in done["files"] if file["size"] <= FILE_BYTES_MAX]
            pictures = {str(f["name"]) for f in done["files"] if str(f["media_type"]).startswith("image/")}
            result = CodeResult(_printed(done), (), _error(done), bool(done["timed_out"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UpstreamFailed("svc-code gave an answer that cannot be used.") from error
        kept = [
            OutputFile(name, await self._download(session_id, name, bearer), name in pictures)
            for name in made[:FILES_MAX]
        ]
        return CodeResult(result.text, tuple(kept), result.error, result.timed_out)

    async def forget(self, session_id: str, bearer: Mapping[str, str]) -> None:
        """End a session with all its files; see CodeInterpreter."""
        self._known.pop(session_id, None)
        with contextlib.suppress(NotFound):
            await self._ask("DELETE", _path(session_id), bearer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _session(self, session_id: str, bearer: Mapping[str, str]) -> _Session:
        """Return what is known of a session, nothing when it is another one than before."""
        token = ""
        with contextlib.suppress(NotFound):
            token = str((await self._ask("GET", _path(session_id), bearer)).json()["token"])
        known = self._known.get(session_id)
        if known is None or known.token != token or not token:
            known = _Session(token)
        self._known[session_id] = known
        self._known.move_to_end(session_id)
        while len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return known

    async def _execute(self, session_id: str, code: str, bearer: Mapping[str, str]) -> Any:
        for left in range(_BUSY_TRIES, -1, -1):
            try:
                answer = await self._ask("POST", f"{_path(session_id)}/execute", bearer, json={"code": code})
                return answer.json()
            except TooBusy:
                if not left:
                    raise
                await asyncio.sleep(_BUSY_S)
        return None

    async def _download(self, session_id: str, name: str, bearer: Mapping[str, str]) -> bytes:
        path = f"{_path(session_id)}/files/{quote(name, safe='/')}"
        return (await self._ask("GET", path, bearer)).content

    async def _ask(self, method: str, path: str, bearer: Mapping[str, str], **options: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, headers=dict(bearer), **options)
        except httpx.TimeoutException as error:
            raise NotReady("The code interpreter (svc-code) took too long.") from error
        except httpx.HTTPError as error:
            raise NotReady("The code interpreter (svc-code) does not answer. Try again.") from error
        if answer.status_code < 400:
            return answer
        raise _failure(answer)


def _path(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}"


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while part := await asyncio.to_thread(file.read, 1 << 20):
            yield part


def _printed(done: Mapping[str, Any]) -> str:
    """Return what the code printed, and the value of its last expression."""
    parts = [done["stdout"], done["stderr"], done["result"]]
    stopped = _STOPPED.get(str(done["stopped"]))
    return "\n".join(str(part).rstrip("\n") for part in (*parts, stopped) if part)


def _error(done: Mapping[str, Any]) -> str | None:
    error = done["error"]
    if error is None:
        return None
    told = (
        "\n".join(str(line).rstrip("\n") for line in error["traceback"])
        or f"{error['name']}: {error['value']}"
    )
    return str(told).strip()


def _failure(answer: httpx.Response) -> ServiceError:
    """Return the error that svc-code told of: it is a service of this house, and says what is wrong."""
    try:
        message = str(answer.json()["error"]["message"])[:1000]
    except (ValueError, KeyError, TypeError):
        message = f"svc-code refused what was asked (status {answer.status_code})."
    if answer.status_code == 429:
        return TooBusy(message)
    if answer.status_code == 404:
        return NotFound(message)
    if answer.status_code in (503, 504):
        return NotReady(message, retry_after_s=None)
    if answer.status_code in (401, 403) or answer.status_code >= 500:
        return UpstreamFailed(f"svc-code could not do what was asked (status {answer.status_code}).")
    return BadRequest(message)
