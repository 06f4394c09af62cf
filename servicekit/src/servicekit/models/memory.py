"""What the models of one process hold of the machine's memory, and asking before another one is loaded.

The gateway grants: it reads in `/readyz` what every service holds and wishes for, so a grant ends when the model is
unloaded or the process dies (docs/decisions/memory-budget.md). When the gateway cannot be asked, the machine's free
memory alone decides.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from servicekit.errors import NotReady
from servicekit.health import Readiness
from servicekit.logs import log_event
from servicekit.models.slot import ModelSlot
from servicekit.settings import ServiceSettings

CODE = "no_memory_for_model"
SIZE_FACTOR = 1.5
"""Memory of a model that tells only the size of its weights."""
_WAIT = httpx.Timeout(40.0, connect=1.0)
"""The gateway may have to wait until other services have unloaded."""
_CGROUP = Path("/sys/fs/cgroup")
log = logging.getLogger(__name__)


class NoMemory(NotReady):
    """The machine has no memory left for another model."""

    code = CODE


@dataclass(frozen=True)
class Wish:
    """A load that waits for its grant."""

    id: str
    model: str
    need_bytes: int


class Memory:
    """The slots of one process and their wishes. Thread-safe.

    Args:
        service: name, such as `svc-vision`.
        gateway_url: who grants.
        client: asks the gateway.
        free: bytes that this machine has free, asked when the gateway does not answer.
    """

    def __init__(
        self,
        service: str,
        gateway_url: str,
        *,
        client: httpx.Client | None = None,
        free: Callable[[], int] | None = None,
    ):
        self._service = service.removeprefix("svc-")
        self._url = f"{gateway_url.rstrip('/')}/api/memory"
        self._client, self._free = client, free or free_bytes
        self._slots: dict[str, tuple[ModelSlot[Any], Callable[[], int]]] = {}
        self._wishes: dict[str, Wish] = {}
        self._work: dict[str, int] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: ServiceSettings, readiness: Readiness) -> Memory:
        """Return a service's memory, told in its `/readyz`."""
        memory = cls(settings.service, settings.gateway_url)
        readiness.watch_memory(memory.report)
        return memory

    def cover(self, model_id: str, slot: object, need: Callable[[], int]) -> None:
        """Have the loads of a slot ask first; `need` tells bytes. What is no slot loads nothing here."""
        if not isinstance(slot, ModelSlot):
            return
        with self._lock:
            self._slots[model_id] = slot, need
        slot.admit = lambda: self.admit(model_id, need())

    def report(self) -> dict[str, Any]:
        """Return what is held and wished for, as `/readyz` tells it."""
        with self._lock:
            wishes, slots, work = dict(self._wishes), dict(self._slots), dict(self._work)
        waiting = {wish.model for wish in wishes.values()}
        now = time.monotonic()
        held = [
            {
                "model": model_id,
                "bytes": need(),
                "in_use": slot.users > 0 or slot.state != "ready",
                "idle_s": round(max(0.0, now - slot.last_used), 1) if slot.state == "ready" else 0.0,
            }
            for model_id, (slot, need) in slots.items()
            if slot.state in ("loading", "ready", "unloading") and model_id not in waiting
        ]
        held += [
            {"model": name, "bytes": need_bytes, "in_use": True, "idle_s": 0.0}
            for name, need_bytes in work.items()
            if name not in waiting
        ]
        told = [{"id": w.id, "model": w.model, "bytes": w.need_bytes} for w in wishes.values()]
        return {"held": held, "wishes": told}

    def hold(self, name: str, need_bytes: int) -> None:
        """Take memory for work that is no model's, such as a training, until `release`. Blocks.

        Raises:
            NoMemory: it does not fit beside what is in use.
        """
        with self._lock:
            self._work[name] = need_bytes
        try:
            self.admit(name, need_bytes)
        except BaseException:
            self.release(name)
            raise

    def release(self, name: str) -> None:
        """Give back what `hold` took; nothing if there is nothing."""
        with self._lock:
            self._work.pop(name, None)

    def admit(self, model_id: str, need_bytes: int) -> None:
        """Return when the model may be loaded. Blocks.

        Raises:
            NoMemory: it does not fit beside what is in use.
        """
        wish = Wish(uuid.uuid4().hex, model_id, need_bytes)
        with self._lock:
            self._wishes[wish.id] = wish
        try:
            if not self._granted(wish):
                self._judge_alone(wish)
        finally:
            with self._lock:
                del self._wishes[wish.id]

    def _granted(self, wish: Wish) -> bool:
        """Ask the gateway; False: it cannot be asked."""
        body = {"service": self._service, "wish": wish.id}
        try:
            if self._client is not None:
                answer = self._client.post(self._url, json=body)
            else:
                answer = httpx.post(self._url, json=body, timeout=_WAIT)
            told = answer.json()
        except (httpx.HTTPError, ValueError):
            return False
        if answer.status_code == 200 and isinstance(told, dict) and told.get("granted") is True:
            return True
        error = told.get("error") if isinstance(told, dict) else None
        if isinstance(error, dict) and error.get("code") == CODE:
            after = answer.headers.get("retry-after", "")
            raise NoMemory(
                str(error.get("message"))[:1000],
                param="model",
                retry_after_s=float(after) if after.isdigit() else None,
            )
        log_event(
            log,
            "memory not granted by the gateway, nor refused",
            level=logging.WARNING,
            status=answer.status_code,
        )
        return False

    def _judge_alone(self, wish: Wish) -> None:
        free = self._free()
        if wish.need_bytes > free:
            raise NoMemory(
                f"The model '{wish.model}' needs {mib(wish.need_bytes)} of memory and this machine has {mib(free)} free. "
                "Unload a model that is not needed (POST /v1/models/{id}/unload), end other programs, or choose a "
                "smaller model.",
                param="model",
                retry_after_s=5,
            )


def free_bytes() -> int:
    """Return the memory that is free on this machine, or in this container if that is less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        return max(0, min(free, limit - int((_CGROUP / "memory.current").read_text())))
    except (OSError, ValueError):
        return free  # no cgroup v2, or "max"


def mib(count: int) -> str:
    """Write bytes for people."""
    return f"{-(-count // 2**20)} MiB"
