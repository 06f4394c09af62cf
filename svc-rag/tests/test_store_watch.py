"""The watch over the search store goes on, whatever the store or those who are told of it do."""

from __future__ import annotations

import sqlite3
import time

import pytest

from svc_rag import build
from svc_rag.build import StoreWatch


class Failing:
    """A store whose first `connect` fails as a full disk or a locked file has it."""

    def __init__(self, error: Exception | None = None):
        self._error = error

    def connect(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def check(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(build, "_CHECK_EVERY_S", 0.01)
    monkeypatch.setattr(build, "_TELL_AGAIN_S", 0.01)


def until(true) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("database is locked"), OSError(28, "No space left on device")]
)
def test_a_file_that_cannot_be_opened_once_is_opened_later(error):
    watch = StoreWatch(Failing(error))
    watch.start()
    try:
        until(lambda: watch.reason() is None)
    finally:
        watch.stop()


def test_what_fails_when_the_store_is_back_is_done_again():
    told = []

    def back() -> None:
        told.append(len(told))
        if len(told) == 1:
            raise sqlite3.OperationalError("database or disk is full")

    watch = StoreWatch(Failing(), back)
    watch.start()
    try:
        until(lambda: len(told) == 2)
        until(lambda: watch.reason() is None)
    finally:
        watch.stop()


def test_what_fails_each_time_is_logged_once_and_never_told_to_be_well(caplog):
    told, seen = [], set()

    def back() -> None:
        told.append(None)
        raise sqlite3.OperationalError("database or disk is full")

    watch = StoreWatch(Failing(), back)
    watch.start()
    try:

        def tried() -> bool:
            seen.add(watch.reason())
            return len(told) >= 20

        until(tried)
    finally:
        watch.stop()
    assert None not in seen
    assert len([record for record in caplog.records if "not usable" in record.getMessage()]) == 1


def test_the_reason_names_the_kind_of_trouble_and_no_path():
    class Never(Failing):
        def connect(self) -> None:
            raise sqlite3.OperationalError("unable to open database file /home/ana/rag.db")

    watch = StoreWatch(Never())
    watch.start()
    try:
        until(lambda: "OperationalError" in (watch.reason() or ""))
        assert "/home" not in (watch.reason() or "")
    finally:
        watch.stop()
