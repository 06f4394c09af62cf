"""OpenAI's Files: kept for one owner each, within limits, until they are deleted or expire.

Knows no HTTP; content comes in piece by piece and is never whole in memory.
"""

from __future__ import annotations

import asyncio
import re
import time
import unicodedata
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from servicekit.errors import BadRequest
from servicekit.uninterrupted import uninterrupted
from svc_chat.engine.history import Listing, Page
from svc_chat.engine.kept_files import FileContents, FileIndex, FileRecord, Incoming, KeptFile
from svc_chat.errors import FileQuotaReached, FileTooLarge, TooManyUploads

UPLOADABLE = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
PURPOSES = (*UPLOADABLE, "assistants_output", "batch_output", "fine-tune-results")
BATCH_LIFE_S = 30 * 86_400
"""Files for batches are kept that long unless their caller says otherwise, as OpenAI does."""
MIN_LIFE_S, MAX_LIFE_S = 3600, 30 * 86_400
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Categories of characters that a name is not shown with: controls, directions, lone surrogates."""


@dataclass(frozen=True)
class FileLimits:
    """What files may take: each, all of one owner, and how many are taken in at once."""

    file_bytes: int
    quota_bytes: int
    at_once: int = 8


class FileService:
    """Keeps files. Everything is looked for among the owner's own."""

    def __init__(
        self, record: FileRecord, contents: FileContents, limits: FileLimits, index: FileIndex | None = None
    ):
        self._record, self._contents, self._index = record, contents, index
        self._limits = limits
        self._incoming = 0

    @asynccontextmanager
    async def receiving(self, owner: str) -> AsyncIterator[Receiving]:
        """Lend what takes a file in; unless it is kept in time, nothing of it stays.

        Raises:
            TooManyUploads: others are being taken in.
            FileQuotaReached: the owner's files take all they may already.
        """
        if self._incoming >= self._limits.at_once:
            raise TooManyUploads(self._limits.at_once)
        self._incoming += 1
        try:
            used = await asyncio.to_thread(self._record.used_bytes, owner)
            if used >= self._limits.quota_bytes:
                raise FileQuotaReached(used, self._limits.quota_bytes)
            file_id = f"file-{uuid.uuid4().hex}"
            incoming = await asyncio.to_thread(self._contents.begin, file_id)
            receiving = Receiving(file_id, owner, incoming, self._record, self._limits, used)
            try:
                yield receiving
            finally:
                await asyncio.shield(asyncio.to_thread(incoming.close, discard=not receiving.kept))
        finally:
            self._incoming -= 1

    async def add(self, owner: str, content: bytes, filename: str, purpose: str) -> KeptFile:
        """Keep what was made here; raises FileTooLarge, FileQuotaReached, StorageFull."""
        async with self.receiving(owner) as receiving:
            await receiving.write(content)
            return await receiving.keep(filename, purpose)

    async def get(self, owner: str, file_id: str) -> KeptFile:
        """Return one; raises NotFound."""
        return await asyncio.to_thread(self._record.get, owner, file_id)

    async def content(self, owner: str, file_id: str, *, for_index: bool = False) -> tuple[KeptFile, Path]:
        """Return one and where its content is; what the index has read is removed there as well. Raises NotFound."""
        file = await self.get(owner, file_id)
        if for_index and file.indexed_at is None:
            await asyncio.to_thread(self._record.mark_indexed, file_id)
        return file, self._contents.path(file_id)

    async def list(self, owner: str, page: Page, purpose: str | None) -> Listing[KeptFile]:
        """List them by when they were made; raises NotFound for an unknown cursor."""
        return await asyncio.to_thread(self._record.list, owner, page, purpose)

    async def delete(self, owner: str, file_id: str, bearer: Mapping[str, str]) -> None:
        """Remove one from the index, the record and the disk.

        Raises:
            NotFound: there is none.
            ServiceError: the index has it and cannot be asked now; then nothing is removed.
        """
        file = await self.get(owner, file_id)
        index = self._index if file.indexed_at is not None else None

        async def gone() -> None:
            if index is not None:
                await index.forget(file_id, dict(bearer))
            await asyncio.to_thread(self._remove, file_id)

        await uninterrupted(gone())  # what is no longer found is no longer there

    def sweep(self) -> int:
        """Remove what has expired, and content that no record names; return how many. Blocks."""
        gone = [file.id for file in self._record.expired()]
        there = self._contents.ids()
        known = self._record.known(there)
        gone += [file_id for file_id in there if file_id not in known]
        for file_id in gone:
            self._remove(file_id)
        return len(gone)

    def _remove(self, file_id: str) -> None:
        """The record goes first: content that no record names is removed by `sweep`, whatever happens here."""
        self._record.delete(file_id)
        self._contents.delete(file_id)


class Receiving:
    """A file being taken in; see FileService.receiving."""

    def __init__(
        self, file_id: str, owner: str, incoming: Incoming, record: FileRecord, limits: FileLimits, used: int
    ):
        self.kept = False
        self._id, self._owner, self._incoming, self._record = file_id, owner, incoming, record
        self._limits, self._used = limits, used

    async def write(self, content: bytes) -> None:
        """Add to it; raises FileTooLarge, FileQuotaReached, StorageFull."""
        size = self._incoming.size + len(content)
        if size > self._limits.file_bytes:
            raise FileTooLarge(self._limits.file_bytes)
        if self._used + size > self._limits.quota_bytes:
            raise FileQuotaReached(self._used, self._limits.quota_bytes)
        await asyncio.to_thread(self._incoming.write, content)

    async def keep(self, filename: str, purpose: str, life_s: int | None = None) -> KeptFile:
        """Keep what was written; raises BadRequest for an empty file, FileQuotaReached, StorageFull."""
        if self._incoming.size == 0:
            raise BadRequest("The file is empty. Send one with content.", param="file")
        if purpose == "batch":
            life_s = life_s or BATCH_LIFE_S
        # the thread goes on, whoever leaves: what it did is known only when it has ended
        return await uninterrupted(asyncio.to_thread(self._keep, shown(filename), purpose, life_s))

    def _keep(self, filename: str, purpose: str, life_s: int | None) -> KeptFile:
        now = time.time()
        digest = self._incoming.keep()
        expires_at = None if life_s is None else now + life_s
        file = KeptFile(
            self._id, self._owner, filename, purpose, self._incoming.size, digest, now, expires_at
        )
        self._record.add(file, self._limits.quota_bytes)
        self.kept = True
        return file


def shown(filename: str) -> str:
    """Return a name that can be shown and sent: its last part, without characters that hide something."""
    last = re.split(r"[/\\]", filename)[-1]
    plain = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c) not in _HIDDEN)
    return plain.strip().strip(".").strip()[-200:] or "file"
