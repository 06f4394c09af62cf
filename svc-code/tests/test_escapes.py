"""Code that tries to leave the sandbox: each attempt, and what stops it (docs/decisions/code-sandbox.md)."""

from __future__ import annotations

import ast
import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from svc_code.engine import usage
from svc_code.engine.base import Execution, Limits
from svc_code.engine.host import BubblewrapHost
from svc_code.engine.sandbox import PipedSandbox
from svc_code.errors import FileNotInSession

pytestmark = pytest.mark.asyncio(loop_scope="module")
SYSCALLS = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "mount": 165, "umount2": 166,
    "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308, "bpf": 321, "perf_event_open": 298,
    "keyctl": 250, "add_key": 248, "userfaultfd": 323, "io_uring_setup": 425, "memfd_create": 319,
    "init_module": 175, "kexec_load": 246, "open_by_handle_at": 304, "name_to_handle_at": 303, "quotactl": 179,
    "swapon": 167, "reboot": 169, "sethostname": 170, "settimeofday": 164, "personality": 135, "shmget": 29,
    "msgget": 68, "mq_open": 240, "mknod": 133, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "mount_setattr": 442, "pidfd_getfd": 438, "seccomp": 317, "setxattr": 188, "iopl": 172,
    "acct": 163, "syslog": 103, "clock_settime": 227, "vhangup": 153, "fanotify_init": 300, "memfd_secret": 447,
}  # fmt: skip
"""Numbers of x86-64."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(small: Limits) -> BubblewrapHost:
    made = BubblewrapHost("bwrap", small)
    await made.prepare()
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(host: BubblewrapHost) -> AsyncIterator[PipedSandbox]:
    os.environ["OFICINA_TEST_SECRET"] = "s3cret-of-the-service"
    made = await host.start()
    yield made
    await made.close()
    del os.environ["OFICINA_TEST_SECRET"]


async def attempt(sandbox: PipedSandbox, code: str) -> Execution:
    """Run code and check that it came to an end of its own."""
    done = await sandbox.execute(code, 60)
    assert done.stopped is None, done
    return done


async def test_no_socket_but_unix_ones_can_be_made(sandbox: PipedSandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        code = f"""
import socket
for name, family, kind in [("tcp", 2, 1), ("udp", 2, 2), ("tcp6", 10, 1), ("raw", 2, 3), ("packet", 17, 3),
                           ("netlink", 16, 3), ("vsock", 40, 1), ("alg", 38, 5), ("bluetooth", 31, 3)]:
    try:
        made = socket.socket(family, kind, 0)
        made.connect(("127.0.0.1", {listener.getsockname()[1]}))
        print(name, "OPEN")
    except PermissionError:
        print(name, "refused")
"""
        done = await attempt(sandbox, code)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(listener.accept)
    assert done.stdout.split("\n")[:-1] == [
        f"{name} refused"
        for name in ("tcp", "udp", "tcp6", "raw", "packet", "netlink", "vsock", "alg", "bluetooth")
    ]


async def test_no_name_is_resolved_and_no_page_fetched(sandbox: PipedSandbox) -> None:
    done = await attempt(
        sandbox,
        "import socket, urllib.request\n"
        "for f in (lambda: socket.getaddrinfo('example.com', 80), lambda: urllib.request.urlopen('http://10.0.0.1')):\n"
        "    try:\n        f(); print('OPEN')\n    except OSError as e:\n        print('refused')\n",
    )
    assert done.stdout == "refused\nrefused\n"


async def test_an_abstract_socket_of_the_machine_is_not_there(sandbox: PipedSandbox) -> None:
    name = "\0oficina-" + secrets.token_hex(8)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        done = await attempt(sandbox, f"import socket\nsocket.socket(socket.AF_UNIX).connect({name!r})")
    assert done.error is not None
    assert done.error.name == "ConnectionRefusedError"


async def test_nothing_of_the_machine_is_seen_but_what_python_needs(
    sandbox: PipedSandbox, tmp_path: Path
) -> None:
    secret = tmp_path / "signing.key"
    secret.write_text("private")
    os.chmod(tmp_path, 0o755)
    hidden = [
        str(secret), str(Path(__file__)), "/etc/shadow", "/etc/passwd", "/etc/hosts", "/root", "/home", "/proc",
        "/sys", "/run", "/var", "/work", "/bin", "/sbin", "/usr/bin", "/usr/local", "/dev/shm/..", "/dev/tty",
        "/dev/sda", "/dev/kmsg", "/dev/mem", "/dev/fuse", "/tmp/bash_jobs", "/var/run/docker.sock",
    ]  # fmt: skip
    done = await attempt(
        sandbox,
        f"import os\nprint(sorted(os.listdir('/')))\nfound = [p for p in {hidden!r} if os.path.exists(p)]\n"
        "print(found)\nprint(sorted(os.listdir('/etc')), sorted(os.listdir('/dev')))\n",
    )
    top, found, rest = done.stdout.splitlines()
    assert set(ast.literal_eval(top)) <= {"dev", "etc", "lib", "lib64", "mnt", "oficina", "tmp", "usr"}
    assert found == "['/dev/shm/..']"  # a link to the sandbox's own /tmp
    assert rest == "['ld.so.cache'] ['full', 'null', 'random', 'shm', 'urandom', 'zero']"


async def test_no_file_that_is_seen_can_be_changed_and_none_has_more_rights(sandbox: PipedSandbox) -> None:
    code = """
import os, stat
writable, special = [], []
for folder, folders, files in os.walk("/"):
    if folder.startswith(("/mnt/data", "/tmp", "/dev")):
        continue
    if os.access(folder, os.W_OK):
        writable.append(folder)
    for name in files:
        path = os.path.join(folder, name)
        told = os.lstat(path)
        if stat.S_ISLNK(told.st_mode):
            continue
        if os.access(path, os.W_OK):
            writable.append(path)
        special_bits = told.st_mode & (stat.S_ISUID | stat.S_ISGID)
        if special_bits and not os.statvfs(path).f_flag & os.ST_NOSUID:
            special.append(path)
for path in ("/x", "/oficina/packages/x", "/oficina/packages/numpy/__init__.py", "/oficina/python/lib/x", "/usr/lib/x", "/etc/x"):
    try:
        open(path, "a").write("x")
        writable.append(path)
    except OSError:
        pass
print(writable, special)
"""
    assert (await attempt(sandbox, code)).stdout == "[] []\n"


async def test_no_secret_is_in_the_environment_and_no_descriptor_leads_out(sandbox: PipedSandbox) -> None:
    code = """
import os, stat
print("s3cret" in repr(dict(os.environ)), [name for name in os.environ if "OFICINA" in name or "TOKEN" in name])
print([stat.S_ISCHR(os.fstat(fd).st_mode) for fd in (0,)])
import socket
peers = []
for fd in range(3, 256):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            peers.append(socket.socket(fileno=os.dup(fd)).getsockname())
    except OSError:
        pass
print([peer for peer in peers if peer and not str(peer).startswith("/tmp/kernel/")])
"""
    out = (await attempt(sandbox, code)).stdout.splitlines()
    assert out[0] == "False []"
    assert out[1] == "[True]"
    assert out[2] == "[]"


async def test_nobody_becomes_root_or_gains_a_capability(sandbox: PipedSandbox) -> None:
    code = """
import ctypes, os
print(os.getuid() > 60000, os.getgroups())
for change in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0]),
               lambda: os.chown("/mnt/data", 0, 0)):
    try:
        change(); print("ROOT")
    except PermissionError:
        print("refused")
    except OSError as error:
        print("refused")
libc = ctypes.CDLL(None)
print(libc.prctl(39, 0, 0, 0, 0), [cap for cap in range(41) if libc.prctl(47, 1, cap, 0, 0) == 1])
header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc.syscall(125, header, data)
print(list(data))
"""
    out = (await attempt(sandbox, code)).stdout.splitlines()
    assert out[0].startswith("True [")
    assert out[1:6] == ["refused"] * 5
    assert out[6] == "1 []"  # no_new_privs; no ambient capability
    assert out[7] == "[0, 0, 0, 0, 0, 0]"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86-64")
async def test_no_call_for_mounts_namespaces_or_other_processes_is_let_through(sandbox: PipedSandbox) -> None:
    code = f"""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for name, number in {SYSCALLS!r}.items():
    ctypes.set_errno(0)
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        print(name, ctypes.get_errno())
for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x8000000, 0x4000000, 0x2000000):
    if libc.syscall(56, flag | 17, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.EPERM:
        print("clone", hex(flag))
libc.syscall(435, 0, 0)
print(ctypes.get_errno() == errno.ENOSYS)
print(libc.ioctl(0, 0x5412, b"x"), ctypes.get_errno() == errno.EPERM)
"""
    assert (await attempt(sandbox, code)).stdout == "True\n-1 True\n"


async def test_process_1_can_be_neither_killed_nor_looked_into(sandbox: PipedSandbox) -> None:
    code = """
import os, signal
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    os.kill(1, number)
try:
    os.kill(-1, signal.SIGKILL)
except ProcessLookupError:
    pass
print(os.path.exists("/proc/1/mem"))
"""
    assert (await attempt(sandbox, code)).stdout == "False\n"
    assert (await attempt(sandbox, "print(1)")).stdout == "1\n"


async def test_another_session_shares_nothing(sandbox: PipedSandbox, host: BubblewrapHost) -> None:
    crowd = (
        "import os, time\nfor _ in range(25):\n    if not os.fork():\n        time.sleep(600); os._exit(0)"
    )
    await attempt(sandbox, crowd)
    await attempt(
        sandbox, "open('mine.txt', 'w').write('secret of ana')\nopen('/tmp/mine.txt', 'w').write('x')"
    )
    other = await host.start()
    try:
        code = """
import os
print([f for folder, _, files in os.walk("/") for f in files if f == "mine.txt"])
pids = []
for pid in range(2, 3000):
    try:
        os.kill(pid, 0); pids.append(pid)
    except ProcessLookupError:
        pass
print(len(pids))
"""
        found, pids = (await attempt(other, code)).stdout.splitlines()
        assert found == "[]"
        assert int(pids) < 25  # its own threads, and none of the other session's 25 processes
        if os.geteuid() == 0:
            uids = {(await attempt(one, "import os; print(os.getuid())")).stdout for one in (sandbox, other)}
            assert len(uids) == 2
    finally:
        await other.close()
    assert (await attempt(sandbox, "print(open('mine.txt').read())")).stdout == "secret of ana\n"


async def test_what_is_no_regular_file_is_not_handed_out(sandbox: PipedSandbox) -> None:
    code = """
import os
os.makedirs("sub", exist_ok=True)
for name, target in [("link", "/etc/ld.so.cache"), ("up", "../../oficina"), ("sub/link", "/oficina/python/bin/python3"),
                     ("folder", "/oficina")]:
    os.symlink(target, name)
os.mkfifo("pipe") if False else None
open(".hidden", "w").write("x")
open("ok.txt", "w").write("x")
open("bad\\nname", "w").write("x")
open(b"\\xff\\xfe", "w").write("x")
open("n" * 255, "w").write("x")
"""
    done = await attempt(sandbox, code)
    assert [file.name for file in done.files] == ["n" * 255, "ok.txt"]
    for name in ("link", "up", "sub/link", "folder", "/etc/ld.so.cache", "../../etc/ld.so.cache", "nothing"):
        if name.startswith(("/", "..")):
            continue  # refused by name before it comes here
        with pytest.raises(FileNotInSession):
            await sandbox.read(name, 0)
    await attempt(
        sandbox,
        "import os\nfor n in ('link', 'up', 'folder', 'n' * 255, 'bad\\nname', b'\\xff\\xfe'): os.unlink(n)",
    )


async def test_a_name_that_is_too_long_is_an_error_of_the_code(sandbox: PipedSandbox) -> None:
    done = await attempt(sandbox, "open('n' * 256, 'w')")
    assert done.error is not None
    assert done.error.name == "OSError"


async def test_a_kernel_whose_sockets_and_files_were_spoiled_harms_only_itself(host: BubblewrapHost) -> None:
    spoiled = await host.start()
    try:
        code = """
import os
for name in os.listdir("/tmp/kernel"):
    path = "/tmp/kernel/" + name
    if name.endswith(".json"):
        open(path, "w").write('{"transport": "tcp", "ip": "10.0.0.1", "key": ""}')
    else:
        os.unlink(path)
        os.symlink("/oficina", path)
os.symlink("/oficina", "/mnt/data/.uploads")
print("done")
"""
        assert (await spoiled.execute(code, 30)).stdout == "done\n"
        assert (await spoiled.execute("print(2)", 30)).stdout == "2\n"
        died = await spoiled.execute("import os; os._exit(3)", 30)
        assert died.stopped == "died"
        assert died.restarted
        assert (await spoiled.execute("print(3)", 60)).stdout == "3\n"
    finally:
        await spoiled.close()


async def test_forged_messages_on_the_kernels_own_sockets_do_no_harm(
    host: BubblewrapHost, small: Limits
) -> None:
    forging = await host.start()
    try:
        code = """
import gc, json, zmq
found = [o for o in gc.get_objects() if isinstance(o, zmq.Socket) and not o.closed and o.type in (zmq.PUB, zmq.XPUB)]
from ipykernel.kernelapp import IPKernelApp
app = IPKernelApp.instance()
session, parent = app.kernel.session, app.kernel.get_parent()
deep = "[" * 100000
for content in [{"name": "stdout", "text": "x" * 10_000_000}, {"name": 7, "text": None}, {"data": deep}, {}]:
    for kind in ("stream", "error", "display_data", "execute_result", "status"):
        msg = session.msg(kind, content=content, parent=parent)
        app.kernel.iopub_thread.schedule(lambda msg=msg: session.send(app.iopub_socket, msg))
app.kernel.iopub_thread.schedule(lambda: app.iopub_socket.send_multipart([b"x", b"<IDS|MSG>", b"forged", b"{", b"{}", b"[]", b"1"]))
app.iopub_thread.flush() if hasattr(app.iopub_thread, "flush") else None
"""
        done = await forging.execute(code, 30)
        assert len(done.stdout) <= small.max_output_chars
        after = await forging.execute("print('well')", 60)
        assert after.stdout == "well\n"
    finally:
        await forging.close()


async def test_nothing_lives_on_when_a_session_ends(host: BubblewrapHost) -> None:
    ending = await host.start()
    pid = ending._pid
    code = """
import os, signal, time
for _ in range(5):
    if not os.fork():
        os.setsid()
        for number in range(1, 32):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        if not os.fork():
            while True:
                time.sleep(1)
        os._exit(0)
"""
    await ending.execute(code, 60)
    pids = usage._tree(pid, usage.PROC)
    assert len(pids) >= 7
    await ending.close()
    deadline = asyncio.get_running_loop().time() + 60
    while any(usage.of(each).memory_mb for each in pids):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
