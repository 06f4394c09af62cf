"""What is removed by age is told in the log, the metrics and `/readyz`; one sweep that fails stops no other."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from servicekit.health import Readiness
from servicekit.media import MediaStore
from servicekit.metrics import Metrics
from servicekit.retention import DAY_S, Removed, Sweeper


class Clock:
    """Unix time that only moves when it is told to."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_media_live_exactly_as_long_as_the_setting_says(tmp_path: Path) -> None:
    clock = Clock()
    store = MediaStore(tmp_path, "img", clock=clock)
    item = store.put(b"x" * 100, "image/png", "ana")
    clock.now += 7 * DAY_S
    assert store.sweep(7)["media"] == Removed(0, 0) and store.open(item.id, "ana")
    clock.now += 1
    assert store.sweep(7)["media"] == Removed(1, 100)
    assert list(tmp_path.iterdir()) == []


def test_what_was_removed_is_told_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    sweeper = Sweeper(
        lambda: {"media": Removed(2, 300)}, lambda: {"jobs": Removed(1), "leftovers": Removed()}
    )
    readiness, metrics = Readiness("svc-x"), Metrics("svc-x")
    readiness.watch_sweeps(sweeper.report)
    metrics.watch_sweeps(sweeper.removed)
    with caplog.at_level(logging.INFO):
        sweeper.sweep()
        sweeper.sweep()
    assert readiness.report()["swept"]["removed"]["media"] == {"items": 4, "bytes": 600}
    assert readiness.report()["swept"]["last_sweep_at"] > 0
    text = metrics.render().decode()
    assert 'swept_items_total{kind="media",service="svc-x"} 4.0' in text
    assert 'swept_bytes_total{kind="media",service="svc-x"} 600.0' in text
    told = [record.fields for record in caplog.records if record.getMessage() == "swept"]  # type: ignore[attr-defined]
    assert {"kind": "media", "removed": 2, "freed_bytes": 300} in told
    assert not any(fields["kind"] == "leftovers" for fields in told)


def test_a_sweep_that_fails_is_logged_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> dict[str, Removed]:
        raise OSError(5, "Input/output error")

    sweeper = Sweeper(failing, lambda: {"media": Removed(1, 1)})
    sweeper.sweep()
    assert sweeper.removed() == {"media": Removed(1, 1)}
    assert [record.getMessage() for record in caplog.records] == ["not swept"]


class ForeignError(Exception):
    """What some library raises, of no class that is known here."""


def test_an_error_of_any_class_ends_neither_the_sweep_nor_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    swept = threading.Semaphore(0)

    def failing() -> dict[str, Removed]:
        swept.release()
        raise ForeignError("refused: /home/ana")

    sweeper = Sweeper(failing, lambda: {"media": Removed(1, 1)}, every_s=0.01)
    sweeper.start()
    try:
        assert all(swept.acquire(timeout=30) for _ in range(3))
    finally:
        sweeper.stop()
    assert sweeper.removed()["media"].items >= 2
    assert {record.getMessage() for record in caplog.records} == {"not swept"}
    assert all("/home" not in str(record.__dict__.get("fields")) for record in caplog.records)


def test_it_sweeps_at_the_start_and_again_until_it_is_stopped() -> None:
    swept = threading.Semaphore(0)

    def sweep() -> dict[str, Removed]:
        swept.release()
        return {}

    sweeper = Sweeper(sweep, every_s=0.01)
    sweeper.start()
    assert all(swept.acquire(timeout=30) for _ in range(3))
    sweeper.stop()
