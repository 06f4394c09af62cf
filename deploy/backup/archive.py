"""The archive: a gzipped tar whose first member is a manifest with the SHA-256 of every other.

Any tar opens it, and reading it needs Python alone, before anything is installed. Knows nothing of services.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from deploy.console import Stop
from deploy.files import size_of

FORMAT = 1
COMPRESSION = 3
"""Of 9: pictures and audio do not get smaller, and databases do at any level."""
MANIFEST = "manifest.json"
_MANIFEST_BYTES = 256 * 2**20
_BLOCK = 2**20
_TELL_EVERY_S = 5.0
Tell = Callable[[str], None]
Keep = Callable[[str], AbstractContextManager[BinaryIO]]
"""Opens the place where a member's content goes."""


@dataclass(frozen=True)
class Manifest:
    """What the archive says of itself. `files` maps each member's name to (bytes, SHA-256)."""

    version: str
    commit: str
    created_at: str
    files: dict[str, tuple[int, str]]
    postgres: dict[str, list[str]] = field(default_factory=dict)
    """Dumps by name, and the services whose database each is."""
    left_out: list[dict[str, Any]] = field(default_factory=list)
    format: int = FORMAT

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(size for size, _ in self.files.values())


class Progress:
    """Tells every few seconds how far something is."""

    def __init__(self, what: str, total: int, tell: Tell):
        self._what, self._total, self._tell = what, total, tell
        self._done, self._told = 0, time.monotonic()

    def add(self, count: int) -> None:
        """Count bytes."""
        self._done += count
        if time.monotonic() - self._told > _TELL_EVERY_S:
            self._told = time.monotonic()
            self._tell(f"    … {self._what}: {size_of(self._done)} of {size_of(self._total)}")


def checksums(files: Sequence[tuple[str, Path]], tell: Tell) -> dict[str, tuple[int, str]]:
    """Return bytes and SHA-256 of each file by its name in the archive."""
    progress = Progress("checksums", sum(path.stat().st_size for _, path in files), tell)
    found = {}
    for name, path in files:
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
                size += len(block)
                progress.add(len(block))
        found[name] = (size, digest.hexdigest())
    return found


def write(out: BinaryIO, manifest: Manifest, files: Sequence[tuple[str, Path]], tell: Tell) -> None:
    """Write the archive to a file or a pipe."""
    progress = Progress("archive", manifest.bytes, tell)
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=COMPRESSION, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        body = json.dumps(asdict(manifest), indent=1).encode()
        tar.addfile(_member(MANIFEST, len(body)), io.BytesIO(body))
        for name, path in files:
            size = manifest.files[name][0]
            with path.open("rb") as opened:
                tar.addfile(_member(name, size), opened)
            progress.add(size)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


def read(stream: BinaryIO, tell: Tell, keep: Keep | None = None) -> Manifest:
    """Read an archive to its end, checking every file, and hand contents to `keep`; return its manifest.

    Raises: Stop, when it is damaged, cut off, of a newer format, or holds what its manifest does not name.
    """
    with _translated(), gzip.GzipFile(fileobj=stream, mode="rb") as packed:
        with tarfile.open(fileobj=packed, mode="r|") as tar:
            manifest = _manifest(tar)
            progress = Progress("archive" if keep else "check", manifest.bytes, tell)
            missing = dict(manifest.files)
            while (member := tar.next()) is not None:
                if not member.isreg() or member.name not in missing:
                    raise Stop(f"The archive is damaged: it holds {member.name!r}, which it does not list.")
                _check(tar, member, missing.pop(member.name), keep, progress)
        while packed.read(_BLOCK):
            pass  # to the end, where gzip's own checksum is
    if missing:
        raise Stop(
            f"The archive is damaged: {len(missing)} files are missing (first: {next(iter(missing))})."
        )
    return manifest


def _check(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    wanted: tuple[int, str],
    keep: Keep | None,
    progress: Progress,
) -> None:
    source = tar.extractfile(member)
    assert source is not None  # isreg() was asked
    digest, size = hashlib.sha256(), 0
    with keep(member.name) if keep else _nowhere() as out:
        while block := source.read(_BLOCK):
            digest.update(block)
            size += len(block)
            out.write(block)
            progress.add(len(block))
    if (size, digest.hexdigest()) != tuple(wanted):
        raise Stop(f"The archive is damaged: {member.name} is not what was saved. Take another backup.")


class _Nowhere(io.RawIOBase):
    def write(self, block: Any) -> int:
        return len(block)


@contextmanager
def _nowhere() -> Iterator[Any]:
    yield _Nowhere()


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _MANIFEST_BYTES:
        raise Stop("This is not a backup of Oficina: its first file is no manifest.")
    body = tar.extractfile(first)
    assert body is not None
    try:
        found = json.loads(body.read())
        if int(found["format"]) > FORMAT:
            raise Stop(
                f"The archive has format {found['format']} and this program reads up to {FORMAT}: update first."
            )
        listed = {str(name): (int(size), str(digest)) for name, (size, digest) in found["files"].items()}
        manifest = Manifest(**{**found, "files": listed})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stop("The archive is damaged: its manifest cannot be read. Take another backup.") from error
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\x00" in name:
            raise Stop(f"The archive names a file outside of the stack: {name!r}. Do not trust it.")
    return manifest


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Stop(f"The archive is damaged or cut off ({error}). Take another backup.") from error
