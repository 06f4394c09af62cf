"""What is written is there whole or not at all: when the process is killed and when the disk is full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from servicekit import atomic

WRITERS = {
    "atomic": "write = lambda n: atomic.write(folder / 'file', content(n))",
    "media": (
        "from servicekit.media import MediaStore\n"
        "store = MediaStore(folder, 'img')\n"
        "write = lambda n: store.put(content(n), 'image/png', 'ana', item_id=store.new_id('always the same'))"
    ),
}
PROGRAM = """
import resource, sys
from pathlib import Path
from servicekit import atomic
from servicekit.errors import ServiceError
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
def content(n):
    return bytes([65 + n % 26]) * (200_000 + n % 7)
{writer}
write(0)
print("begun", flush=True)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        write(1)
    except (OSError, ServiceError) as error:
        print("refused", type(error).__name__, error, flush=True)
n = 1
while not limit:
    write(n)
    print(n, flush=True)
    n += 1
"""


def start(folder: Path, writer: str, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM.format(writer=WRITERS[writer]), str(folder), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finished(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if not atomic.is_draft(file.name)]


def assert_whole(folder: Path) -> None:
    files = [file for file in finished(folder) if not file.name.endswith(".json")]
    assert len(files) == 1
    content = files[0].read_bytes()
    assert 200_000 <= len(content) <= 200_006 and content == content[:1] * len(content)
    assert files[0].stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("writer", WRITERS)
def test_a_killed_write_leaves_the_old_or_the_new_file(tmp_path: Path, writer: str) -> None:
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = start(folder, writer)
        assert process.stdout is not None
        for _ in range(3 + number):
            process.stdout.readline()  # the next write is under way
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert_whole(folder)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("limit", [1, 4096, 199_999])
def test_a_full_disk_leaves_the_old_file_and_no_draft(tmp_path: Path, writer: str, limit: int) -> None:
    said, _ = start(tmp_path, writer, limit).communicate(timeout=60)
    assert "refused" in said
    assert_whole(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(finished(tmp_path))
    assert set(b"".join(f.read_bytes()[:1] for f in finished(tmp_path) if f.suffix != ".json")) == {65}


def test_without_replace_the_first_of_two_stays(tmp_path: Path) -> None:
    atomic.write(tmp_path / "key", b"first", replace=False)
    with pytest.raises(FileExistsError):
        atomic.write(tmp_path / "key", b"second", replace=False)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"first"]


def test_only_old_drafts_are_removed(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (f".a.{'0' * 16}.tmp", f".b.{'1' * 16}.tmp", "c.tmp"))
    for file in (old, new, other):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    assert atomic.remove_drafts(tmp_path) == (1, 4)
    assert sorted(tmp_path.iterdir()) == sorted([new, other])
    assert atomic.remove_drafts(tmp_path / "nowhere") == (0, 0)
