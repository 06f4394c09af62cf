"""Uploaded files on disk: one folder a document, named by its id alone; what exists is complete.

User-given names never become paths.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np

from servicekit import atomic
from servicekit.errors import NotReady
from servicekit.retention import Removed
from svc_rag.engine.base import Space, Vectors
from svc_rag.errors import DocumentTooLarge

_ID = re.compile(r"doc_[0-9a-f]{32}")
_BLOCK_BYTES = 2**20


class FolderFiles:
    """SourceFiles below one folder; what is there is whole (servicekit.atomic)."""

    def __init__(self, root: Path):
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def put(self, document_id: str, source: BinaryIO, max_bytes: int) -> int:
        """Keep the file; returns its size once it is safely on disk. Raises DocumentTooLarge, NotReady."""
        return self._write(self.path(document_id), source, max_bytes)

    def path(self, document_id: str) -> Path:
        """Return where the document's file is."""
        return self._folder(document_id) / "source"

    def save_vectors(self, document_id: str, vectors: Vectors, space: Space) -> None:
        """Keep the chunks' vectors until they are in the store."""
        buffer = io.BytesIO()
        np.save(buffer, vectors, allow_pickle=False)
        buffer.seek(0)
        self._write(self._vectors(document_id, space), buffer, None)

    def vectors(self, document_id: str, space: Space) -> Vectors | None:
        """Return the vectors kept of a space, None when there are none."""
        path = self._vectors(document_id, space)
        if not path.exists():
            return None
        found: Vectors = np.load(path, allow_pickle=False)
        return found

    def drop_vectors(self, document_id: str) -> None:
        """Forget the kept vectors, of whatever space."""
        for path in self._folder(document_id).glob("vectors*.npy"):
            path.unlink(missing_ok=True)

    def delete(self, document_id: str) -> None:
        """Remove everything of a document."""
        shutil.rmtree(self._folder(document_id), ignore_errors=True)

    def ids(self, older_than_s: float = 0.0) -> list[str]:
        """Return the ids of all documents whose folder was last changed so long ago."""
        last = time.time() - older_than_s
        found = [path for path in self._root.iterdir() if _ID.fullmatch(path.name)]
        return sorted(path.name for path in found if _changed_at(path) <= last)

    def size(self, document_id: str) -> int:
        """Return the bytes of everything of a document."""
        folder = self._folder(document_id)
        return sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else 0

    def remove_drafts(self) -> Removed:
        """Remove what writes that were cut off left in the documents' folders."""
        found = (Removed(*atomic.remove_drafts(self._folder(document_id))) for document_id in self.ids())
        return sum(found, Removed())

    def _vectors(self, document_id: str, space: Space) -> Path:
        name = hashlib.sha256(str(space).encode()).hexdigest()[:12]
        return self._folder(document_id) / f"vectors-{name}.npy"

    def _folder(self, document_id: str) -> Path:
        if not _ID.fullmatch(document_id):
            raise ValueError("not a document id")
        return self._root / document_id

    def _write(self, target: Path, source: BinaryIO, max_bytes: int | None) -> int:
        size = 0
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic.drafting(target) as file:
                while block := source.read(_BLOCK_BYTES):
                    size += len(block)
                    if max_bytes is not None and size > max_bytes:
                        raise DocumentTooLarge(
                            f"The file is over the limit of {max_bytes} bytes; split it.", param="file"
                        )
                    file.write(block)
            atomic.sync(self._root)
        except OSError as error:
            raise NotReady(
                f"The file could not be kept ({type(error).__name__}). Free some disk space and try again."
            ) from error
        return size


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
