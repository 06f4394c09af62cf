"""Trains in a child process: starts it, reads what it tells, and ends it with the service. Imports no torch.

Reports are objects with a `kind`: `loading`, `step` (step, steps, loss, rate, eta_s, tokens), `look` (step,
held_out_loss, drift; step 0: the base), `checkpoint` (step, file), and at the end `done` (file, step, held_out_loss, tokens), `stopped`, or `failed`
(message).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "transformers", "peft", "gguf")
LINE_BYTES = 1 << 20


class ChildTrainer:
    """Starts `python -m svc_chat.engine.tuning`.

    Args:
        threads: that it may use.
        environment: added to the little that it gets.
    """

    def __init__(self, threads: int, environment: Mapping[str, str] | None = None):
        self._threads, self._environment = threads, dict(environment or {})

    def missing(self) -> Sequence[str]:
        """Return the libraries that training needs and that are not installed."""
        return [name for name in LIBRARIES if importlib.util.find_spec(name) is None]

    async def train(self, folder: Path, stop: asyncio.Event) -> AsyncGenerator[Mapping[str, Any], None]:
        """Go on with the training in `folder` and yield its reports; see Trainer."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "svc_chat.engine.tuning",
            str(folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._child_environment(),
            limit=LINE_BYTES,
        )
        assert child.stdin is not None and child.stdout is not None
        asking = asyncio.create_task(_ask_to_stop(child.stdin, stop))
        try:
            async for line in child.stdout:
                with contextlib.suppress(ValueError):
                    yield json.loads(line)
        finally:
            asking.cancel()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _child_environment(self) -> dict[str, str]:
        threads = str(self._threads)
        return {
            **self._environment,
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": threads,
            "OMP_WAIT_POLICY": "PASSIVE",
            "GOMP_SPINCOUNT": "0",
            "OPENBLAS_NUM_THREADS": threads,
            "MALLOC_ARENA_MAX": "2",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": "/tmp",
            "GGML_NO_BACKTRACE": "1",
        }


async def _ask_to_stop(stdin: asyncio.StreamWriter, stop: asyncio.Event) -> None:
    await stop.wait()
    with contextlib.suppress(ConnectionError):
        stdin.write(b"stop\n")
        await stdin.drain()
