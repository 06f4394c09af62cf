"""Files that callers keep: the contract between the domain, a database and a folder.

Every call blocks and may come from any thread. Another owner's id is as unknown as one that never was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from svc_chat.engine.history import Listing, Page


@dataclass(frozen=True)
class KeptFile:
    """A file without its content. Times in seconds since 1970; `filename` is never used as a path."""

    id: str
    owner: str
    filename: str
    purpose: str
    bytes: int
    sha256: str
    created_at: float
    expires_at: float | None = None
    indexed_at: float | None = None
    """When its content was first given to the service that makes text findable."""


class FileRecord(Protocol):
    """Knows which files there are. What has expired is not there any more."""

    def add(self, file: KeptFile, quota_bytes: int) -> None:
        """Keep a new one; raises FileQuotaReached when the owner's would take more than the quota."""
        ...

    def get(self, owner: str, file_id: str) -> KeptFile:
        """Return one; raises NotFound."""
        ...

    def list(self, owner: str, page: Page, purpose: str | None) -> Listing[KeptFile]:
        """List the owner's by when they were made; raises NotFound for an unknown cursor."""
        ...

    def used_bytes(self, owner: str) -> int:
        """Return how much all of the owner's take."""
        ...

    def mark_indexed(self, file_id: str) -> None:
        """Remember that the content was given to the index."""
        ...

    def delete(self, file_id: str) -> None:
        """Forget one; nothing of its name stays."""
        ...

    def expired(self) -> Sequence[KeptFile]:
        """Return what is to be removed."""
        ...

    def known(self, file_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that there are."""
        ...


class Incoming(Protocol):
    """A file on its way in. Nothing of it is there before `keep`, nor after `discard`, nor after a crash."""

    size: int

    def write(self, content: bytes) -> None:
        """Add to it; raises StorageFull."""
        ...

    def keep(self) -> str:
        """Bring it safely to the disk under its id; return its SHA-256 in hex. Raises StorageFull."""
        ...

    def close(self, *, discard: bool) -> None:
        """End the writing; with `discard` nothing of it stays."""
        ...


class FileContents(Protocol):
    """Keeps the content of files."""

    def begin(self, file_id: str) -> Incoming:
        """Begin to take one in."""
        ...

    def path(self, file_id: str) -> Path:
        """Return where the content is."""
        ...

    def delete(self, file_id: str) -> None:
        """Remove it, if it is there."""
        ...

    def ids(self) -> Sequence[str]:
        """Return the ids of all that is there and that nobody is still writing."""
        ...


class FileIndex(Protocol):
    """Where the text of files is searched."""

    async def forget(self, file_id: str, bearer: dict[str, str]) -> None:
        """Remove a file from all of its caller's indexes; raises ServiceError when that cannot be done now."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
