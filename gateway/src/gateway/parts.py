"""The collaborators of one running gateway, made once from its settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.bootstrap import FirstStart, check_settings, ensure_owner
from gateway.domain.external import Admission
from gateway.engine.accounts import Accounts
from gateway.engine.calls import Calls
from gateway.engine.catalogue import Catalogue
from gateway.engine.credentials import Credential, Credentials
from gateway.engine.database import connect
from gateway.engine.descriptions import Descriptions
from gateway.engine.external import ExternalLogins
from gateway.engine.graphics import GraphicsCard
from gateway.engine.keeper import Keeper
from gateway.engine.ledger import Ledger
from gateway.engine.limiter import Limiter
from gateway.engine.memory import MemoryBudget
from gateway.engine.passwords import Passwords
from gateway.engine.poller import Poller
from gateway.engine.resolver import Resolver
from gateway.engine.sender import Sender
from gateway.engine.signer import Signer
from gateway.engine.upstreams import Upstreams
from gateway.settings import SERVICES, Settings
from servicekit import atomic, cache
from servicekit.cache import Cache

if TYPE_CHECKING:
    from gateway.engine.oidc import Provider

_SETTLE_S = 5.0
"""Seconds that a stopping gateway waits for calls with an `Idempotency-Key` whose client has left."""


_GATEWAY = Credential("gateway", "gateway", "gateway", "owner", ("*",))
"""Who asks a service to unload a model for another one."""


@dataclass(frozen=True)
class Parts:
    """Everything that the routes and the data path stand on."""

    settings: Settings
    accounts: Accounts
    credentials: Credentials
    passwords: Passwords
    external: ExternalLogins
    admission: Admission
    provider: Provider | None
    signer: Signer
    resolver: Resolver
    limiter: Limiter
    upstreams: Upstreams
    sender: Sender
    calls: Calls
    poller: Poller
    graphics: GraphicsCard
    memory: MemoryBudget
    catalogue: Catalogue
    descriptions: Descriptions
    cache: Cache
    keeper: Keeper
    first_start: FirstStart | None

    async def open(self) -> None:
        """Start what needs the event loop."""
        self.upstreams.open()
        self.poller.start()
        self.limiter.start()
        self.keeper.start()

    async def close(self) -> None:
        """Stop everything that was started."""
        await self.keeper.settled(_SETTLE_S)
        await self.poller.stop()
        await self.graphics.stop()
        await self.descriptions.close()
        await self.limiter.stop()
        await self.upstreams.close()
        await self.keeper.stop()
        await self.cache.close()
        self.resolver.close()
        self.passwords.close()


def assemble(settings: Settings) -> Parts:
    """Make the parts; on the very first start this makes the owner's account too.

    Raises:
        Misconfigured: the settings would leave the door open.
        CannotStart: a backup was not put back whole, or a newer program made the database.
    """
    check_settings(settings)
    settings.prepared()
    atomic.remove_drafts(settings.data_dir)
    database = connect(settings.database_url or f"sqlite:///{settings.data_dir.resolve() / 'gateway.db'}")
    accounts, credentials, passwords = Accounts(database), Credentials(database), Passwords()
    credentials.purge()
    first_start = ensure_owner(settings, accounts, credentials, passwords)
    signer = Signer(settings.data_dir / "signing-key.pem")
    if settings.jwks_file:
        signer.publish(Path(settings.jwks_file))
    upstreams = Upstreams(
        settings.upstreams | settings.watched | {"frontend": settings.upstream_frontend},
        max_in_flight=settings.max_in_flight,
        connect_timeout_s=settings.connect_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        failures=settings.circuit_failures,
        open_s=settings.circuit_open_s,
        retry_share=settings.retry_share,
    )
    rates = {
        "calls": settings.rate_limit,
        "heavy": settings.rate_limit_heavy,
        "guesses": settings.rate_limit_guesses,
        "open": settings.rate_limit_open,
    }
    ledger = Ledger(
        database,
        keep_s=settings.idempotency_keep_s,
        most_bytes=settings.idempotency_total_bytes,
        most_keys=settings.idempotency_max_keys,
    )
    sender = Sender(upstreams)
    calls = Calls(upstreams, sender)
    poller = Poller(upstreams, (*SERVICES, *settings.watched))
    return Parts(
        settings=settings,
        accounts=accounts,
        credentials=credentials,
        passwords=passwords,
        external=ExternalLogins(database, accounts),
        admission=Admission(
            settings.oidc_allowed_emails,
            settings.oidc_allowed_domains,
            settings.oidc_role_claim,
            settings.oidc_owner_values,
        ),
        provider=_provider(settings),
        signer=signer,
        resolver=Resolver(credentials, signer, settings.identity_token_s),
        limiter=Limiter(rates, settings.redis_url),
        upstreams=upstreams,
        sender=sender,
        calls=calls,
        poller=poller,
        graphics=GraphicsCard(),
        memory=MemoryBudget(
            settings.memory_budget_bytes,
            poller,
            calls,
            lambda: signer.sign(_GATEWAY, "identity", settings.identity_token_s, admitted=True)[0],
        ),
        catalogue=Catalogue(calls),
        descriptions=Descriptions(calls),
        cache=cache.connect(settings.redis_url),
        keeper=Keeper(ledger),
        first_start=first_start,
    )


def _provider(settings: Settings) -> Provider | None:
    if not settings.oidc_issuer:
        return None
    # Here and not above: most installations have no provider, and its libraries take 20 MiB.
    from gateway.engine.oidc import Client, Provider

    return Provider(
        Client(
            settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_scopes
        )
    )
