"""Tools that are run here for a model: the contracts of searching files and of running code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Bearer = Mapping[str, str]
"""Headers by which something is done in the caller's name."""


class Delegation(Protocol):
    """Makes a caller's permission outlive its call."""

    async def for_work(self, bearer: Bearer, seconds: float) -> Bearer | None:
        """Return headers that hold for `seconds`, also after a restart, or None when there can be none."""
        ...


@dataclass(frozen=True)
class Passage:
    """A piece of a file's text that was found; `score` is in [0, 1]."""

    file_id: str
    filename: str
    score: float
    text: str


class FileSearch(Protocol):
    """Finds passages in vector stores."""

    async def search(
        self, store_ids: Sequence[str], query: str, limit: int, threshold: float, bearer: Bearer
    ) -> Sequence[Passage]:
        """Return the best passages, best first; files that are still being read are waited for a while.

        Raises:
            ServiceError: a store is not there, or cannot be asked now.
        """
        ...

    async def make_store(self, file_ids: Sequence[str], options: Mapping[str, Any], bearer: Bearer) -> str:
        """Make a vector store of some files and return its id; `options` as OpenAI has them. Raises ServiceError."""
        ...

    async def add_file(self, store_id: str, file_id: str, bearer: Bearer) -> bool:
        """Add a file to a store; False if it was there before. Raises ServiceError."""
        ...

    async def remove_file(self, store_id: str, file_id: str, bearer: Bearer) -> None:
        """Take a file out of a store; one that is not there is fine. Raises ServiceError."""
        ...

    async def delete_store(self, store_id: str, bearer: Bearer) -> None:
        """Remove a store with its text; one that is not there is fine. Raises ServiceError."""
        ...


@dataclass(frozen=True)
class InputFile:
    """A file that code can read, by the name that it has there."""

    id: str
    name: str
    path: Path


@dataclass(frozen=True)
class OutputFile:
    """A file that code made."""

    name: str
    content: bytes
    is_picture: bool = False


@dataclass(frozen=True)
class CodeResult:
    """What running code gave. `text` is what it printed and its last value; `error` says how it failed."""

    text: str = ""
    files: tuple[OutputFile, ...] = ()
    error: str | None = None
    timed_out: bool = False


class CodeInterpreter(Protocol):
    """Runs Python in a sandbox; a session keeps its variables and files between calls."""

    async def run(self, session_id: str, code: str, files: Sequence[InputFile], bearer: Bearer) -> CodeResult:
        """Run `code` where `files` can be read. Raises ServiceError when it cannot be run at all."""
        ...

    async def forget(self, session_id: str, bearer: Bearer) -> None:
        """End a session with all its files; one that is not there is fine. Raises ServiceError."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
