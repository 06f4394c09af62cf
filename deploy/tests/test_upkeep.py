"""Logs are kept for as long as the setting says, and what is removed is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy import swept, upkeep
from deploy.layout import Layout
from deploy.upkeep import DAY_S, Removed

NOW = 1_800_000_000.0


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    here = Layout(root=tmp_path, data_dir=tmp_path, env={})
    here.log_dir.mkdir()
    here.run_dir.mkdir()
    return here


def log(layout: Layout, name: str, age_days: float, now: float = NOW) -> Path:
    file = layout.log_dir / name
    file.write_text("line\n")
    os.utime(file, (now - age_days * DAY_S,) * 2)
    return file


def test_logs_older_than_the_setting_are_removed_and_counted(layout: Layout) -> None:
    old = [log(layout, "svc-chat.log.1", 31), log(layout, "svc-chat.log.2026-10-01", 40)]
    new = [log(layout, "svc-chat.log.2", 29), log(layout, "svc-chat.log", 0)]
    removed = upkeep.look(layout.log_dir, layout.run_dir, 30, NOW)
    assert removed == Removed(2, 10, 0)
    assert not any(file.exists() for file in old) and all(file.exists() for file in new)
    upkeep.look(layout.log_dir, layout.run_dir, 30, NOW + DAY_S)
    assert upkeep.removed_so_far(layout) == Removed(2, 10)


def test_each_day_a_log_is_put_aside_so_that_no_line_outlives_the_setting(layout: Layout) -> None:
    for day in range(40):
        now = NOW + day * DAY_S
        upkeep.look(layout.log_dir, layout.run_dir, 30, now)
        file = layout.log_dir / "gateway.log"
        with file.open("a") as opened:
            opened.write(f"{now}\n")
        os.utime(file, (now, now))
    last = NOW + 39 * DAY_S
    lines = [float(x) for file in layout.log_dir.iterdir() for x in file.read_text().split()]
    assert min(lines) >= last - 31 * DAY_S and max(lines) == last and len(lines) >= 30


def test_an_empty_log_is_not_put_aside_and_no_earlier_one_is_overwritten(layout: Layout) -> None:
    (layout.log_dir / "quiet.log").touch()
    log(layout, "a.log", 0).write_text("second\n")
    log(layout, "a.log.2026-11-27", 0).write_text("first\n")
    renamed = upkeep.put_aside(layout.log_dir, "2026-11-27")
    assert [file.name for file in renamed] == ["a.log.2026-11-27-1"]
    assert (layout.log_dir / "a.log.2026-11-27").read_text() == "first\n"


@pytest.mark.parametrize("value", ["0", "-1", "a week", "nan"])
def test_a_wrong_number_of_days_is_named(layout: Layout, value: str) -> None:
    with pytest.raises(ValueError, match="LOG_RETENTION_DAYS"):
        upkeep.retention_days(Layout(layout.root, layout.data_dir, env={"LOG_RETENTION_DAYS": value}))


def test_status_says_what_was_removed() -> None:
    report = {"swept": {"removed": {"media": {"items": 3, "bytes": 2048}, "jobs": {"items": 0, "bytes": 0}}}}
    assert swept.lines({"svc-tts": report, "gateway": {}}, Removed(1, 5)) == [
        "removed by age, svc-tts: media 3 (2.0 KiB)",
        "removed by age, logs: 1 (5 bytes)",
    ]
