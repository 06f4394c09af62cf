"""Makes the parts of svc-code out of its settings."""

from __future__ import annotations

from collections.abc import Callable

from servicekit.health import Readiness
from svc_code.domain.sessions import Places
from svc_code.domain.spares import Spares
from svc_code.engine.base import Host, Limits
from svc_code.engine.fake import FakeHost
from svc_code.engine.host import BubblewrapHost
from svc_code.settings import Settings


def build_host(settings: Settings) -> Host:
    """Return what starts sandboxes."""
    if settings.sandbox == "fake":
        return FakeHost(limits_of(settings))
    return BubblewrapHost(settings.bwrap, limits_of(settings))


def limits_of(settings: Settings) -> Limits:
    """Return what the code of one session may use."""
    return Limits(
        cpu_s=settings.cpu_s,
        idle_cpu_s=settings.idle_cpu_s,
        memory_mb=settings.memory_mb,
        disk_mb=settings.disk_mb,
        max_files=settings.max_files,
        max_processes=settings.max_processes,
        max_output_chars=settings.max_output_chars,
    )


def places_of(settings: Settings) -> Places:
    """Return how many sessions there may be."""
    return Places(
        settings.max_sessions, settings.max_sessions_per_owner, settings.idle_s, settings.evict_idle_s
    )


def tells(readiness: Readiness) -> Callable[[str | None], None]:
    """Return what tells `readiness` how the last start of a sandbox went."""

    def told(problem: str | None) -> None:
        if problem is None:
            readiness.set(status="ready", model="python")
        else:
            readiness.set(status="not_ready", reason=f"off: {problem}")

    return told


async def prepare(host: Host, spares: Spares) -> None:
    """Get ready in the background: find out whether a sandbox starts, by starting the first."""
    await host.prepare()
    await spares.probe()
