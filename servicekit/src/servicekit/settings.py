"""Settings that every service shares, and the way they are read.

The only module (with each service's own `settings.py`) that reads the environment. For a field
`port` of a class with prefix `CHAT_` the value is looked for, in this order, in `CHAT_PORT`, `PORT`,
the file named by `CHAT_PORT_FILE`, the file named by `PORT_FILE`, the prefixed name that the field had before
(`renamed`), and the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from servicekit.errors import CannotStart

UNFINISHED_RESTORE = ".restore"
"""Folder in a data folder while a backup is put back into it (deploy/backup/restore.py)."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
"""Addresses that nobody on the network reaches."""
CommaList = Annotated[tuple[str, ...], NoDecode]
"""A tuple that is written `a,b,c` in the environment."""


class _FileSource(PydanticBaseSettingsSource):
    """Reads a setting from the file that `<NAME>_FILE` names (secrets of containers)."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        prefix = str(self.config.get("env_prefix", "")).upper()
        for name in (f"{prefix}{field_name.upper()}_FILE", f"{field_name.upper()}_FILE"):
            file = os.environ.get(name)
            if file and Path(file).is_file():
                return Path(file).read_text(encoding="utf-8").strip(), field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {n: self.get_field_value(f, n)[0] for n, f in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class _RenamedSource(PydanticBaseSettingsSource):
    """Reads a setting under the prefixed name that it had before."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        prefix = str(self.config.get("env_prefix", "")).upper()
        renamed: Mapping[str, str] = getattr(self.settings_cls, "renamed", {})
        before = renamed.get(field_name)
        return (os.environ.get(f"{prefix}{before.upper()}") or None) if before else None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {n: self.get_field_value(f, n)[0] for n, f in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class ServiceSettings(BaseSettings):
    """What every service can be told; each service's `Settings` adds its own fields."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """Fields, and the names that they had before: `<PREFIX><OLD NAME>` is still read, without the prefix it is not."""

    model_config = SettingsConfigDict(
        extra="ignore",
        frozen=True,
        protected_namespaces=(),
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a refusal of settings that do not go together would print them all, keys too
    )

    service: str = "service"
    """Name in logs, health reports and job ids, such as `svc-chat`."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    """TCP port to listen on."""
    uds: str = ""
    """Unix socket to listen on instead of a port: for a service without network."""
    debug: bool = False
    """Log more; never shows stack traces to callers."""
    reload: bool = False
    """Restart when a source file changes (development)."""
    workers: int = 1
    """Web processes; services that own a model keep 1."""
    keep_alive: int = 75
    """Idle seconds after which a connection is closed."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    cors_origins: CommaList = ()
    """Origins of other sites whose pages may call this service."""
    allowed_hosts: CommaList = ("localhost", "127.0.0.1", "[::1]", "*.localhost")
    """Values of the Host header that are answered (`*` for any)."""
    data_dir: Path = Path("data")
    """Folder for everything this service keeps."""
    gateway_url: str = "http://127.0.0.1:8001"
    """Where identity keys are fetched and API keys are checked."""
    jwks_file: str = ""
    """File of the identity keys, which the gateway writes and a service without network reads."""
    published_host: str = ""
    """Address on which a container's port is published; empty: `host`. Judges `AUTH=off`."""
    auth: Literal["on", "off"] = "on"
    """`off` treats every caller as the owner; only for a machine nobody else reaches."""
    redis_url: str = ""
    """Cache and rate limits; empty: in this process's memory."""
    database_url: str = ""
    """SQLAlchemy URL; empty: an SQLite file in `data_dir`."""
    max_body_bytes: int = 50 * 1024 * 1024
    """Largest request body in bytes."""
    max_file_bytes: int = 512 * 1024 * 1024
    """Largest file that `POST /v1/files` keeps, in bytes."""
    device: str = "auto"
    """auto, cpu or cuda."""
    threads: int = 2
    """Processor threads that a model may use."""
    media_retention_days: float = 7.0
    """Days after which generated pictures and audio are removed."""
    fetch_allow_hosts: CommaList = ()
    """`host` or `host:port` inside the own network that URLs in requests may name."""
    idle_unload_s: float = 0.0
    """Seconds without use after which a model leaves memory; 0 keeps it."""
    otel_exporter_otlp_endpoint: str = ""
    """OpenTelemetry collector that gets traces over HTTP, such as `http://127.0.0.1:4318`; empty: no traces."""
    hf_endpoint: str = ""
    """Address of the hub that models come from; empty: Hugging Face's."""
    hf_token: str = ""
    """Token for the hub's gated and private repositories."""
    drain_s: float = 30.0
    """Seconds that running requests get to finish after SIGTERM."""

    @field_validator("cors_origins", "allowed_hosts", "fetch_allow_hosts", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return _comma_list(value)

    @field_validator("log_level")
    @classmethod
    def _upper(cls, value: str) -> str:
        level = value.upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
            raise ValueError(f"LOG_LEVEL is {value!r}; use DEBUG, INFO, WARNING or ERROR")
        return level

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            EnvSettingsSource(settings_cls, env_prefix="", env_ignore_empty=True),
            _FileSource(settings_cls),
            _RenamedSource(settings_cls),
        )

    @property
    def upload_limits(self) -> dict[str, int]:
        """Largest bodies in bytes by path, where they are not `max_body_bytes`."""
        return {"/v1/files": self.max_file_bytes + 64 * 1024}

    @property
    def sql_url(self) -> str:
        """The SQLAlchemy URL of this service's database."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'service.db'}"

    def open_door(self) -> str | None:
        """Return why these settings would let anybody in, if they would."""
        published = self.published_host or self.host
        if self.auth == "on" or self.uds or published in LOOPBACK:
            return None
        return (
            f"AUTH=off and published on {published}: anybody on the network would be the owner. "
            "Publish on 127.0.0.1, or set AUTH=on."
        )

    def prepared(self) -> ServiceSettings:
        """Return self after making sure that `data_dir` exists and is whole.

        Raises:
            CannotStart: a backup was being put back and was not finished.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if (self.data_dir / UNFINISHED_RESTORE).exists():
            raise CannotStart(
                f"Putting back a backup of {self.service} was not finished. Run it again (make restore FILE=…)."
            )
        return self


def _comma_list(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


comma_list = _comma_list
