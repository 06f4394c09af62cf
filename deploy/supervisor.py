"""Keeps the processes of the stack alive through supervisord, which restarts what dies.

Writes its configuration and speaks its XML-RPC over a Unix socket. Knows nothing of what the
processes do.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path

from deploy import files, redis, services, upkeep
from deploy.console import Stop
from deploy.layout import Layout

STOP_WAIT_S = 35
"""A little more than the time in which a service lets running requests finish."""

SECTIONS = """\
[supervisord]
logfile={log_dir}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={run_dir}/supervisord.pid
childlogdir={log_dir}
directory={root}
nocleanup=true
minfds=4096

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}
"""

PROGRAM = """
[program:{name}]
command={command}
directory={root}
environment={environment}
autorestart=true
startsecs=10
startretries=1000000
stopwaitsecs={stop_wait_s}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log_dir}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
priority={priority}
"""


def write_configuration(layout: Layout) -> Path:
    """Write supervisord's file for every service that exists and return where it lies."""
    for folder in (layout.run_dir, layout.log_dir, layout.socket("x").parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    parts = [
        SECTIONS.format(
            log_dir=layout.log_dir, run_dir=layout.run_dir, root=layout.root, socket=_socket(layout)
        )
    ]
    server = redis.server(layout)
    if server and not layout.env.get("REDIS_URL"):
        command = [str(server), str(redis.write_configuration(layout))]
        parts.append(_program(layout, "redis", command, {}, 10))
    for service in services.ALL:
        if service.exists(layout):
            (layout.data_dir / service.name).mkdir(exist_ok=True, mode=0o700)
            command = services.command(service, layout)
            told = services.environment(service, layout)
            parts.append(_program(layout, service.name, command, told, 20))
    told = {"PYTHONPATH": str(layout.root), "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    parts.append(_program(layout, "upkeep", upkeep.command(layout), told, 30))
    return files.write(layout.run_dir / "supervisord.conf", "".join(parts))


def start(layout: Layout) -> None:
    """Start supervisord, and with it every process; it goes to the background.

    Raises: Stop, when it does not start.
    """
    file = write_configuration(layout)
    command = [str(layout.python), "-m", "supervisor.supervisord", "-c", str(file)]
    done = subprocess.run(
        command, cwd=layout.root, env=layout.env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Stop(f"supervisord did not start: {(done.stderr or done.stdout).strip()}")


def running(layout: Layout) -> bool:
    """Tell whether this stack's supervisord answers."""
    try:
        _rpc(layout).supervisor.getState()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return False
    return True


def processes(layout: Layout) -> list[dict[str, object]]:
    """Return supervisord's record of each process: name, statename, pid, start, now."""
    found = _rpc(layout).supervisor.getAllProcessInfo()
    return list(found) if isinstance(found, list) else []


def own_pid(layout: Layout) -> int:
    """Return supervisord's process number."""
    return int(str(_rpc(layout).supervisor.getPID()))


def stop(layout: Layout) -> None:
    """Let every process finish what it does, all at once, then end supervisord."""
    pid = own_pid(layout)
    # shutdown() alone would stop one process after the other
    _rpc(layout).supervisor.stopAllProcesses(False)
    _until(lambda: all(p["pid"] == 0 for p in processes(layout)), STOP_WAIT_S + 5)
    _rpc(layout).supervisor.shutdown()
    if not _until(lambda: not _alive(pid), 10):
        os.kill(pid, signal.SIGKILL)


def _until(true: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _program(layout: Layout, name: str, command: list[str], told: dict[str, str], priority: int) -> str:
    pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in told.items())
    words = " ".join(f'"{_escaped(word)}"' for word in _dying_with_supervisor(command))
    return PROGRAM.format(
        name=name,
        command=words,
        environment=pairs,
        root=layout.root,
        log_dir=layout.log_dir,
        priority=priority,
        stop_wait_s=STOP_WAIT_S,
    )


def _dying_with_supervisor(command: list[str]) -> list[str]:
    """Have the kernel end the process when supervisord is killed, so that no port stays taken."""
    tool = shutil.which("setpriv")
    if tool:
        tried = subprocess.run([tool, "--pdeathsig", "TERM", "true"], capture_output=True, check=False)
        if tried.returncode == 0:
            return [tool, "--pdeathsig", "TERM", *command]
    return command


def _escaped(value: str) -> str:
    return value.replace("%", "%%").replace('"', '\\"')


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _socket(layout: Layout) -> Path:
    return layout.socket("supervisor.sock")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


def _rpc(layout: Layout) -> xmlrpc.client.ServerProxy:
    return xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(str(_socket(layout))))
