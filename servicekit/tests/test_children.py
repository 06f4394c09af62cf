"""A child process ends with its service, and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from servicekit.children import lifeline
from tests.pipes import reader_of

CHILD = "import sys; from servicekit.children import end_with_parent; end_with_parent(); "
SERVICE = """
import subprocess, sys
from servicekit.children import lifeline
with lifeline() as line:
    subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]], stdin=line, check=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_a_service_that_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    os.mkfifo(tmp_path / "work")
    command = [sys.executable, "-c", SERVICE, CHILD + "open(sys.argv[1]).read()", str(tmp_path / "work")]
    with subprocess.Popen(command) as service, reader_of(tmp_path / "work") as child:
        assert not child.is_gone(0)
        service.send_signal(how)
        service.wait()
        assert child.is_gone(60)


def test_a_child_comes_to_its_own_end() -> None:
    with lifeline() as line:
        done = subprocess.run([sys.executable, "-c", CHILD + "sys.exit(7)"], stdin=line, check=False)
    assert done.returncode == 7


def test_nothing_of_it_stays_open() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ValueError, match="broken"), lifeline():
        raise ValueError("broken")
    assert len(os.listdir("/proc/self/fd")) == len(before)
