"""Code that takes too much, in real sandboxes: each kind of too much, what stops it, and that the service goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time

import pytest

from svc_code.engine import usage
from svc_code.engine.base import Limits
from svc_code.engine.host import BubblewrapHost
from svc_code.engine.sandbox import PipedSandbox
from svc_code.errors import SandboxLost


async def goes_on(sandbox: PipedSandbox) -> None:
    """Check that the sandbox runs the next thing."""
    assert (await sandbox.execute("print(6 * 7)", 60)).stdout == "42\n"


async def test_a_fork_bomb_stays_small_and_is_killed_whole(sandbox: PipedSandbox, small: Limits) -> None:
    code = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    running = asyncio.create_task(sandbox.execute(code, 4))
    most = 0
    while not running.done():
        most = max(most, len(await asyncio.to_thread(usage._tree, sandbox._pid, usage.PROC)))
        await asyncio.sleep(0.05)
    done = await running
    assert done.stopped in ("timeout", "memory", "cpu")
    assert done.restarted
    assert 5 < most <= small.max_processes + 1
    await goes_on(sandbox)
    assert len(usage._tree(sandbox._pid, usage.PROC)) <= 3


async def test_processes_that_outlive_their_stopped_code_end_with_it(sandbox: PipedSandbox) -> None:
    code = "import os, time\nfor _ in range(3):\n    os.fork() or (time.sleep(900), os._exit(0))\ntime.sleep(900)"
    done = await sandbox.execute(code, 4)
    assert done.stopped == "timeout"
    assert done.error is not None and done.error.name == "KeyboardInterrupt"
    assert done.restarted
    await goes_on(sandbox)
    assert len(usage._tree(sandbox._pid, usage.PROC)) <= 3


async def test_stopped_code_without_other_processes_keeps_its_variables(sandbox: PipedSandbox) -> None:
    await sandbox.execute("import time\nkept = 42", 60)
    done = await sandbox.execute("time.sleep(900)", 4)
    assert done.stopped == "timeout"
    assert not done.restarted
    assert (await sandbox.execute("print(kept)", 60)).stdout == "42\n"


async def test_more_memory_than_there_is_to_have_is_an_error_of_the_code(sandbox: PipedSandbox) -> None:
    done = await sandbox.execute("kept = bytearray(4 * 1024 ** 3)", 60)
    assert done.error is not None
    assert done.error.name == "MemoryError"
    assert not done.restarted
    await goes_on(sandbox)


async def test_memory_of_many_processes_together_is_stopped(sandbox: PipedSandbox, small: Limits) -> None:
    code = """
import os, time
for _ in range(8):
    if not os.fork():
        kept = bytearray(os.urandom(1024) * 150 * 1024)
        time.sleep(100)
        os._exit(0)
time.sleep(100)
"""
    done = await sandbox.execute(code, 90)
    assert done.stopped == "memory"
    assert done.restarted
    await goes_on(sandbox)
    assert usage.of(sandbox._pid).memory_mb < small.memory_mb


async def test_a_full_disk_is_an_error_of_the_code_and_of_nobody_else(
    sandbox: PipedSandbox, real_host: BubblewrapHost, small: Limits
) -> None:
    await sandbox.write("u1", b"kept", 0)
    await sandbox.finish_write("u1", "kept.txt")
    code = "for n in range(8):\n    open(f'/mnt/data/{n}.bin', 'wb').write(bytes(10_000_000))"
    done = await sandbox.execute(code, 60)
    assert done.error is not None
    assert done.error.name == "OSError"
    assert sum(file.size for file in await sandbox.files()) <= small.disk_mb * 1024 * 1024
    other = await real_host.start()
    try:
        assert (await other.execute("open('a', 'wb').write(bytes(10_000_000))", 60)).error is None
    finally:
        await other.close()
    await sandbox.delete("0.bin")
    assert await sandbox.read("kept.txt", 0) == b"kept"
    await goes_on(sandbox)


async def test_a_full_folder_for_temporary_files_does_not_keep_a_kernel_from_starting(
    sandbox: PipedSandbox,
) -> None:
    code = """
import os
for folder in ("/tmp", "/tmp/kernel"):
    try:
        with open(folder + "/fill", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError:
        pass
os._exit(1)
"""
    assert (await sandbox.execute(code, 60)).stopped == "died"
    await goes_on(sandbox)


@pytest.mark.skipif(shutil.which("choom") is None, reason="choom is not installed")
async def test_a_machine_without_memory_ends_sandboxes_first(sandbox: PipedSandbox) -> None:
    for pid in usage._tree(sandbox._pid, usage.PROC):
        assert (usage.PROC / str(pid) / "oom_score_adj").read_text().strip() == "1000"


async def test_a_flood_of_files_ends_the_session(sandbox: PipedSandbox) -> None:
    code = "import os\nn = 0\nwhile True:\n    n += 1\n    os.close(os.open(f'f{n}', os.O_CREAT))"
    done = await sandbox.execute(code, 60)
    assert done.stopped == "files"
    assert not sandbox.alive
    with pytest.raises(SandboxLost):
        await sandbox.execute("1", 10)


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    print('x' * 50)",
        "import os\nwhile True:\n    os.write(1, b'y' * 4096)",
        "import sys\nwhile True:\n    sys.stderr.write('e\\n')",
    ],
    ids=["prints", "descriptor", "stderr"],
)
async def test_endless_output_is_cut_and_told(sandbox: PipedSandbox, small: Limits, code: str) -> None:
    heard = []
    done = await sandbox.execute(code, 3, lambda stream, text: heard.append(len(text)))
    assert done.stopped in ("timeout", "memory")
    assert done.truncated
    assert 0 < len(done.stdout + done.stderr) <= 2 * small.max_output_chars
    assert sum(heard) == len(done.stdout + done.stderr)
    await goes_on(sandbox)


async def test_one_huge_print_and_one_huge_result_are_cut(sandbox: PipedSandbox, small: Limits) -> None:
    done = await sandbox.execute("print('x' * 100_000_000)\n'y' * 50_000_000", 60)
    assert len(done.stdout) == small.max_output_chars
    assert done.result is not None
    assert len(done.result) <= small.max_output_chars
    assert done.truncated


async def test_a_loop_that_will_not_be_interrupted_is_killed_and_the_files_stay(
    sandbox: PipedSandbox,
) -> None:
    code = """
import signal, time
open("kept.txt", "w").write("kept")
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    try:
        time.sleep(10)
    except BaseException:
        pass
"""
    done = await sandbox.execute(code, 1)
    assert (done.stopped, done.restarted) == ("timeout", True)
    assert [file.name for file in done.files] == ["kept.txt"]
    assert (await sandbox.execute("print(open('kept.txt').read())", 60)).stdout == "kept\n"


async def test_a_loop_that_is_interrupted_keeps_its_variables(sandbox: PipedSandbox) -> None:
    done = await sandbox.execute("kept = 1\nwhile True:\n    pass", 1)
    assert (done.stopped, done.restarted) == ("timeout", False)
    assert done.error is not None
    assert done.error.name == "KeyboardInterrupt"
    assert (await sandbox.execute("kept", 60)).result == "1"


async def test_a_process_that_stops_itself_is_killed(sandbox: PipedSandbox) -> None:
    done = await sandbox.execute("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", 1)
    assert (done.stopped, done.restarted) == ("timeout", True)
    await goes_on(sandbox)


@pytest.mark.parametrize("code", ["exit()", "quit()", "import sys\nsys.exit(1)"])
async def test_leaving_a_cell_early_keeps_the_variables(sandbox: PipedSandbox, code: str) -> None:
    await sandbox.execute("kept = 3", 60)
    done = await sandbox.execute(f"print('before')\n{code}\nprint('after')", 60)
    assert (done.stdout, done.stderr, done.stopped) == ("before\n", "", None)
    assert done.error is not None
    assert done.error.name == "SystemExit"
    assert (await sandbox.execute("kept", 60)).result == "3"


async def test_code_that_ends_its_own_process_is_told(sandbox: PipedSandbox) -> None:
    done = await sandbox.execute("import os\nos._exit(1)", 60)
    assert (done.stopped, done.restarted) == ("died", True)
    await goes_on(sandbox)


async def test_leaving_stops_the_code_and_the_session_goes_on(sandbox: PipedSandbox) -> None:
    began = asyncio.Event()
    code = "print('began')\nwhile True:\n    pass"
    task = asyncio.create_task(sandbox.execute(code, 100, lambda *_: began.set()))
    await asyncio.wait_for(began.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await goes_on(sandbox)
    before = usage.of(sandbox._pid).cpu_s
    await asyncio.sleep(1)
    assert usage.of(sandbox._pid).cpu_s - before < 0.5


async def test_what_leaving_cost_is_told_by_the_next_execution(sandbox: PipedSandbox) -> None:
    began = asyncio.Event()
    code = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('began')\ntime.sleep(1000)"
    )
    task = asyncio.create_task(sandbox.execute(code, 100, lambda *_: began.set()))
    await asyncio.wait_for(began.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await sandbox.execute("1", 60)).restarted


async def test_a_thread_that_works_on_between_executions_is_ended_and_it_is_told(
    sandbox: PipedSandbox,
) -> None:
    code = (
        "import threading\ndef burn():\n    while True:\n        pass\nthreading.Thread(target=burn).start()"
    )
    assert (await sandbox.execute(code, 60)).stopped is None
    deadline = time.monotonic() + 100
    while not sandbox._restarted:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert (await sandbox.execute("1", 60)).restarted
    assert not (await sandbox.execute("1", 60)).restarted


async def test_a_sandbox_ends_with_a_service_that_is_killed(small: Limits) -> None:
    code = """
import asyncio, os, signal
from svc_code.engine.base import Limits
from svc_code.engine.host import BubblewrapHost
async def main():
    host = BubblewrapHost("bwrap", Limits(60, 5, 300, 32, 50, 40, 1000))
    await host.prepare()
    sandbox = await host.start()
    print(sandbox._pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + 60
    while usage.of(pid).memory_mb:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_without_bubblewrap_the_reason_and_the_remedy_are_told(small: Limits) -> None:
    assert "apt-get install bubblewrap" in str(BubblewrapHost("no-such-bwrap", small).problem())
    broken = BubblewrapHost("false", small)
    await broken.prepare()
    with pytest.raises(Exception, match="does not start here") as refused:
        await broken.start()
    assert "user namespaces" in str(refused.value)
    assert os.sep + "work" not in str(refused.value)
