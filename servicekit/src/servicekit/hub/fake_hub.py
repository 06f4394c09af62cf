"""A hub on this machine for tests: serves folders as repositories to the real client, with the faults that hubs have.

Speaks the part of the Hugging Face hub's HTTP API that installing uses: the listing of a repository with sizes and
hashes, and files with ranges, entity tags and redirects.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

LARGE_BYTES = 64 * 1024
"""Files over this size are listed with their SHA-256, as those in Git LFS are."""
_LISTING = re.compile(r"/api/models/([^/]+/[^/]+?)(?:/revision/([^/]+))?$")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
_ELSEWHERE = "/elsewhere"


class Client(Protocol):
    """What `install` needs of a test client."""

    def post(self, url: str, *, json: Any) -> Any: ...

    def get(self, url: str) -> Any: ...


@dataclass
class Faults:
    """What goes wrong; numbers count down to none."""

    cut: int = 0
    """Answers with a file that end in the middle."""
    cut_after: int = 4096
    """Bytes that a cut answer still gives."""
    refuse: int = 0
    """Answers with a file that are 429, to be tried again at once."""
    broken: int = 0
    """Answers that are 503."""
    wrong: int = 0
    """Files whose content is not what the listing promises."""
    bytes_per_s: float = 0.0
    """Speed of a file; 0: as fast as it goes."""
    waits_at: int = 0
    """Bytes of all files after which no more come until this is another number; 0: it never waits."""
    gated: bool = False
    redirect: bool = False
    """Files are at another address of the same server."""
    missing: set[str] = field(default_factory=set)
    """Files that are listed and not there."""


@dataclass(frozen=True)
class Asked:
    """One request that came in; `first` and `last` are the range's bytes."""

    method: str
    path: str
    first: int | None = None
    last: int | None = None


class FakeHub:
    """A running hub; use it as a context manager. `asked` is the log of its requests."""

    def __init__(self, repositories: Mapping[str, Mapping[str, bytes]], faults: Faults | None = None):
        self.repositories = {name: dict(files) for name, files in repositories.items()}
        self.faults = faults or Faults()
        self.asked: list[Asked] = []
        self.card: dict[str, Any] = {"license": "mit"}
        self.sent_bytes = 0
        hub = self

        class Handler(_Handler):
            served = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> FakeHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What `HF_ENDPOINT` is set to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def commit(self, repo: str) -> str:
        """Return the commit of a repository: it changes with its content."""
        digest = hashlib.sha1(usedforsecurity=False)
        for name, content in sorted(self.repositories[repo].items()):
            digest.update(name.encode() + b"\0" + content)
        return digest.hexdigest()

    def fetched(self, suffix: str) -> int:
        """Return how many bytes of files with that ending were asked for."""
        total = 0
        for asked in self.asked:
            if asked.method == "GET" and "/resolve/" in asked.path and asked.path.endswith(suffix):
                found = _FILE.match(unquote(asked.path))
                size = len(self.repositories[found[1]][found[3]]) if found else 0
                first = asked.first or 0
                total += (size if asked.last is None else min(size, asked.last + 1)) - first
        return total

    def listing(self, repo: str) -> dict[str, Any]:
        """Return the listing of a repository with sizes and hashes."""
        siblings = []
        for name, content in sorted(self.repositories[repo].items()):
            row: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob_id(content)}
            if len(content) > LARGE_BYTES:
                sha256 = hashlib.sha256(content).hexdigest()
                row["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
            siblings.append(row)
        return {
            "id": repo, "modelId": repo, "sha": self.commit(repo), "siblings": siblings, "cardData": self.card,
            "gated": "manual" if self.faults.gated else False, "private": False, "tags": [], "downloads": 0,
        }  # fmt: skip


def repository_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder as a repository has them."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def install(client: Client, model_id: str, timeout_s: float = 120.0) -> dict[str, Any]:
    """Install a model through a service's own routes and return the final job."""
    answer = client.post("/v1/models/install", json={"id": model_id})
    assert answer.status_code == 202, answer.text
    place, deadline = answer.headers["location"], time.monotonic() + timeout_s
    while True:
        job: dict[str, Any] = client.get(place).json()
        if job["status"] in ("completed", "failed", "cancelled") or time.monotonic() > deadline:
            return job
        time.sleep(0.05)


def blob_id(content: bytes) -> str:
    """Return git's name for a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    served: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing: `asked` is the log."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path)
        first, last = _range(self.headers.get("range"))
        self.served.asked.append(Asked(self.command, address.path, first, last))
        listing, file = _LISTING.match(path), _FILE.match(path.removeprefix(_ELSEWHERE))
        if listing:
            self._list(listing[1])
        elif file and file[1] in self.served.repositories:
            self._file(file[1], file[3], first, last, body=body, moved=path.startswith(_ELSEWHERE))
        else:
            self._error(404, "RepoNotFound", "Repository not found")

    def _list(self, repo: str) -> None:
        if repo not in self.served.repositories:
            self._error(404, "RepoNotFound", "Repository not found")
            return
        parse_qs(urlsplit(self.path).query)
        content = json.dumps(self.served.listing(repo)).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(content))})
        self.wfile.write(content)

    def _file(
        self, repo: str, name: str, first: int | None, last: int | None, *, body: bool, moved: bool
    ) -> None:
        faults, content = self.served.faults, self.served.repositories[repo].get(name)
        if faults.gated:
            self._error(403, "GatedRepo", "Access to the repository is restricted")
        elif content is None or name in faults.missing:
            self._error(404, "EntryNotFound", "Entry not found")
        elif body and _count_down(faults, "refuse"):
            self._error(429, "", "Too many requests", {"Retry-After": "0"})
        elif body and _count_down(faults, "broken"):
            self._error(503, "", "Try later")
        elif faults.redirect and not moved:
            self._head(
                302,
                {
                    "Location": f"{self.served.url}{_ELSEWHERE}{self.path}",
                    "Content-Length": "0",
                    **self._described(repo, content),
                },
            )
        else:
            self._send(repo, content, first, last, body=body)

    def _send(self, repo: str, content: bytes, first: int | None, last: int | None, *, body: bool) -> None:
        faults = self.served.faults
        described = self._described(repo, content)
        if body and _count_down(faults, "wrong"):
            content = bytes(len(content))
        start, end = first or 0, len(content) if last is None else min(len(content), last + 1)
        part = content[start:end]
        told = {"Content-Length": str(len(part)), "Accept-Ranges": "bytes", **described}
        if first is not None:
            told["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        self._head(200 if first is None else 206, told)
        if not body:
            return
        if len(part) > faults.cut_after and _count_down(faults, "cut"):
            part = part[: faults.cut_after]
            self.close_connection = True
        self._write(part)

    def _write(self, part: bytes) -> None:
        speed = self.served.faults.bytes_per_s
        step = max(1024, int(speed / 20)) if speed else max(1, len(part))
        try:
            for at in range(0, len(part), step):
                while 0 < self.served.faults.waits_at <= self.served.sent_bytes:
                    time.sleep(0.01)
                self.wfile.write(part[at : at + step])
                self.wfile.flush()
                self.served.sent_bytes += len(part[at : at + step])
                if speed:
                    time.sleep(step / speed)
        except OSError:
            self.close_connection = True

    def _described(self, repo: str, content: bytes) -> dict[str, str]:
        large = len(content) > LARGE_BYTES
        tag = hashlib.sha256(content).hexdigest() if large else blob_id(content)
        return {
            "ETag": f'"{tag}"',
            "X-Repo-Commit": self.served.commit(repo),
            "X-Linked-Etag": f'"{tag}"',
            "X-Linked-Size": str(len(content)),
        }

    def _error(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps({"error": message}).encode()
        told = {
            "X-Error-Message": message,
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **(headers or {}),
        }
        if code:
            told["X-Error-Code"] = code
        self._head(status, told)
        if self.command != "HEAD":
            self.wfile.write(content)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _range(header: str | None) -> tuple[int | None, int | None]:
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", header or "")
    return (int(found[1]), int(found[2]) if found[2] else None) if found else (None, None)


def _count_down(faults: Faults, name: str) -> bool:
    left = getattr(faults, name)
    setattr(faults, name, max(0, left - 1))
    return bool(left > 0)
