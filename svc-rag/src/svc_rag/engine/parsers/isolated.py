"""Parses in a child process that memory, time and output limits hold, so that a bomb hurts nobody.

Owns the child's life; knows nothing about formats.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from svc_rag.engine.base import Page, ParsedDocument
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.errors import (
    DocumentEncrypted,
    DocumentTooComplex,
    DocumentUnreadable,
    DocumentUnsupported,
)

_ERRORS = {
    cls.__name__: cls for cls in (DocumentEncrypted, DocumentTooComplex, DocumentUnreadable, DocumentUnsupported)
}
_OUT_OF_MEMORY = 12


class IsolatedParser:
    """Parser: one child process a file; blocks the calling thread until it is done or killed."""

    def __init__(self, limits: ParseLimits | None = None):
        self._limits = limits or ParseLimits()

    def parse(self, path: Path, media_type: str) -> ParsedDocument:
        """Parse the file. Raises: DocumentUnreadable, DocumentEncrypted, DocumentTooComplex."""
        with tempfile.TemporaryDirectory(prefix="parse-") as folder:
            target = Path(folder) / "parsed.json"
            self._run(path.resolve(), target, media_type, Path(folder))
            found = json.loads(target.read_text(encoding="utf-8"))
        if "error" in found:
            raise _ERRORS.get(found["error"], DocumentUnreadable)(found["message"], param="file")
        pages = tuple(Page(page["page"], page["start"], page["end"]) for page in found["pages"])
        return ParsedDocument(found["title"], found["text"], pages)

    def _run(self, source: Path, target: Path, media_type: str, folder: Path) -> None:
        command = [
            sys.executable, "-I", "-X", "utf8", "-m", "svc_rag.engine.parsers.child",
            str(source), str(target), media_type, json.dumps(asdict(self._limits)),
        ]  # fmt: skip
        # Own environment: no secrets, and no thread pools whose stacks count as address space.
        environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "LANG": "C.UTF-8"}
        try:
            done = subprocess.run(
                command, timeout=self._limits.timeout_s, cwd=folder, env=environment, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as exc:
            raise DocumentTooComplex(
                f"Reading the file takes more than {self._limits.timeout_s:g} s; split it.", param="file"
            ) from exc
        if done.returncode == 0 and target.exists():
            return
        if done.returncode == _OUT_OF_MEMORY or done.returncode < 0:
            raise DocumentTooComplex(
                f"Reading the file takes more than {self._limits.memory_bytes // 2**20} MiB; split it.", param="file"
            )
        raise DocumentUnreadable("The file cannot be read; it may be damaged.", param="file")
