"""Files with an owner under one root folder.

Owns opaque ids, atomic writes and retention. Knows nothing about HTTP.

An item is two files, `<id>.<ending>` and the sidecar `<id>.meta.json`; the sidecar is written last
and removed first, so that after a crash an item is there whole or not at all.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from servicekit import atomic
from servicekit.errors import NotFound, NotReady
from servicekit.retention import DAY_S, Removed

_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/flac": "flac",
}
_META = ".meta.json"


@dataclass(frozen=True)
class MediaItem:
    """One kept file. `path` is for the server's own use and never leaves it; `created_at` is Unix time."""

    id: str
    url: str
    path: Path
    media_type: str
    size_bytes: int
    owner: str
    created_at: float
    name: str | None = None


@dataclass(frozen=True)
class _Meta:
    media_type: str
    size_bytes: int
    owner: str
    created_at: float
    file: str
    name: str | None


class MediaStore:
    """Keep files of one kind; `prefix` (such as `img` or `aud`) begins every id. Thread-safe.

    `clock` gives Unix time; an item's age is counted by it.
    """

    def __init__(self, root: Path, prefix: str, *, clock: Callable[[], float] = time.time) -> None:
        if not re.fullmatch(r"[a-z]{1,16}", prefix):
            raise ValueError(f"the media prefix {prefix!r} must be 1 to 16 lower-case letters")
        self.root = root.absolute()
        self.prefix = prefix
        self._clock = clock
        self._id = re.compile(rf"{prefix}_[0-9a-f]{{32}}")
        self.root.mkdir(parents=True, exist_ok=True)

    def new_id(self, seed: str | None = None) -> str:
        """Make an id; the same `seed` gives the same id, for work that may be done twice.

        An id made from a guessable seed is guessable too, which does no harm: only the owner can read.
        """
        return f"{self.prefix}_{uuid.uuid5(uuid.NAMESPACE_OID, seed).hex if seed else uuid.uuid4().hex}"

    def put(
        self,
        content: bytes,
        media_type: str,
        owner: str,
        *,
        name: str | None = None,
        item_id: str | None = None,
    ) -> MediaItem:
        """Write durably and return the item; with a known `item_id` of the same owner, replace it.

        Raises:
            NotReady: the disk is full or cannot be written.
            NotFound: `item_id` is not one of this store's, or somebody else's.
        """
        item_id = item_id or self.new_id()
        self._check(item_id)
        if (existing := self._read_meta(item_id)) is not None and existing.owner != owner:
            raise self._not_found(item_id)
        file = f"{item_id}.{_ENDINGS.get(media_type, 'bin')}"
        meta = _Meta(media_type, len(content), owner, self._clock(), file, safe_name(name))
        try:
            atomic.write(self.root / file, content)
            atomic.write(self.root / (item_id + _META), json.dumps(asdict(meta)).encode())
        except OSError as exc:
            raise NotReady(
                f"The file of {len(content)} bytes could not be kept ({type(exc).__name__}). "
                "Free some disk space and try again."
            ) from exc
        return self._item(item_id, meta)

    def open(self, item_id: str, owner: str) -> MediaItem:
        """Find an item of `owner`; its content is at `.path`.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        self._check(item_id)
        meta = self._read_meta(item_id)
        if meta is None or meta.owner != owner or not (self.root / meta.file).is_file():
            raise self._not_found(item_id)
        return self._item(item_id, meta)

    def read(self, item_id: str, owner: str) -> bytes:
        """Give an item's content. Raises NotFound as `open` does."""
        try:
            return self.open(item_id, owner).path.read_bytes()
        except FileNotFoundError as exc:  # swept between the two
            raise self._not_found(item_id) from exc

    def delete(self, item_id: str, owner: str) -> None:
        """Remove an item. Raises NotFound as `open` does."""
        self._remove(self.open(item_id, owner))

    def list(self, owner: str) -> list[MediaItem]:
        """Give the items of `owner`, newest first."""
        mine = [item for item in self._items() if item.owner == owner]
        return sorted(mine, key=lambda item: (-item.created_at, item.id))

    def sweep(self, max_age_days: float) -> dict[str, Removed]:
        """Remove items older than `max_age_days`, and what crashed writes left behind."""
        now = self._clock()
        removed = Removed()
        known: set[str] = set()
        for item in self._items():
            if now - item.created_at > max_age_days * DAY_S:
                self._remove(item)
                removed += Removed(1, item.size_bytes)
            else:
                known |= {item.path.name, item.id + _META}
        return {"media": removed, "leftovers": self._remove_leftovers(known, now)}

    def _remove_leftovers(self, known: set[str], now: float) -> Removed:
        found = Removed(*atomic.remove_drafts(self.root, now=now))
        for file in self.root.iterdir():
            try:
                facts = file.stat()
                orphan = self._id.match(file.name) and file.name not in known
                if orphan and now - facts.st_mtime > atomic.DRAFT_STALE_S:
                    file.unlink()
                    found += Removed(1, facts.st_size)
            except FileNotFoundError:
                continue
        return found

    def _items(self) -> Iterator[MediaItem]:
        for file in sorted(self.root.glob(f"{self.prefix}_*{_META}")):
            item_id = file.name.removesuffix(_META)
            meta = self._read_meta(item_id) if self._id.fullmatch(item_id) else None
            if meta is not None:
                yield self._item(item_id, meta)

    def _remove(self, item: MediaItem) -> None:
        (self.root / (item.id + _META)).unlink(missing_ok=True)
        item.path.unlink(missing_ok=True)

    def _item(self, item_id: str, meta: _Meta) -> MediaItem:
        return MediaItem(
            id=item_id,
            url=f"/media/{item_id}",
            path=self.root / meta.file,
            media_type=meta.media_type,
            size_bytes=meta.size_bytes,
            owner=meta.owner,
            created_at=meta.created_at,
            name=meta.name,
        )

    def _check(self, item_id: str) -> None:
        if not self._id.fullmatch(item_id):
            raise self._not_found(item_id)

    def _read_meta(self, item_id: str) -> _Meta | None:
        try:
            meta = _Meta(**json.loads((self.root / (item_id + _META)).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        # The sidecar is ours, and still its file name is not trusted.
        return meta if re.fullmatch(rf"{item_id}\.[a-z0-9]+", meta.file) else None

    def _not_found(self, item_id: str) -> NotFound:
        return no_such(item_id)


def no_such(item_id: str, param: str | None = None) -> NotFound:
    """Return what is told of an item that is not there, or is somebody else's: the same."""
    shown = item_id if len(item_id) <= 60 else item_id[:57] + "..."
    return NotFound(f"There is no media '{shown}', or it was removed after its retention time.", param=param)


def safe_name(name: str | None) -> str | None:
    """Reduce a client's file name to one that is harmless in a header and on any disk, ≤ 100 characters."""
    if name is None:
        return None
    last = re.split(r"[/\\]", name)[-1]
    cleaned = re.sub(r"[^A-Za-z0-9._ -]", "_", last).strip(" .")
    return cleaned[:100].rstrip(" .") or "file"
