"""A backup holds everything at one time, and is put back whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy import services
from deploy.backup import archive, commands, contents, making, restore, snapshot
from deploy.console import Stop
from deploy.layout import ROOT, Layout
from deploy.tests import backup_stack as stacks
from servicekit.errors import CannotStart
from servicekit.settings import ServiceSettings


def quiet(_: str) -> None:
    """Tell nobody."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    stacks.make(tmp_path / "data")
    return Layout(root=tmp_path, data_dir=tmp_path / "data")


@pytest.fixture
def empty(tmp_path: Path) -> Layout:
    (tmp_path / "other").mkdir()
    return Layout(root=tmp_path / "other", data_dir=tmp_path / "other" / "data")


def in_child(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own that may kill itself."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)


def test_every_service_of_the_stack_is_known_to_backups() -> None:
    known = {*contents.SERVICES, *contents.KEEP_NOTHING}
    assert known == {service.name for service in services.ALL}
    assert contents.SERVICES[-1] == services.GATEWAY.name


def test_what_is_put_back_is_what_was_there(layout: Layout, empty: Layout) -> None:
    (layout.root / ".env").write_text("CHAT_PORT=9002\n")
    file = commands.backup(layout, None)
    assert file.stat().st_mode & 0o777 == 0o600
    commands.put_back(empty, str(file))
    assert stacks.digests(empty.data_dir) == stacks.digests(layout.data_dir)
    for name, query in {
        "gateway/gateway.db": "SELECT * FROM users",
        "svc-chat/service.db": "SELECT * FROM c",
        "svc-rag/rag.db": "SELECT * FROM documents ORDER BY id",
    }.items():
        assert stacks.rows(empty.data_dir / name, query) == stacks.rows(layout.data_dir / name, query) != []
    assert (empty.root / ".env").read_text() == "CHAT_PORT=9002\n"
    assert restore.unfinished(empty.data_dir) == []


def test_what_is_made_again_stays_out_and_is_told(layout: Layout) -> None:
    file = commands.backup(layout, None)
    with file.open("rb") as stream:
        manifest = archive.read(stream, quiet)
    assert not any("ct2" in name or "link.json" in name for name in manifest.files)
    assert {"svc-translate/ct2": 1000}.items() <= {i["path"]: i["bytes"] for i in manifest.left_out}.items()


def test_other_settings_than_those_of_the_backup_are_left_alone(layout: Layout, empty: Layout) -> None:
    (layout.root / ".env").write_text("CHAT_PORT=9002\n")
    (empty.root / ".env").write_text("CHAT_PORT=9003\n")
    commands.put_back(empty, str(commands.backup(layout, None)))
    assert (empty.root / ".env").read_text() == "CHAT_PORT=9003\n"
    assert (empty.root / ".env.restored").read_text() == "CHAT_PORT=9002\n"


def test_no_record_of_a_backup_made_under_load_lacks_its_file(layout: Layout, tmp_path: Path) -> None:
    load = stacks.Load(layout.data_dir)
    load.start()
    try:
        for number in range(8):
            before = load.rounds
            file = commands.backup(layout, str(tmp_path / f"{number}.tar.gz"))
            target = tmp_path / f"restored-{number}"
            with file.open("rb") as stream:
                restore.unpack(target, stream, quiet, tmp_path / f"rest-{number}")
            restore.commit(target)
            assert load.rounds > before, "the load stood still, so nothing was tried"
            named = [row[0] for row in stacks.rows(target / "svc-rag" / "rag.db", "SELECT id FROM documents")]
            assert named and contents.records_without_file(target / "svc-rag") == []
            for name in named:
                assert (target / "svc-rag" / "documents" / name / "source").read_text() == name
    finally:
        load.stop()


def test_a_file_that_came_and_went_within_the_copying_is_noticed(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    rag, real = layout.data_dir / "svc-rag", snapshot._copy_databases
    names: list[str] = []

    def with_a_short_lived_document(folder: Path) -> None:
        brief = stacks.add_document(rag) if folder == rag and not names else None
        real(folder)
        if brief:
            names.append(brief)
            stacks.remove_document(rag, brief)

    monkeypatch.setattr(snapshot, "_copy_databases", with_a_short_lived_document)
    with snapshot.taken(layout.data_dir) as found:
        record = dict(found)["svc-rag/rag.db"]
        assert (names[0],) not in stacks.rows(record, "SELECT id FROM documents")


def test_a_file_deleted_after_its_record_was_copied_is_in_the_backup(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    rag, real, copied = layout.data_dir / "svc-rag", snapshot._copy_databases, []
    name = stacks.add_document(rag)

    def deleting(folder: Path) -> None:
        real(folder)
        if folder == rag:
            copied.append(folder)
            stacks.remove_document(rag, name)

    monkeypatch.setattr(snapshot, "_copy_databases", deleting)
    with snapshot.taken(layout.data_dir) as found:
        assert dict(found)[f"svc-rag/documents/{name}/source"].read_text() == name
        assert (name,) in stacks.rows(dict(found)["svc-rag/rag.db"], "SELECT id FROM documents")
    assert len(copied) == 1


def test_a_picture_deleted_while_it_is_copied_leaves_no_sidecar(layout: Layout) -> None:
    work = layout.data_dir / "copy"
    stacks.picture(work, "img_" + "1" * 32)
    (work / f"img_{'1' * 32}.png").unlink()
    contents.drop_orphans(work)
    assert list(work.iterdir()) == []


def test_deleted_text_is_not_in_the_copy_of_a_database(tmp_path: Path) -> None:
    file = tmp_path / "service.db"
    stacks.database(file, "CREATE TABLE c (text)", "INSERT INTO c VALUES ('a secret that was deleted')")
    stacks.database(file, "PRAGMA secure_delete=OFF", "DELETE FROM c")
    assert b"a secret" in file.read_bytes(), "SQLite frees the page and leaves its bytes"
    snapshot.copy_database(file, tmp_path / "copy.db")
    assert b"a secret" not in (tmp_path / "copy.db").read_bytes()


def test_a_damaged_database_is_named(layout: Layout) -> None:
    file = layout.data_dir / "svc-chat" / "service.db"
    file.write_bytes(file.read_bytes()[:100] + b"\xff" * 4000)
    with pytest.raises(Stop, match="svc-chat/service.db"):
        commands.backup(layout, None)
    assert list((layout.root / "backups").iterdir()) == []


@pytest.mark.parametrize("damage", ["cut off", "one byte", "no archive", "empty"])
def test_a_damaged_archive_changes_nothing(layout: Layout, empty: Layout, damage: str) -> None:
    (layout.data_dir / "svc-chat" / "noise").write_bytes(os.urandom(100_000))  # no byte of it is redundant
    file = commands.backup(layout, None)
    whole = file.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "cut off": whole[:middle],
        "one byte": whole[:middle] + bytes([whole[middle] ^ 0x40]) + whole[middle + 1 :],
        "no archive": b"PK\x03\x04" * 100,
        "empty": b"",
    }[damage]
    file.write_bytes(damaged)
    with pytest.raises(Stop, match="damaged|not a backup"):
        commands.put_back(empty, str(file))
    assert not empty.data_dir.exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "svc-chat/../../outside", "elsewhere/file"])
def test_an_archive_cannot_write_outside_of_the_stack(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    files = [(name, tmp_path / "file")]
    manifest = archive.Manifest("1", "", "now", archive.checksums(files, quiet))
    out = io.BytesIO()
    archive.write(out, manifest, files, quiet)
    out.seek(0)
    with pytest.raises(Stop):
        restore.unpack(tmp_path / "data", out, quiet, tmp_path / "rest")
    assert not list(tmp_path.rglob("*outside*")) and not (tmp_path / "data" / "elsewhere").exists()


def test_an_archive_of_a_newer_format_says_update_first(tmp_path: Path) -> None:
    body = json.dumps({"format": archive.FORMAT + 1}).encode()
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        member = tarfile.TarInfo(archive.MANIFEST)
        member.size = len(body)
        tar.addfile(member, io.BytesIO(body))
    out.seek(0)
    with pytest.raises(Stop, match="update first"):
        archive.read(out, quiet)


def test_a_stack_that_keeps_something_is_not_overwritten(layout: Layout) -> None:
    file = commands.backup(layout, None)
    before = stacks.digests(layout.data_dir)
    with pytest.raises(Stop, match="not empty.*mv data"):
        commands.put_back(layout, str(file))
    assert stacks.digests(layout.data_dir) == before


def test_two_backups_at_once_are_refused_and_a_killed_one_is_cleared(layout: Layout) -> None:
    with snapshot.taken(layout.data_dir), pytest.raises(Stop, match="Another backup"):
        commands.backup(layout, None)
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom deploy.backup import snapshot\n"
        "with snapshot.taken(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert in_child(program, layout.data_dir).returncode == -signal.SIGKILL
    assert list(layout.data_dir.glob(f"*/{contents.WORK}"))
    commands.backup(layout, None)
    assert not list(layout.data_dir.glob(f"*/{contents.WORK}"))


def restored_until_killed(data: Path, file: Path, calls: int) -> int:
    """Restore in a child that is killed at its call number `calls` to the disk; return its exit code."""
    child = os.fork()
    if child == 0:
        left = [calls]

        def dying(real: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **options: object) -> object:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            return call

        for name in ("rename", "replace", "fsync", "rmdir", "unlink", "mkdir"):
            setattr(os, name, dying(getattr(os, name)))
        with file.open("rb") as stream:
            restore.unpack(data, stream, quiet, data.parent / "rest")
        restore.commit(data)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_restore_killed_anywhere_is_seen_and_ends_whole_the_next_time(
    layout: Layout, empty: Layout, tmp_path: Path
) -> None:
    file, wanted = commands.backup(layout, None), stacks.digests(layout.data_dir)
    ended = False
    for step in range(400):
        data = tmp_path / f"killed-{step}"
        data.mkdir()
        status = restored_until_killed(data, file, step)
        if ended := status == 0:
            break
        assert status == -signal.SIGKILL
        begun = restore.unfinished(data)
        if stacks.digests(data) not in ({}, wanted):
            assert begun, "half of a restore without a mark"
        for name in begun:
            with pytest.raises(CannotStart, match="not finished"):
                ServiceSettings(data_dir=data / name).prepared()
        with file.open("rb") as stream:
            try:
                restore.unpack(data, stream, quiet, tmp_path / f"again-{step}")
            except Stop as stop:  # it had ended but for its last mark
                assert "not empty" in str(stop)
            else:
                restore.commit(data)
        assert stacks.digests(data) == wanted and restore.unfinished(data) == []
    assert ended and step > 30, "the killing did not go through all steps"


FULL = """
import resource, sys
from pathlib import Path
from deploy.backup import commands
from deploy.layout import Layout
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
root = Path(sys.argv[1])
try:
    commands.backup(Layout(root=root, data_dir=root / "data"), None)
except commands.Stop as stop:
    print(stop)
"""


@pytest.mark.parametrize("limit", [0, 4096, 20_000, 60_000])
def test_a_full_disk_leaves_no_half_archive(layout: Layout, limit: int) -> None:
    for number in range(20):
        (layout.data_dir / "svc-chat" / f"noise-{number}").write_bytes(os.urandom(10_000))
    ended = in_child(FULL, layout.root, limit)
    assert "could not be written" in ended.stdout or "cannot be copied" in ended.stdout, ended.stderr
    assert list((layout.root / "backups").iterdir()) == []
    assert not list(layout.data_dir.glob(f"*/{contents.WORK}"))


def test_drafts_of_killed_backups_are_cleared_after_an_hour(layout: Layout) -> None:
    (layout.root / "backups").mkdir()
    draft = layout.root / "backups" / ".oficina-1.tar.gz.0123456789abcdef.tmp"
    draft.write_bytes(b"half")
    os.utime(draft, (time.time() - 4000,) * 2)
    commands.backup(layout, None)
    assert not draft.exists()


def test_a_place_that_cannot_be_written_is_named(layout: Layout) -> None:
    (layout.root / "file").touch()
    with pytest.raises(Stop, match="file/folder could not be written.*TO="):
        commands.backup(layout, str(layout.root / "file" / "folder") + "/")


def test_nothing_to_back_up_is_said(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="nothing to back up"):
        commands.backup(Layout(root=tmp_path, data_dir=tmp_path / "data"), None)


def test_records_in_sqlite_are_not_restored_where_postgresql_is_read(layout: Layout, empty: Layout) -> None:
    file = commands.backup(layout, None)
    other = Layout(root=empty.root, data_dir=empty.data_dir, env={"CHAT_DATABASE_URL": "postgresql://u@h/d"})
    with pytest.raises(Stop, match="svc-chat.*SQLite.*DATABASE_URL"):
        commands.put_back(other, str(file))


def test_a_container_writes_to_its_pipe_and_restores_from_it(layout: Layout, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "deploy.backup"]
    packed = subprocess.run(
        [*run, "write", "--stack", str(layout.data_dir)],
        input=b"CHAT_PORT=1\n",
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    assert archive.read(io.BytesIO(packed.stdout), quiet).files["settings/env"][0] == len(b"CHAT_PORT=1\n")
    stack = tmp_path / "volumes"
    subprocess.run([*run, "restore", "--stack", str(stack)], input=packed.stdout, cwd=ROOT, check=True)
    assert stacks.digests(stack) == stacks.digests(layout.data_dir)


def test_a_running_backup_stops_nobody(layout: Layout) -> None:
    """Others write between the copying of a database and the end of the archive."""
    out = io.BytesIO()
    manifest = making.make(
        layout.data_dir,
        ROOT,
        out,
        lambda _: stacks.database(layout.data_dir / "svc-chat" / "service.db", "INSERT INTO c VALUES ('x')"),
    )
    assert manifest.version != "unknown" and "svc-chat/service.db" in manifest.files
