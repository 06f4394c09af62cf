"""The kernel: ipykernel in a forked child that has everything imported, and the client that speaks to it.

Its sockets and connection file lie in the sandbox's own temporary folder; the key is new for each kernel.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient

from svc_code.inside.confine import Confinement, limit_code

MESSAGE_MAX = 32 * 1024 * 1024
START_TIMEOUT_S = 90.0
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


class NotStarted(Exception):
    """The kernel did not answer in time."""


class Kernel:
    """One kernel process and the sockets to it. Used by one thread."""

    def __init__(self, work: Path, temporary: Path, given: Confinement):
        self._work, self._temporary, self._given = work, temporary, given
        self._context: zmq.Context[Any] | None = None
        self.client: BlockingKernelClient | None = None
        self.pid = 0

    def start(self) -> None:
        """Fork the kernel and wait until it answers. No thread of zmq may be alive here.

        Raises: NotStarted.
        """
        info = self._connection()
        file = self._temporary / f"{secrets.token_hex(8)}.json"
        file.write_text(json.dumps(info))
        self.pid = os.fork()
        if not self.pid:
            try:
                run_kernel(file, self._work, self._given)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_MAX)
        self._context.setsockopt(zmq.LINGER, 0)
        self.client = BlockingKernelClient(context=self._context)
        self.client.load_connection_info(info)  # type: ignore[arg-type]
        self.client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)
        self._wait()

    def kill(self) -> None:
        """End every process of the sandbox but this one, and close the sockets."""
        if self.client is not None and self._context is not None:
            self.client.stop_channels()
            self._context.destroy(linger=0)
            self.client = self._context = None
        try:
            # as process 1 this reaches all others and spares only itself
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        self.pid = 0

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the code."""
        if self.pid:
            os.kill(self.pid, signal.SIGINT)

    def reap(self) -> bool:
        """Collect processes that ended; tell whether the kernel was among them."""
        died = False
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            died = died or pid == self.pid
        return died

    def _wait(self) -> None:
        assert self.client is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        asked: set[str] = set()
        while time.monotonic() < deadline and not self.reap():
            asked.add(self.client.kernel_info())
            # answered on both sockets: the subscription is in place, no output will be missed
            if self.client.iopub_channel.socket.poll(500) and self.client.shell_channel.socket.poll(500):
                while self.client.shell_channel.socket.poll(20):
                    self.client.get_shell_msg(timeout=1)
                return
        raise NotStarted("the kernel did not answer")

    def _clear_temporary(self) -> None:
        """Empty the folder for temporary files: code may have filled it, and a kernel needs some room."""
        for path in [*self._temporary.parent.iterdir(), *self._temporary.iterdir()]:
            if path != self._temporary:
                _gone(path)

    def _connection(self) -> dict[str, Any]:
        self._clear_temporary()
        ports = {name: number for number, name in enumerate(PORTS, 1)}
        return {
            "transport": "ipc",
            "ip": str(self._temporary / f"k-{secrets.token_hex(4)}"),
            "key": secrets.token_hex(32),
            "signature_scheme": "hmac-sha256",
            **ports,
        }


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def run_kernel(file: Path, work: Path, given: Confinement) -> None:
    """Be the kernel until it ends; never returns to the caller's work."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nothing, standard)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(work)
    limit_code(given)
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    from svc_code.inside.quiet import print_without_network

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.IPKernelApp.connection_file = str(file)
    print_without_network()
    app = IPKernelApp.instance(config=config)
    app.initialize([])
    _prepare(app.shell, work, given.max_output_chars)
    os.dup2(nothing, 2) if not app.capture_fd_output else None
    app.start()
    os._exit(0)


def _prepare(shell: Any, work: Path, most: int) -> None:
    from svc_code.inside.pictures import Pictures
    from svc_code.inside.quiet import cut_output

    # ends the cell, not the kernel with all variables
    shell.user_ns.update(exit=sys.exit, quit=sys.exit)
    warnings.filterwarnings("ignore", message="To exit: use")
    cut_output(shell, most)
    Pictures(work, lambda data: shell.display_pub.publish(data)).install(shell)
