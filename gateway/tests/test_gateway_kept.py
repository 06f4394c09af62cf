"""What the gateway keeps survives a full disk and is never touched by a program that does not know it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from gateway.engine.accounts import Accounts
from gateway.engine.database import connect
from gateway.engine.signer import Signer
from gateway.parts import assemble
from gateway.settings import Settings
from servicekit.errors import CannotStart, NewerDatabase

FULL = """
import resource, sys
from pathlib import Path
from gateway.engine.signer import Signer
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
Signer(Path(sys.argv[1]))
"""


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'gateway.db'}"


def test_accounts_from_before_versions_were_kept_are_taken_over(tmp_path: Path) -> None:
    Accounts(connect(url(tmp_path))).create("ana", "hash", "owner")
    with create_engine(url(tmp_path)).begin() as db:
        db.exec_driver_sql("DROP TABLE schema_versions")
    assert Accounts(connect(url(tmp_path))).by_name("ana") is not None


def test_a_newer_database_ends_the_start_with_the_remedy_in_its_last_line(tmp_path: Path) -> None:
    connect(url(tmp_path))
    with create_engine(url(tmp_path)).begin() as db:
        db.exec_driver_sql("UPDATE schema_versions SET version = 7")
    with pytest.raises(NewerDatabase, match="gateway are of version 7"):
        connect(url(tmp_path))
    env = {**os.environ, "GATEWAY_DATA_DIR": str(tmp_path), "GATEWAY_PORT": "0"}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("gateway: The tables of gateway") and "make rollback" in last


def test_beside_an_unfinished_restore_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / ".restore").mkdir()
    with pytest.raises(CannotStart, match="make restore"):
        assemble(Settings(data_dir=tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [".restore"]


def test_a_full_disk_leaves_no_half_signing_key(tmp_path: Path) -> None:
    key = tmp_path / "signing-key.pem"
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(key)], capture_output=True, timeout=120, check=False
    )
    assert ended.returncode != 0 and list(tmp_path.iterdir()) == []
    assert Signer(key).kid == Signer(key).kid
    assert key.stat().st_mode & 0o777 == 0o600


def test_the_public_keys_are_written_for_others_to_read(tmp_path: Path) -> None:
    signer, file = Signer(tmp_path / "signing-key.pem"), tmp_path / "jwks.json"
    signer.publish(file)
    signer.publish(file)
    assert json.loads(file.read_bytes()) == signer.jwks()
    assert file.stat().st_mode & 0o777 == 0o644
    assert sorted(found.name for found in tmp_path.iterdir()) == ["jwks.json", "signing-key.pem"]
