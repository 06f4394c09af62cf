"""Closes texts that are not to be read in a database, its copies and its backups. Knows nothing of what they say.

AES-256 in GCM (NIST SP 800-38D) by `cryptography`; the key lies in a file of its own, outside the database.
"""

from __future__ import annotations

import base64
import logging
import os
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from servicekit import atomic
from servicekit.logs import log_event

KEY_BYTES = 32
_NONCE_BYTES = 12
log = logging.getLogger(__name__)


class Seal:
    """Seals with the key in `file`, which is made with mode 0600 where there is none. Blocks at the first use."""

    def __init__(self, file: Path):
        self._file = file

    def close(self, text: str, place: str) -> str:
        """Return what only `open` reads, and only as that of `place`."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), place.encode())).decode()

    def open(self, sealed: str, place: str) -> str | None:
        """Return the text; None when it was sealed with another key, for another place, or changed."""
        try:
            told = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(told[:_NONCE_BYTES], told[_NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError):
            return None

    @cached_property
    def _cipher(self) -> AESGCM:
        try:
            atomic.write(self._file, AESGCM.generate_key(KEY_BYTES * 8), replace=False)
        except FileExistsError:
            if self._file.stat().st_size != KEY_BYTES:
                log_event(log, "key damaged, a new one is made", level=logging.WARNING, file=self._file.name)
                atomic.write(self._file, AESGCM.generate_key(KEY_BYTES * 8))
        return AESGCM(self._file.read_bytes())
