"""Logs are kept for as long as the setting says, and what is removed is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy import files, supervisor, swept, upkeep
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


def test_a_quiet_log_stays_while_it_is_open_and_goes_when_it_is_not(layout: Layout) -> None:
    quiet = log(layout, "frontend.log", 60)
    quiet.write_text("")
    os.utime(quiet, (NOW - 60 * DAY_S,) * 2)
    upkeep.look(layout.log_dir, layout.run_dir, 30, NOW)
    assert quiet.exists()
    upkeep.forget(layout.log_dir, 30, NOW, in_use=False)
    assert not quiet.exists()


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


def test_a_log_that_cannot_be_put_aside_keeps_no_other_from_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.log", "b.log", "c.log"):
        log(layout, name, 0)
    opened: list[Path] = []
    rename = Path.rename

    def some(file: Path, target: Path) -> Path:
        if file.name == "b.log":
            raise OSError(5, "Input/output error", str(file))
        return rename(file, target)

    monkeypatch.setattr(Path, "rename", some)
    monkeypatch.setattr(upkeep, "_open_anew", opened.append)
    (layout.run_dir / upkeep.STATE).write_text('{"day": "2000-01-01"}')
    assert upkeep.look(layout.log_dir, layout.run_dir, 30, NOW).put_aside == 2
    assert opened == [layout.run_dir / "supervisord.pid"]
    assert sorted(file.name for file in layout.log_dir.glob("*.log")) == ["b.log"]
    said = capsys.readouterr().out
    assert '"file": "b.log"' in said and str(layout.root) not in said


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


TALKER = """
import sys, time
for number in range(10**9):
    print(number, flush=True)
    time.sleep(0.002)
"""


def test_no_line_is_lost_when_supervisord_opens_its_logs_anew(layout: Layout) -> None:
    """A real supervisord with one program that talks without end."""
    pytest.importorskip("supervisor")
    talker = layout.data_dir / "talker.py"
    talker.write_text(TALKER)
    socket = layout.socket("s.sock")
    socket.parent.mkdir(parents=True, exist_ok=True)
    folders = {"log_dir": layout.log_dir, "run_dir": layout.run_dir, "root": layout.root}
    told = {"name": "talker", "command": f"{sys.executable} {talker}", "environment": 'A="b"'}
    file = layout.run_dir / "supervisord.conf"
    file.write_text(
        supervisor.SECTIONS.format(socket=socket, **folders)
        + supervisor.PROGRAM.format(priority=1, stop_wait_s=5, **told, **folders)
    )
    log = layout.log_dir / "talker.log"
    with subprocess.Popen([sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(file)]) as process:
        try:
            for day in range(3):
                until(lambda: log.is_file() and log.stat().st_size > 2000)
                upkeep.look(layout.log_dir, layout.run_dir, 30, time.time() + day * DAY_S)
            until(lambda: log.is_file() and log.stat().st_size > 2000)
        finally:
            process.terminate()
    pieces = sorted(layout.log_dir.glob("talker.log.*")) + [log]
    assert len(pieces) == 3
    numbers = [int(line) for piece in pieces for line in piece.read_text().split()]
    assert numbers == list(range(len(numbers)))


def until(holds: Callable[[], bool], timeout_s: float = 60) -> None:
    """Poll until `holds`."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_full_disk_is_outlived_and_frees_what_may_go(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    old = log(layout, "svc-chat.log.1", 31, now)
    log(layout, "svc-chat.log", 1, now)
    (layout.run_dir / upkeep.STATE).write_text('{"day": "2000-01-01"}')
    rounds: list[list[str]] = []

    def full(file: Path, text: str) -> Path:
        if len(rounds) < 2:
            raise OSError(28, "No space left on device", str(file))
        return files.write(file, text)

    def sleep(_: float) -> None:
        rounds.append(sorted(file.name for file in layout.log_dir.iterdir()))
        log(layout, "svc-chat.log", 0, now)
        if len(rounds) == 4:
            raise SystemExit(0)

    # names of upkeep's own: other threads sleep as before, and this process keeps its handlers
    monkeypatch.setattr(upkeep, "files", SimpleNamespace(write=full))
    monkeypatch.setattr(upkeep, "time", SimpleNamespace(time=time.time, sleep=sleep))
    handled: list[int] = []
    own = SimpleNamespace(
        SIGTERM=signal.SIGTERM, SIGUSR2=signal.SIGUSR2, signal=lambda n, _: handled.append(n)
    )
    monkeypatch.setattr(upkeep, "signal", own)
    monkeypatch.setattr(sys, "argv", ["upkeep", "--logs", str(layout.log_dir), "--run", str(layout.run_dir)])
    with pytest.raises(SystemExit):
        upkeep.main()
    assert len(rounds) == 4 and not old.exists() and handled == [signal.SIGTERM]
    aside = [name for name in rounds[-1] if name != "svc-chat.log"]
    assert aside == ["svc-chat.log.2000-01-01"], "put aside once, when it could be written down"
    said = capsys.readouterr().out
    assert "OSError" in said and str(layout.root) not in said
