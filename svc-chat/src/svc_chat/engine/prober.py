"""Decides whether a GGUF file may be loaded here: the header first, then a trial in a child process.

Remembers good files by size, time and header, so that they load at once after a restart. Knows the child's command
line and exit; `probe.py` is the child. Every call blocks.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from servicekit import atomic
from servicekit.logs import log_event
from svc_chat.engine.gguf_header import GgufHeader, read_header
from svc_chat.errors import ModelBroken

ADDRESS_SPACE_BYTES = 4 * 2**30
"""Room for Python, numpy and llama.cpp beside the model; they reserve far more addresses than memory."""
BYTES_PER_S = 20_000_000
"""Slowest disk that is waited for."""
REMEMBERED = 256
TRUST = "Download it again from a source that you trust, or remove it."
log = logging.getLogger(__name__)


class Outcome(Protocol):
    """How a child ended."""

    returncode: int
    stdout: str


Run = Callable[[Sequence[str], float], Outcome]
"""Runs a command for at most so many seconds; raises subprocess.TimeoutExpired."""


class Prober:
    """Tries files out once.

    Args:
        store: a JSON file that remembers the good ones.
        trusted: files that come with the program and are never tried.
        timeout_s: seconds for a small file; large ones get more.
        environment: variables that the child needs, without secrets.
        run: starts the child; tests pass their own.
    """

    def __init__(
        self,
        store: Path,
        *,
        trusted: frozenset[Path] = frozenset(),
        timeout_s: float = 120.0,
        environment: Mapping[str, str] | None = None,
        run: Run | None = None,
    ):
        self._store, self._trusted, self._timeout_s = store, trusted, timeout_s
        self._environment = dict(environment or {})
        self._run = run or self._run_child
        self._lock = threading.Lock()
        self._good = _read(store)

    def check(self, path: Path, adapter: Path | None = None) -> None:
        """Return when the file (with the adapter) can be loaded; blocks while it is tried.

        Raises:
            ModelBroken: it cannot, and why.
        """
        if path in self._trusted and adapter is None:
            return
        headers = {file: read_header(file) for file in (path, adapter) if file is not None}
        fingerprint = "+".join(_fingerprint(file, header) for file, header in headers.items())
        if fingerprint in self._good:
            return
        with self._lock:  # one trial at a time: each takes as much memory as the model
            if fingerprint in self._good:
                return
            self._try(path, adapter, sum(header.file_bytes for header in headers.values()))
            self._good = [*self._good[-REMEMBERED + 1 :], fingerprint]
            _write(self._store, self._good)

    def _try(self, path: Path, adapter: Path | None, need_bytes: int) -> None:
        name = (adapter or path).stem[:80]
        seconds = self._timeout_s + need_bytes / BYTES_PER_S
        command = [sys.executable, "-m", "svc_chat.engine.probe", str(path)]
        command += ["--adapter", str(adapter)] if adapter is not None else []
        # weights may be held twice, laid out anew
        command += [
            "--memory-bytes",
            str(3 * need_bytes + ADDRESS_SPACE_BYTES),
            "--cpu-s",
            str(int(seconds) + 1),
        ]
        try:
            outcome = self._run(command, seconds)
        except subprocess.TimeoutExpired as error:
            raise ModelBroken(
                f"The model '{name}' was not loaded: a trial of it did not end within {seconds:.0f} s. {TRUST}"
            ) from error
        problem = _problem(outcome)
        log_event(log, "model tried out", model=name, problem=problem)
        if problem is not None:
            raise ModelBroken(f"The model '{name}' was not loaded: {problem}. {TRUST}")

    def _run_child(self, command: Sequence[str], seconds: float) -> Outcome:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            text=True,
            errors="replace",
            check=False,
            env={
                **self._environment,
                "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
                "PYTHONSAFEPATH": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                # on an assertion llama.cpp would start a debugger
                "GGML_NO_BACKTRACE": "1",
            },
        )


def _problem(outcome: Outcome) -> str | None:
    """Say what the child's end means, None when it is well."""
    if outcome.returncode < 0:
        name = signal.Signals(-outcome.returncode).name
        if name == "SIGKILL":
            return "a trial of it was ended by the system, perhaps for want of memory"
        if name == "SIGXCPU":
            return "a trial of it did not come to an end"
        return f"a trial of it crashed llama.cpp ({name})"
    try:
        problem = json.loads(outcome.stdout)["problem"]
    except (ValueError, KeyError, TypeError):
        return f"a trial of it ended without an answer (exit status {outcome.returncode})"
    return None if problem is None else str(problem)[:400].rstrip(".")


def _fingerprint(path: Path, header: GgufHeader) -> str:
    facts = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(header.header_bytes))
    return f"{facts.st_size}-{facts.st_mtime_ns}-{digest.hexdigest()}"


def _read(store: Path) -> list[str]:
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
        return [str(item) for item in known["good"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _write(store: Path, good: list[str]) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    try:
        atomic.write(store, json.dumps({"good": good}).encode())
    except OSError as error:  # the model is good all the same; after a restart it is tried again
        log_event(log, "tried model not remembered", level=logging.WARNING, reason=type(error).__name__)
