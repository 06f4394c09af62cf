"""Parses in a child process that memory, time and output limits hold, so that a bomb hurts nobody.

Owns the child's life; knows nothing about formats.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from servicekit.atomic import DRAFT_STALE_S
from servicekit.children import lifeline
from servicekit.errors import NotReady
from servicekit.retention import Removed
from svc_rag.engine.base import Page, ParsedDocument
from svc_rag.engine.parsers import media_types
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.errors import (
    DocumentEncrypted,
    DocumentTooComplex,
    DocumentUnreadable,
    DocumentUnsupported,
)

_ERRORS = {
    cls.__name__: cls
    for cls in (DocumentEncrypted, DocumentTooComplex, DocumentUnreadable, DocumentUnsupported)
}
_PREFIX = "oficina-parse-"
_RESULT = "parsed.json"
_OUT_OF_MEMORY, _NO_ROOM = 12, 28
_PROBED = (media_types.PDF, media_types.DOCX, media_types.PPTX, media_types.XLSX)


class IsolatedParser:
    """Parser: one child process a file; blocks the calling thread until it is done or killed."""

    def __init__(self, limits: ParseLimits | None = None):
        self._limits = limits or ParseLimits()

    def parse(self, path: Path, media_type: str) -> ParsedDocument:
        """Parse the file. Raises: DocumentUnreadable, DocumentEncrypted, DocumentTooComplex."""
        found = self._ask("parse", path, media_type)
        pages = tuple(Page(page["page"], page["start"], page["end"]) for page in found["pages"])
        return ParsedDocument(found["title"], found["text"], pages)

    def probe(self, path: Path, name: str, declared: str | None) -> str:
        """Return the media type; raise what parsing would raise where a quick look tells."""
        media_type = media_types.detect(path, name, declared)
        if media_type in _PROBED:
            self._ask("probe", path, media_type)
        return media_type

    def sweep(self) -> dict[str, Removed]:
        """Remove working folders that a killed process left in the folder for temporary files."""
        found = Removed()
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            try:
                facts = folder.stat()
                if facts.st_uid != os.getuid() or time.time() - facts.st_mtime < DRAFT_STALE_S:
                    continue
                found += Removed(1, sum(file.stat().st_size for file in folder.iterdir()))
            except OSError:
                continue
            shutil.rmtree(folder, ignore_errors=True)
        return {"leftovers": found}

    def _ask(self, task: str, path: Path, media_type: str) -> dict[str, Any]:
        with _working_folder() as folder:
            target = folder / _RESULT
            self._run(task, path.resolve(), target, media_type)
            found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        if "error" in found:
            raise _ERRORS.get(found["error"], DocumentUnreadable)(found["message"], param="file")
        return found

    def _run(self, task: str, source: Path, target: Path, media_type: str) -> None:
        command = [
            sys.executable, "-I", "-X", "utf8", "-m", "svc_rag.engine.parsers.child",
            str(source), str(target), media_type, json.dumps(asdict(self._limits)), task,
        ]  # fmt: skip
        # Own environment: no secrets, and no thread pools whose stacks count as address space.
        environment = {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "1",
            "LANG": "C.UTF-8",
        }
        try:
            with lifeline() as line:  # it does not outlive a service that is killed
                done = subprocess.run(
                    command, timeout=self._limits.timeout_s, cwd=target.parent, env=environment, check=False,
                    stdin=line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
        except subprocess.TimeoutExpired as exc:
            raise DocumentTooComplex(
                f"Reading the file takes more than {self._limits.timeout_s:g} s; split it.", param="file"
            ) from exc
        if done.returncode == 0 and target.exists():
            return
        if done.returncode == _NO_ROOM:
            raise _no_room()
        if done.returncode == _OUT_OF_MEMORY or done.returncode < 0:
            raise DocumentTooComplex(
                f"Reading the file takes more than {self._limits.memory_bytes // 2**20} MiB; split it.",
                param="file",
            )
        raise DocumentUnreadable("The file cannot be read; it may be damaged.", param="file")


@contextmanager
def _working_folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
    except OSError as error:
        raise _no_room() from error
    with folder as name:
        yield Path(name)


def _no_room() -> NotReady:
    return NotReady(
        "The file cannot be read now: the folder for temporary files has no room. Free some disk space and try again."
    )
