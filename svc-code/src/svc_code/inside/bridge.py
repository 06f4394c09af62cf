"""Process 1 of the sandbox: speaks with the service through one socket and with the kernel through ZeroMQ.

One thread, one loop. It holds the files while kernels come and go: ending all processes but itself and
forking a new kernel takes a fraction of a second, because everything is imported already.
"""

from __future__ import annotations

import os
import queue
import socket
from pathlib import Path
from typing import Any

import zmq

from svc_code.inside import told
from svc_code.inside.confine import Confinement
from svc_code.inside.folder import Folder, Missing
from svc_code.inside.frames import BadFrame, Splitter, encode
from svc_code.inside.kernel import Kernel, NotStarted
from svc_code.inside.pictures import CHART_TYPE

TICK_MS = 200
REST_MS = 1000
PART_CHARS = 32_000
CHART_BYTES_MAX = 512 * 1024
IDLE_WAIT_TICKS = 10
"""Looks after the kernel's answer in which its last output must have come."""


class Run:
    """One execution: what it was told under, how much output is left, how it ended."""

    def __init__(self, ask: int, message: str, most: int, before: dict[str, int]):
        self.ask, self.message, self.before = ask, message, before
        self.left = {"stdout": most, "stderr": most}
        self.result: str | None = None
        self.error: dict[str, Any] | None = None
        self.truncated = self.idle = self.answered = False
        self.looks = 0


class Bridge:
    """Carries calls of the service to the kernel and the folder."""

    def __init__(self, channel: socket.socket, work: Path, temporary: Path, given: Confinement):
        self._channel, self._given = channel, given
        self._folder = Folder(work, given.max_files)
        self._kernel = Kernel(work, temporary, given)
        self._splitter = Splitter()
        self._run: Run | None = None

    def run(self) -> None:
        """Serve until the service closes the socket."""
        self._kernel.start()
        self._send({"event": "ready"})
        while True:
            self._look(REST_MS if self._run is None else TICK_MS)
            self._tick()

    def _look(self, timeout_ms: int) -> None:
        poller = zmq.Poller()
        poller.register(self._channel.fileno(), zmq.POLLIN)
        client = self._kernel.client
        assert client is not None
        sockets = [client.iopub_channel.socket, client.shell_channel.socket]
        for each in sockets:
            poller.register(each, zmq.POLLIN)
        ready = dict(poller.poll(timeout_ms))
        if any(each in ready for each in sockets):
            self._from_kernel()
        if self._channel.fileno() in ready:
            part = self._channel.recv(1 << 16)
            if not part:
                os._exit(0)
            for message, payload in self._splitter.feed(part):
                self._asked(message, payload)

    def _asked(self, message: dict[str, Any], payload: bytes) -> None:
        ask = int(message["ask"])
        try:
            answer, content = self._do(str(message["op"]), ask, message, payload)
        except Missing:
            answer, content = {"failed": "missing"}, b""
        except OSError as problem:
            answer, content = {"failed": "disk", "errno": problem.errno}, b""
        if answer is not None:
            self._send({"ask": ask, "event": "done", **answer}, content)

    def _do(
        self, op: str, ask: int, message: dict[str, Any], payload: bytes
    ) -> tuple[dict[str, Any] | None, bytes]:
        name, offset = str(message.get("name", "")), int(message.get("offset", 0))
        if op == "execute":
            return self._execute(ask, str(message["code"])), b""
        if op == "interrupt":
            self._kernel.interrupt()
        elif op == "restart":
            self._restart(str(message.get("why", "interrupted")))
        elif op == "files":
            return {"files": self._folder.listing()}, b""
        elif op == "read":
            return {}, self._folder.read(name, offset)
        elif op == "write":
            self._folder.write(str(message["upload"]), payload, offset)
        elif op == "finish":
            return {"file": self._folder.finish(str(message["upload"]), name)}, b""
        elif op == "discard":
            self._folder.discard(str(message["upload"]))
        elif op == "delete":
            self._folder.delete(name)
        return {}, b""

    def _execute(self, ask: int, code: str) -> dict[str, Any] | None:
        client = self._kernel.client
        if self._run is not None or client is None:
            return {"failed": "busy"}
        message = client.execute(code, store_history=False, allow_stdin=False, stop_on_error=False)
        self._run = Run(ask, message, self._given.max_output_chars, self._changes())
        return None

    def _from_kernel(self) -> None:
        client = self._kernel.client
        assert client is not None
        for channel in (client.iopub_channel, client.shell_channel):
            for _ in range(200):
                try:
                    message = channel.get_msg(timeout=0)
                except queue.Empty:
                    break
                except Exception:  # not signed, not JSON: code in the sandbox wrote to the socket itself
                    continue
                self._take(message)
        run = self._run
        if run is not None and run.answered and run.idle:
            self._end(run)

    def _take(self, message: dict[str, Any]) -> None:
        """Take a message of the run; one of a wrong shape was written by the code itself and says nothing."""
        run = self._run
        try:
            if run is not None and message["parent_header"]["msg_id"] == run.message:
                self._of_run(run, str(message["msg_type"]), message["content"])
        except (AttributeError, KeyError, TypeError, ValueError):
            return

    def _of_run(self, run: Run, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            self._output(run, str(content.get("name")), str(content.get("text", "")))
        elif kind == "execute_result":
            run.result = self._cut(run, str(content.get("data", {}).get("text/plain", "")))
        elif kind == "display_data":
            self._display(run, content.get("data", {}))
        elif kind == "error":
            run.error = told.error(content)
        elif kind == "status" and content.get("execution_state") == "idle":
            run.idle = True
        elif kind == "execute_reply":
            run.answered = True

    def _display(self, run: Run, shown: dict[str, Any]) -> None:
        chart = shown.get(CHART_TYPE)
        if isinstance(chart, dict):
            try:
                frame = encode(
                    {"ask": run.ask, "event": "chart", **{k: chart.get(k) for k in ("file", "data")}}
                )
            except (BadFrame, ValueError):
                return
            if len(frame) <= CHART_BYTES_MAX:
                self._channel.sendall(frame)
        elif text := str(shown.get("text/plain", "")):
            self._output(run, "stdout", text + "\n")

    def _output(self, run: Run, stream: str, text: str) -> None:
        if stream not in run.left:
            return
        kept = text[: run.left[stream]]
        run.truncated = run.truncated or len(kept) < len(text)
        run.left[stream] -= len(kept)
        for start in range(0, len(kept), PART_CHARS):
            part = kept[start : start + PART_CHARS]
            self._send({"ask": run.ask, "event": "output", "stream": stream, "text": part})

    def _cut(self, run: Run, text: str) -> str:
        run.truncated = run.truncated or len(text) > self._given.max_output_chars
        return told.clean(text[: self._given.max_output_chars])

    def _tick(self) -> None:
        run = self._run
        if self._kernel.reap():
            self._restart("died")
        elif run is not None and self._folder.entries() > 10 * self._given.max_files:
            self._restart("files")
        elif run is not None and run.answered:
            run.looks += 1
            if run.looks > IDLE_WAIT_TICKS:
                self._end(run)

    def _restart(self, why: str) -> None:
        self._kernel.kill()
        run = self._run
        if run is not None:
            self._end(run, stopped=why)
        self._kernel.start()

    def _end(self, run: Run, stopped: str | None = None) -> None:
        self._run = None
        after = self._folder.listing()
        written = [file for file in after if run.before.get(file["name"]) != file["changed"]]
        self._send(
            {
                "ask": run.ask,
                "event": "done",
                "result": run.result,
                "error": run.error,
                "files": written,
                "truncated": run.truncated,
                "stopped": stopped,
            }
        )

    def _changes(self) -> dict[str, int]:
        return {file["name"]: file["changed"] for file in self._folder.listing()}

    def _send(self, message: dict[str, Any], payload: bytes = b"") -> None:
        self._channel.sendall(encode(message, payload))


__all__ = ["Bridge", "NotStarted"]
