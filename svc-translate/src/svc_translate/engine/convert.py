"""Keeps int8 copies of models in CTranslate2's format; makes one where it is missing.

Owns where copies lie and that they are whole. `python -m svc_translate.engine.convert SOURCE TARGET` is
the child process that makes one (`spec.py` does the work); its memory is gone when it ends, and it does not outlive a
service that is killed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from servicekit import atomic
from servicekit.children import end_with_parent, lifeline
from servicekit.errors import NotReady
from svc_translate.engine.folders import Folder, copy_name, is_converted

CONVERT_TIMEOUT_S = 1800.0
_MAKING = ".making-"


def converted(folder: Folder, cache_dir: Path) -> Path:
    """Return the int8 copy of a model, making it first if it is not there; blocks. What comes converted is taken as is.

    The copy appears under its name only when it is whole, so a crash leaves nothing half-made and
    two processes may race.

    Raises:
        NotReady: the conversion failed.
    """
    if is_converted(folder.path):
        return folder.path
    target = _place(folder, cache_dir)
    if (target / "model.bin").is_file():
        return target
    with workplace(cache_dir) as (work, lock):
        _run_child(folder, work / "model", lock)
        for file in (work / "model").iterdir():
            atomic.sync(file)
        try:
            (work / "model").rename(target)
        except OSError:
            if not (target / "model.bin").is_file():
                raise
    return target


@contextmanager
def workplace(cache_dir: Path) -> Iterator[tuple[Path, int]]:
    """Lend a folder to make a copy in, and the handle by which it is locked; those that a crash left are removed.

    The lock ends with the last process that has the handle, so that whoever cleans up can tell what nobody writes.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    one_at_a_time = os.open(cache_dir, os.O_RDONLY)
    try:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        for left in cache_dir.glob(f"{_MAKING}*"):
            handle = _locked(left)
            if handle is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(handle)
        work = Path(tempfile.mkdtemp(prefix=_MAKING, dir=cache_dir))
        lock = _locked(work)
    finally:
        os.close(one_at_a_time)
    assert lock is not None
    try:
        yield work, lock
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> int | None:
    """Lock a folder and return its handle; None when somebody has it, or it is gone."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def forget(folder: Folder, cache_dir: Path, others: Iterable[Folder]) -> None:
    """Remove the copy of a model that goes, unless one of `others` has the same weights; blocks."""
    place = _place(folder, cache_dir)
    if place.is_dir() and all(_place(other, cache_dir) != place for other in others):
        shutil.rmtree(place, ignore_errors=True)


def _place(folder: Folder, cache_dir: Path) -> Path:
    return cache_dir / f"int8-{copy_name(folder.path)}"


def _run_child(folder: Folder, target: Path, lock: int) -> None:
    command = [sys.executable, "-m", "svc_translate.engine.convert", str(folder.path), str(target)]
    try:
        # it ends a moment after a process that was killed, and holds the lock as long as it writes
        with lifeline() as line:
            done = subprocess.run(
                command,
                stdin=line,
                capture_output=True,
                timeout=CONVERT_TIMEOUT_S,
                check=False,
                pass_fds=(lock,),
            )
    except subprocess.TimeoutExpired as exc:
        raise NotReady(f"Converting the model '{folder.id}' took over {CONVERT_TIMEOUT_S:.0f} s.") from exc
    if done.returncode != 0:
        sys.stderr.write(done.stderr.decode("utf-8", "replace")[-2000:])
        raise NotReady(
            f"The model '{folder.id}' could not be converted; the log says why. "
            "Check that its folder is a complete Marian, M2M100 or NLLB model."
        )


if __name__ == "__main__":
    end_with_parent()
    # CTranslate2's specs import torch where it is installed (some seconds, 300 MB) and do not need it.
    sys.modules["torch"] = None  # type: ignore[assignment]
    from svc_translate.engine.spec import convert

    convert(Path(sys.argv[1]), Path(sys.argv[2]))
