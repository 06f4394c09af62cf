"""What the gateway can be told, under the prefix `GATEWAY_` (or without it)."""

from __future__ import annotations

from typing import Any, Literal

import psutil
from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from servicekit.models.catalogue import Machine
from servicekit.settings import CommaList, ServiceSettings, comma_list

SERVICES = ("chat", "image-gen", "vision", "translate", "tts", "rag")
"""The services behind the gateway, by the name used in job ids and in `/api/status`."""


class Settings(ServiceSettings):
    """Settings of the gateway."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    service: str = "gateway"
    port: int = 8001

    upstream_chat: CommaList = ("http://127.0.0.1:8002",)
    """Base URLs of svc-chat; of those that are well the one with the fewest calls answers."""
    upstream_image_gen: CommaList = ("http://127.0.0.1:8003",)
    upstream_vision: CommaList = ("http://127.0.0.1:8004",)
    upstream_translate: CommaList = ("http://127.0.0.1:8005",)
    upstream_tts: CommaList = ("http://127.0.0.1:5000",)
    upstream_rag: CommaList = ("http://127.0.0.1:8006",)
    upstream_code: CommaList = ()
    """Base URL of svc-code, or `unix:` and its socket; its state is shown, no call is forwarded."""
    upstream_frontend: CommaList = ()
    """Server of the web page; empty: files of `static_dir`."""
    static_dir: str = ""
    """Folder with the built web page."""
    required_services: CommaList = SERVICES
    """Services without which `/readyz` says not ready."""

    public_url: str = ""
    """Address under which browsers reach the gateway; `https` makes cookies `Secure`."""
    trusted_proxies: CommaList = ()
    """Addresses whose `X-Forwarded-For` is believed."""
    allowed_origins: CommaList = ()
    """Further origins whose pages may change state with the session cookie."""

    owner_username: str = "owner"
    """Name of the first account."""
    owner_password: str = ""
    """Password of the first account; empty: generated and printed once. At least 10 characters."""
    owner_api_key: str = ""
    """API key of the first account; empty: generated and printed once. At least 24 characters."""
    access_token_s: int = 3600
    """Life of an access token in seconds."""
    identity_token_s: int = 300
    """Life of the token that a service gets in seconds."""
    delegated_token_s: int = 24 * 3600
    """Longest life of the token with which a service does long work for its caller."""
    media_token_s: int = Field(default=3600, ge=1)
    """Seconds that an address of a picture or sound opens it to whoever has it."""
    session_s: int = 7 * 24 * 3600
    """Life of a page's login in seconds."""
    link_s: int = 24 * 3600
    """Life of the one-time link in seconds."""

    oidc_issuer: str = ""
    """Issuer URL of an OpenID Connect provider that may log people in; empty: none."""
    oidc_client_id: str = ""
    """What the provider calls this gateway."""
    oidc_client_secret: str = ""
    """The secret that the provider gave out; empty for a public client (PKCE alone)."""
    oidc_name: str = "OpenID Connect"
    """Name of the provider on the login page's button."""
    oidc_scopes: str = "openid email profile"
    """What is asked of the provider."""
    oidc_allowed_emails: CommaList = ()
    """Verified addresses that may log in."""
    oidc_allowed_domains: CommaList = ()
    """Domains whose verified addresses may log in; `*`: everybody whom the provider knows."""
    oidc_role_claim: str = ""
    """Claim (such as `groups`) that makes owners; empty: everybody is a member until the owner says else."""
    oidc_owner_values: CommaList = ()
    """Values of that claim that make an owner; without one of them the role is member."""

    rate_limit: str = "1200/minute"
    """Calls of one identity."""
    rate_limit_heavy: str = "120/minute"
    """Calls of one identity that make images, ingest, train or run a pipeline."""
    rate_limit_guesses: str = "10/minute"
    """Password guesses evaluated for one user, and from one address."""
    rate_limit_open: str = "600/minute"
    """Calls to the open routes of identity from one address."""
    max_in_flight: int = 512
    """Calls that one service may be answering at once."""

    memory_budget_mb: int = Field(default=0, ge=0)
    """MiB that the models of all services may take together; 0: the memory less the reserve."""
    memory_reserve_mb: int = Field(default=0, ge=0)
    """MiB that are left to the system and to the programs themselves; 0: a fifth of the memory."""
    memory_scope: Literal["container", "machine"] = "container"
    """Whose memory: this container's, when all services run in it (or none is there); or the machine's, when each
    service has a container of its own."""

    connect_timeout_s: float = 2.0
    """Seconds for connecting to a service."""
    read_timeout_s: float = 300.0
    """Seconds of silence from a service after which a call is given up."""
    circuit_failures: int = Field(default=5, ge=1)
    """Failures in a row after which a URL of a service is left alone."""
    circuit_open_s: float = Field(default=2.0, gt=0)
    """Seconds until it is asked again; `/readyz` answering ends it earlier if it was only unreachable."""
    retry_share: float = Field(default=0.1, ge=0, le=1)
    """Retries for each call, on average; 0 after the first ten: none."""
    cache_ttl_s: float = 3600.0
    """Seconds that results of deterministic calls are kept; 0 keeps none."""
    cache_max_body_bytes: int = 8 * 1024 * 1024
    """Largest multipart body that is hashed for the cache (JSON: 1 MiB)."""

    idempotency_keep_s: float = 24 * 3600.0
    """Seconds that the answer to a call with an `Idempotency-Key` is kept."""
    idempotency_wait_s: float = 60.0
    """Seconds that such a call waits for an equal one under way to begin its answer; then 409."""
    idempotency_max_bytes: int = 8 * 1024 * 1024
    """Largest body of such a call, and largest answer that is kept."""
    idempotency_max_keys: int = 20_000
    """Keys of one caller that are remembered; more are 429."""
    idempotency_total_bytes: int = 512 * 1024 * 1024
    """What all kept answers may take together."""

    @field_validator(
        "upstream_chat", "upstream_image_gen", "upstream_vision", "upstream_translate", "upstream_tts",
        "upstream_rag", "upstream_code", "upstream_frontend", "required_services", "trusted_proxies", "allowed_origins",
        "oidc_allowed_emails", "oidc_allowed_domains", "oidc_owner_values",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _split(cls, value: Any) -> Any:
        return comma_list(value)

    @property
    def memory_budget_bytes(self) -> int:
        """What the models of all services may take together."""
        if self.memory_budget_mb:
            return self.memory_budget_mb << 20
        there = Machine.measure().memory_bytes
        if self.memory_scope == "machine":
            there = int(psutil.virtual_memory().total)
        return max(0, there - (self.memory_reserve_mb << 20 or there // 5))

    @property
    def watched(self) -> dict[str, tuple[str, ...]]:
        """Services that are asked how they are and nothing else, where there are any."""
        return {"code": self.upstream_code} if self.upstream_code else {}

    @property
    def upstreams(self) -> dict[str, tuple[str, ...]]:
        """Base URLs by service name."""
        return {name: getattr(self, "upstream_" + name.replace("-", "_")) for name in SERVICES}
