"""Asks a hub what a repository holds and fetches its files. The one place that knows huggingface_hub.

`HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` are honoured by that library. It is imported at its first use: that takes
30 MB and half a second, and most processes never install anything.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from servicekit.hub.choosing import RepoFile
from servicekit.hub.errors import DoesNotFit, HubUnreachable, RepositoryGated, RepositoryNotFound

PUBLIC = "https://huggingface.co"
SMALL_BYTES = 4 * 2**20
"""Configuration files are read whole up to this size before anything is decided."""
RANGE_BYTES = 512 * 1024
TIMEOUT_S = 20.0
STRETCH_BYTES = 256 * 1024
"""A download is written down after so many bytes. The library's ten million would be lost at each break, and on a
slow line nothing would be told for many seconds."""
PART = ".part"
"""Ending of a file that is not whole yet."""
_OURS = (errno.EIO, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Listing:
    """What a repository holds at one commit."""

    repo: str
    commit: str
    files: tuple[RepoFile, ...]
    license: str | None = None
    languages: tuple[str, ...] = ()


class Repository(Protocol):
    """A place that models come from."""

    def listing(self, repo: str, revision: str | None) -> Listing:
        """Return what `repo` holds. Raises RepositoryNotFound, RepositoryGated, HubUnreachable."""
        ...

    def small(self, listing: Listing, name: str) -> bytes:
        """Return a small file whole."""
        ...

    def opened(self, listing: Listing, file: RepoFile) -> io.RawIOBase:
        """Return a seekable file that fetches only the stretches that are read."""
        ...

    def fetch(self, repo: str, commit: str, file: RepoFile, folder: Path, on_bytes: OnBytes) -> Path:
        """Bring a file into `folder`, going on where an earlier try broke off; `on_bytes` may raise to stop."""
        ...


class HubRepository:
    """The hub that `HF_ENDPOINT` names, by default Hugging Face's."""

    def __init__(self, endpoint: str | None = None, token: str | None = None):
        # said always: the library takes an empty HF_ENDPOINT, as compose passes it, for an address
        self._endpoint, self._token = endpoint or PUBLIC, token or None

    def listing(self, repo: str, revision: str | None) -> Listing:
        from huggingface_hub import HfApi

        with _translated(repo):
            api = HfApi(endpoint=self._endpoint, token=self._token)
            info = api.model_info(repo, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
        card: Any = info.card_data
        language = getattr(card, "language", None) or ()
        return Listing(
            repo=repo,
            commit=info.sha or "",
            files=tuple(_file(sibling) for sibling in info.siblings or ()),
            license=str(card.license) if getattr(card, "license", None) else None,
            languages=(language,) if isinstance(language, str) else tuple(language),
        )

    def small(self, listing: Listing, name: str) -> bytes:
        return self._range(listing, name, 0, SMALL_BYTES)

    def opened(self, listing: Listing, file: RepoFile) -> io.RawIOBase:
        return _RangeFile(lambda start, count: self._range(listing, file.name, start, count), file.size)

    def fetch(self, repo: str, commit: str, file: RepoFile, folder: Path, on_bytes: OnBytes) -> Path:
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers

        constants.DOWNLOAD_CHUNK_SIZE = STRETCH_BYTES
        target = folder / file.name
        part = target.with_name(target.name + PART)
        target.parent.mkdir(parents=True, exist_ok=True)
        url = hf_hub_url(repo, file.name, revision=commit, endpoint=self._endpoint)
        with _translated(repo), part.open("ab") as content:
            there = content.tell()
            if there > file.size:
                content.truncate(0)
                there = 0
            on_bytes(there)
            # Not hf_hub_download: since its version 2 it begins every file anew.
            http_get(
                url, content, resume_size=there, headers=build_hf_headers(token=self._token),
                expected_size=file.size, tqdm_class=_bar(on_bytes),
            )  # fmt: skip
            content.flush()
            os.fsync(content.fileno())
        os.replace(part, target)
        return target

    def _range(self, listing: Listing, name: str, start: int, count: int) -> bytes:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        url = hf_hub_url(listing.repo, name, revision=listing.commit, endpoint=self._endpoint)
        headers = {**build_hf_headers(token=self._token), "Range": f"bytes={start}-{start + count - 1}"}
        with _translated(listing.repo):
            answer = get_session().get(url, headers=headers, timeout=TIMEOUT_S, follow_redirects=True)
            hf_raise_for_status(answer)
            content = answer.content
        # a server that does not know ranges sends all of it
        return content if answer.status_code == 206 else content[start : start + count]


class _RangeFile(io.RawIOBase):
    """A remote file read by ranges of `RANGE_BYTES`, the last one kept."""

    def __init__(self, read: Callable[[int, int], bytes], size: int):
        self._read_range, self._size, self._at = read, size, 0
        self._start, self._kept = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        if not self._start <= self._at < self._start + len(self._kept):
            count = min(max(wanted, RANGE_BYTES), self._size - self._at)
            self._start, self._kept = self._at, self._read_range(self._at, count)
        offset = self._at - self._start
        part = self._kept[offset : offset + wanted]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def _bar(on_bytes: OnBytes) -> Any:
    """Return a class of progress bars that tell bytes instead of drawing."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            on_bytes(int(n or 0))
            return None

    return Bar


def _file(sibling: Any) -> RepoFile:
    lfs = sibling.lfs
    size = int(sibling.size if sibling.size is not None else (lfs.size if lfs else 0))
    return RepoFile(sibling.rfilename, size, lfs.sha256 if lfs else None, sibling.blob_id)


@contextmanager
def _translated(repo: str) -> Iterator[None]:
    """Turn the library's errors into ours, in words for the person who asked."""
    import httpx2
    from huggingface_hub import errors as hub

    shown = repo[:120]
    try:
        yield
    except hub.GatedRepoError as error:
        raise RepositoryGated(
            f"'{shown}' asks for its terms to be accepted: open its page on the hub, accept them, make a token there "
            "and set HF_TOKEN.",
            param="id",
        ) from error
    except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError, hub.EntryNotFoundError) as error:
        raise RepositoryNotFound(
            f"The hub has no '{shown}', or not this revision or file of it, or it is private. "
            "Check the name; a private one needs HF_TOKEN.",
            param="id",
        ) from error
    except hub.HFValidationError as error:
        raise RepositoryNotFound(
            f"'{shown}' is no name of a repository. Write owner/name.", param="id"
        ) from error
    except hub.OfflineModeIsEnabled as error:
        raise HubUnreachable(
            "HF_HUB_OFFLINE is set: nothing is fetched. Unset it to install models."
        ) from error
    except (hub.HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        if getattr(error, "errno", None) in _FULL:
            raise DoesNotFit(
                f"The disk is full: '{shown}' finds no room. Free some and install it again: what was fetched is kept.",
                param="id",
            ) from error
        if getattr(error, "filename", None) is not None or getattr(error, "errno", None) in _OURS:
            raise  # of a file here, not of the line
        status = getattr(getattr(error, "response", None), "status_code", None)
        why = (
            f"It answered {status}."
            if status
            else "The network is away, or HF_ENDPOINT names the wrong place."
        )
        raise HubUnreachable(
            f"The hub could not give '{shown}'. {why} Try again.", retry_after_s=30
        ) from error
