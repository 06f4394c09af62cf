"""Apertium, the rule-based translator, as a child process; offline, for general text.

Owns the chain of modes (English–Portuguese goes through Spanish), time-outs and the bounded pool.
Knows nothing about the choice between engines. Only where the binary and its modes are installed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from servicekit.errors import DeadlineExceeded, TooBusy, UpstreamFailed
from svc_translate.engine.base import Outcome, Pair, TranslationModel

MODES_DIRS = (Path("/usr/share/apertium/modes"), Path("/usr/local/share/apertium/modes"))
_LEGS: dict[tuple[str, str], tuple[str, ...]] = {
    # leg: its mode's names, the preferred one first
    ("en", "es"): ("eng-spa", "en-es"),
    ("es", "en"): ("spa-eng_US", "spa-eng", "es-en"),
    ("es", "pt"): ("es-pt_BR", "spa-por_BR", "es-pt", "spa-por"),
    ("pt", "es"): ("pt-es", "por-spa"),
}
_ROUTES = {
    Pair("en", "pt"): (("en", "es"), ("es", "pt")),
    Pair("pt", "en"): (("pt", "es"), ("es", "en")),
    Pair("es", "pt"): (("es", "pt"),),
    Pair("pt", "es"): (("pt", "es"),),
    Pair("en", "es"): (("en", "es"),),
    Pair("es", "en"): (("es", "en"),),
}
MODEL_ID = "apertium"


def installed_modes(dirs: Sequence[Path] = MODES_DIRS) -> frozenset[str]:
    """Return the names of the modes on this machine."""
    return frozenset(file.stem for folder in dirs if folder.is_dir() for file in folder.glob("*.mode"))


def chains(modes: frozenset[str]) -> dict[Pair, tuple[str, ...]]:
    """Return the modes to run one after the other, for each pair that they can make."""
    legs = {leg: next((m for m in names if m in modes), None) for leg, names in _LEGS.items()}
    found: dict[Pair, tuple[str, ...]] = {}
    for pair, route in _ROUTES.items():
        chain = tuple(mode for leg in route if (mode := legs[leg]) is not None)
        if len(chain) == len(route):
            found[pair] = chain
    return found


class ApertiumEngine:
    """Runs `apertium -u MODE` for each leg, a batch of sentences a process.

    Args:
        pool: processes chains that may run at once.
        queue_limit: batches that may wait for a place.
        timeout_s: seconds for one leg; the process is killed after that.
    """

    device = "cpu"

    def __init__(
        self,
        *,
        binary: str | None = None,
        modes: frozenset[str] | None = None,
        pool: int = 2,
        queue_limit: int = 32,
        timeout_s: float = 20.0,
    ) -> None:
        self._binary = binary or shutil.which("apertium") or ""
        self._chains = chains(installed_modes() if modes is None else modes) if self._binary else {}
        self._places = asyncio.Semaphore(pool)
        self._pool, self._queue_limit, self._timeout_s = pool, queue_limit, timeout_s
        self._inside = 0
        model = TranslationModel(
            MODEL_ID, tuple(self._chains), license="GPL-2.0-or-later", owned_by="apertium"
        )
        self.models = (model,) if self._chains else ()

    def covers(self, model_id: str, pair: Pair, sentence: str) -> bool:
        return pair in self._chains

    async def translate(self, model_id: str, pair: Pair, sentences: Sequence[str]) -> Outcome:
        if self._inside >= self._pool + self._queue_limit:
            raise TooBusy(
                f"{self._queue_limit} translations are waiting, which is the limit. Try again in a moment."
            )
        self._inside += 1
        started = time.monotonic()
        try:
            async with self._places:
                entered = time.monotonic()
                texts = list(sentences)
                for mode in self._chains[pair]:
                    texts = await self._leg(mode, texts)
        finally:
            self._inside -= 1
        return Outcome(tuple(texts), queue_s=entered - started, run_s=time.monotonic() - entered)

    def queue(self) -> dict[str, int]:
        running = min(self._inside, self._pool)
        return {"running": running, "waiting": self._inside - running}

    def close(self) -> None:
        return None

    async def _leg(self, mode: str, texts: list[str]) -> list[str]:
        """Translate by one mode; sentences travel as paragraphs, which Apertium keeps apart."""
        made = (await self._run(mode, "\n\n".join(texts))).split("\n\n")
        if len(made) == len(texts):
            return [text.strip() for text in made]
        # A sentence that holds Apertium's own format signs can swallow a border: one at a time then.
        return [(await self._run(mode, text)).replace("\n", " ").strip() for text in texts]

    async def _run(self, mode: str, text: str) -> str:
        # A file, not a pipe: uvloop's pipes are sockets, and Apertium opens /dev/stdin, which they refuse.
        with tempfile.TemporaryFile() as stdin:
            stdin.write(text.encode())
            stdin.seek(0)
            process = await asyncio.create_subprocess_exec(
                self._binary,
                "-u",
                mode,
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), self._timeout_s)
        except BaseException as exc:
            await _end(process)
            if not isinstance(exc, TimeoutError):
                raise
            raise DeadlineExceeded(
                f"Apertium took longer than {self._timeout_s:g} s. Send a shorter text."
            ) from exc
        made = out.decode("utf-8", "replace").rstrip("\n")
        if process.returncode != 0 or not made.strip():
            raise UpstreamFailed(
                f"Apertium ended with status {process.returncode} and {len(out)} bytes. Try again."
            )
        return made


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the process and its whole pipe (it leads its own group), and reap it.

    Its parts may run on when it has ended itself, and hold what it writes to open.
    """
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # all of it has ended
    await process.wait()
