"""Settings of svc-code (`CODE_*`, then the plain names)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic_settings import SettingsConfigDict

from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What svc-code can be told."""

    model_config = SettingsConfigDict(
        env_prefix="CODE_", extra="ignore", frozen=True, protected_namespaces=(), env_ignore_empty=True
    )

    service: str = "svc-code"
    port: int = 8008
    data_dir: Path = Path("data/svc-code")
    sandbox: Literal["bubblewrap", "fake"] = "bubblewrap"
    """What keeps code in; `fake` runs nothing and is for looking at the service."""
    bwrap: str = "bwrap"
    """The program bubblewrap, a name or a path."""
    spare: int = 1
    """Sandboxes kept started, so that the first call of a session need not wait for imports."""

    max_sessions: int = 6
    """Sessions at once, of all callers."""
    max_sessions_per_owner: int = 4
    """Sessions at once of one caller."""
    idle_s: float = 900.0
    """Seconds without a call after which a session ends and its files are gone."""
    evict_idle_s: float = 60.0
    """Seconds without a call after which a session may have to make room for a new one."""
    max_running: int = 2
    """Executions at once."""
    max_waiting: int = 8
    """Executions that may wait for their turn; more are refused with 429."""

    timeout_s: float = 30.0
    """Seconds that an execution gets when the call does not say."""
    timeout_max_s: float = 120.0
    """Most seconds that a call may ask for."""
    cpu_s: float = 120.0
    """Seconds of processor time of one execution, all its processes together."""
    idle_cpu_s: float = 5.0
    """Seconds of processor time between two executions; what a background thread may use."""
    memory_mb: int = 768
    """MiB of memory of one session, all its processes together, beyond the libraries' own."""
    disk_mb: int = 256
    """MiB of a session's folder."""
    max_files: int = 1000
    """Files of a session; code that makes ten times as many is stopped."""
    max_processes: int = 64
    """Processes and threads of one session."""

    max_code_chars: int = 100_000
    """Characters of code in one call."""
    max_output_chars: int = 100_000
    """Characters kept of stdout, of stderr and of the result, each."""
