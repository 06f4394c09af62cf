"""Records in PostgreSQL are in the backup and come back into an empty database, all or nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import update
from deploy.backup import archive, commands, restore
from deploy.console import Stop
from deploy.layout import Layout
from deploy.tests import backup_stack as stacks
from deploy.tests.backup_stack import git
from tests.ports import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a PostgreSQL server of our own and give the beginning of its databases' URLs."""
    programs = [shutil.which(name) for name in ("initdb", "pg_ctl", "pg_dump")]
    if None in programs:
        pytest.skip("PostgreSQL's server and client are not installed")
    initdb, pg_ctl, _ = map(str, programs)
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    port = free_port()
    as_user: list[str] = []
    if os.getuid() == 0:
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        shutil.chown(folder, 65534, 65534)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    place = ["-D", f"{folder}/data"]
    try:
        made = [*as_user, initdb, *place, "-U", "oficina", "-A", "trust", "--no-sync"]
        if subprocess.run(made, check=False, **quiet).returncode:  # type: ignore[call-overload]
            pytest.skip("PostgreSQL's server cannot be set up here")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        started = [*as_user, pg_ctl, *place, "-o", options, "-l", f"{folder}/log", "-w", "-t", "300", "start"]
        subprocess.run(started, check=True, **quiet)  # type: ignore[call-overload]
        yield f"postgresql+psycopg://oficina:s3cret@127.0.0.1:{port}/"
    finally:
        ended = [*as_user, pg_ctl, *place, "-m", "immediate", "stop"]
        subprocess.run(ended, check=False, **quiet)  # type: ignore[call-overload]
        shutil.rmtree(folder, ignore_errors=True)


def sql(url: str, statement: str) -> str:
    command = ["psql", "-X", "-A", "-t", "-q", "-d", url.replace("+psycopg", ""), "-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def layout(tmp_path: Path, server: str, request: pytest.FixtureRequest) -> Layout:
    """A stack whose chat and gateway keep their records in one PostgreSQL database."""
    name = f"d{abs(hash(request.node.name)):x}"
    sql(server + "postgres", f"CREATE DATABASE {name}")
    url = server + name
    sql(url, "CREATE SCHEMA dbos; CREATE TABLE dbos.w (id int); CREATE TABLE c (text text)")
    sql(url, "INSERT INTO c VALUES ('Olá')")
    data = stacks.make(tmp_path / "data")
    (data / "svc-chat" / "service.db").unlink()
    (data / "gateway" / "gateway.db").unlink()
    return Layout(tmp_path, data, env={"CHAT_DATABASE_URL": url, "GATEWAY_DATABASE_URL": url})


def moved(layout: Layout, server: str, name: str) -> Layout:
    """Return another, empty installation with an empty database."""
    sql(server + "postgres", f"CREATE DATABASE {name}")
    root = layout.root / "other"
    root.mkdir()
    url = server + name
    return Layout(root, root / "data", env={"CHAT_DATABASE_URL": url, "GATEWAY_DATABASE_URL": url})


def test_records_come_back_into_an_empty_database(layout: Layout, server: str) -> None:
    file = commands.backup(layout, None)
    other = moved(layout, server, "whole")
    commands.put_back(other, str(file))
    url = other.env["CHAT_DATABASE_URL"]
    assert sql(url, "SELECT text FROM c") == "Olá" and sql(url, "SELECT count(*) FROM dbos.w") == "0"
    assert stacks.digests(other.data_dir) == stacks.digests(layout.data_dir)


def test_a_database_that_holds_something_is_not_touched(layout: Layout, server: str) -> None:
    file = commands.backup(layout, None)
    other = moved(layout, server, "busy")
    sql(other.env["CHAT_DATABASE_URL"], "CREATE TABLE mine (id int)")
    with pytest.raises(Stop, match="holds 1 tables.*createdb"):
        commands.put_back(other, str(file))
    assert not other.data_dir.exists()


def test_a_dump_that_cannot_be_loaded_leaves_everything_as_it_was(
    layout: Layout, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = commands.backup(layout, None)
    other = moved(layout, server, "halfway")

    def broken(_: object, source: Path) -> None:
        source.write_bytes(source.read_bytes()[:-100])
        real(_, source)  # type: ignore[arg-type]

    real = commands.postgres.load
    monkeypatch.setattr(commands.postgres, "load", broken)
    with pytest.raises(Stop, match="pg_restore failed"):
        commands.put_back(other, str(file))
    assert restore.unfinished(other.data_dir) == [] and stacks.digests(other.data_dir) == {}
    assert (
        sql(other.env["CHAT_DATABASE_URL"], "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        == "0"
    )


def test_the_way_back_from_an_update_takes_postgresql_along_and_loses_nothing(layout: Layout) -> None:
    url, before = layout.env["CHAT_DATABASE_URL"], stacks.digests(layout.data_dir)
    file = commands.backup(layout, str(layout.root / "before.tar.gz"))
    sql(url, "ALTER TABLE c ADD COLUMN id int UNIQUE; CREATE TABLE newer (id int REFERENCES c (id))")
    sql(url, "UPDATE c SET text = 'changed'; CREATE SCHEMA more; CREATE TABLE more.t (id int)")
    git(layout.root, "init", "--quiet")
    (layout.root / ".gitignore").write_text("*")
    git(layout.root, "add", "-f", ".gitignore")
    git(layout.root, "commit", "--quiet", "-m", "one")
    head = git(layout.root, "rev-parse", "HEAD")
    update._back(layout, update.Update(head, head, str(file)))
    assert sql(url, "SELECT * FROM c") == "Olá" and stacks.digests(layout.data_dir) == before
    assert sql(url, "SELECT count(*) FROM pg_namespace WHERE nspname = 'more'") == "0"
    (newer,) = (layout.root / "backups").glob("before-rollback-*")
    with newer.open("rb") as stream:
        assert archive.read(stream, lambda _: None).postgres


def test_without_a_database_to_put_it_into_the_remedy_is_told(layout: Layout) -> None:
    file = commands.backup(layout, None)
    (layout.root / "other").mkdir()
    other = Layout(layout.root / "other", layout.root / "other" / "data")
    with pytest.raises(Stop, match="PostgreSQL database of gateway, svc-chat.*DATABASE_URL"):
        commands.put_back(other, str(file))


def test_a_server_that_is_away_is_told_without_the_password(layout: Layout) -> None:
    away = Layout(layout.root, layout.data_dir, env={"DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:9/d"})
    with pytest.raises(Stop, match="pg_dump failed for postgresql://u@127.0.0.1:9/d") as told:
        commands.backup(away, None)
    assert "s3cret" not in str(told.value)
    assert list((layout.root / "backups").iterdir()) == []
