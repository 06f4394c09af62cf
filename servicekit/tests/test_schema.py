"""Older tables are brought up to date once, newer ones are refused and left as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from servicekit.errors import NewerDatabase
from servicekit.jobs.model import Job
from servicekit.jobs.store import JobStore
from servicekit.schema import bring_up_to_date

OLD, NEW = sa.MetaData(), sa.MetaData()
sa.Table("things", OLD, sa.Column("name", sa.Text))
sa.Table("things", NEW, sa.Column("name", sa.Text), sa.Column("size", sa.Integer))
sa.Table("places", NEW, sa.Column("name", sa.Text))


def add_size(db: sa.Connection) -> None:
    db.exec_driver_sql("ALTER TABLE things ADD COLUMN size INTEGER")


def fail(db: sa.Connection) -> None:
    db.exec_driver_sql("INSERT INTO things (name) VALUES ('half')")
    raise RuntimeError("a step that fails")


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}")


def columns(engine: sa.Engine) -> list[str]:
    return [column["name"] for column in sa.inspect(engine).get_columns("things")]


def test_each_step_runs_once_in_whatever_versions_it_comes(engine: sa.Engine) -> None:
    bring_up_to_date(engine, "shop", OLD)
    assert columns(engine) == ["name"]
    for _ in range(2):
        bring_up_to_date(engine, "shop", NEW, (add_size,))
    assert columns(engine) == ["name", "size"]


def test_a_new_database_sees_no_step(engine: sa.Engine) -> None:
    for _ in range(2):
        bring_up_to_date(engine, "shop", NEW, (add_size,))
    assert columns(engine) == ["name", "size"]


def test_a_new_table_needs_no_step(engine: sa.Engine) -> None:
    bring_up_to_date(engine, "shop", OLD)
    bring_up_to_date(engine, "shop", NEW)
    assert "places" in sa.inspect(engine).get_table_names()


def test_tables_from_before_versions_were_kept_are_taken_over(engine: sa.Engine) -> None:
    OLD.create_all(engine)
    with engine.begin() as db:
        db.exec_driver_sql("INSERT INTO things VALUES ('kept')")
    bring_up_to_date(engine, "shop", NEW, (add_size,))
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT name, size FROM things").all() == [("kept", None)]


def test_a_newer_database_is_refused_and_not_touched(engine: sa.Engine, tmp_path: Path) -> None:
    bring_up_to_date(engine, "shop", NEW, (add_size,))
    before = (tmp_path / "a.db").read_bytes()
    with pytest.raises(NewerDatabase, match="shop are of version 2.*up to 1.*make update") as refused:
        bring_up_to_date(engine, "shop", OLD)
    assert refused.value.code == "newer_database"
    assert (tmp_path / "a.db").read_bytes() == before


def test_a_step_that_fails_leaves_the_tables_as_they_were(engine: sa.Engine) -> None:
    bring_up_to_date(engine, "shop", OLD)
    with pytest.raises(RuntimeError):
        bring_up_to_date(engine, "shop", NEW, (add_size, fail))
    assert columns(engine) == ["name"]
    bring_up_to_date(engine, "shop", NEW, (add_size,))
    assert columns(engine) == ["name", "size"]


def test_two_parts_share_a_database_with_versions_of_their_own(engine: sa.Engine) -> None:
    bring_up_to_date(engine, "shop", NEW, (add_size,))
    bring_up_to_date(engine, "other", sa.MetaData(), (lambda db: None,))
    bring_up_to_date(engine, "shop", NEW, (add_size,))


def test_jobs_of_a_newer_program_are_refused_and_those_of_an_older_are_taken_over(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    store = JobStore(url, "svc-x")
    store.add(Job("job_1", "k", "ana", "queued", {}, 0, 0))
    store.close()
    engine = sa.create_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql("DROP TABLE schema_versions")  # as before versions were kept
    older = JobStore(url, "svc-x")
    assert older.get("job_1") is not None
    older.close()
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE schema_versions SET version = 9")
    with pytest.raises(NewerDatabase):
        JobStore(url, "svc-x")
