"""Refuses Office files that are bombs or carry entities, before any library opens them.

Looks at the archive's directory and streams the XML members; knows nothing about what they mean.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.errors import DocumentEncrypted, DocumentTooComplex, DocumentUnreadable

_RATIO_COUNTS_FROM_BYTES = 2**20
_BLOCK_BYTES = 2**16
# OOXML never holds a document type; one is the door to entity bombs and to files of this machine.
_FORBIDDEN = tuple(
    mark.encode(encoding)
    for mark in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)
_LONGEST_MARK = max(map(len, _FORBIDDEN))


def check_archive(path: Path, limits: ParseLimits) -> None:
    """Raise DocumentTooComplex, DocumentEncrypted or DocumentUnreadable unless the archive is safe to open."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_directory(members, limits)
            unpacked = 0
            for member in members:
                if member.filename.lower().endswith((".xml", ".rels", ".vml")):
                    unpacked += _check_xml(archive, member)
                    if unpacked > limits.max_unpacked_bytes:
                        raise _too_large(limits)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as exc:
        raise DocumentUnreadable("The Office file is damaged.", param="file") from exc


def _check_directory(members: list[zipfile.ZipInfo], limits: ParseLimits) -> None:
    if len(members) > limits.max_members:
        raise DocumentTooComplex(f"The file has {len(members)} parts; at most {limits.max_members} are read.")
    if sum(member.file_size for member in members) > limits.max_unpacked_bytes:
        raise _too_large(limits)
    for member in members:
        if member.flag_bits & 0x1:
            raise DocumentEncrypted("The file is encrypted; save it without a password.", param="file")
        packed = max(member.compress_size, 1)
        if member.file_size >= _RATIO_COUNTS_FROM_BYTES and member.file_size / packed > limits.max_ratio:
            raise DocumentTooComplex(
                f"A part of the file unpacks to more than {limits.max_ratio} times its size."
            )


def _too_large(limits: ParseLimits) -> DocumentTooComplex:
    return DocumentTooComplex(
        f"The file unpacks to more than {limits.max_unpacked_bytes // 2**20} MiB; split it."
    )


def _check_xml(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return the member's true unpacked size after looking for a document type."""
    size, tail = 0, b""
    with archive.open(member) as stream:
        while block := stream.read(_BLOCK_BYTES):
            size += len(block)
            window = tail + block
            if any(mark in window for mark in _FORBIDDEN):
                raise DocumentUnreadable(
                    "The Office file declares XML entities, which are not read.", param="file"
                )
            tail = window[-_LONGEST_MARK:]
    return size
