"""Logins through a provider in the database: those under way, and whose account a subject is.

Blocking: call it from a thread. An account belongs to a pair of issuer and subject, never to a name or
an address: those are the provider's to give to somebody else.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from gateway.engine.accounts import Accounts, User
from gateway.engine.database import OIDC_LOGINS, SUBJECTS, hash_secret
from gateway.errors import LoginExpired
from servicekit.errors import Conflict

LOGIN_S = 600.0
"""Seconds that a person may take at the provider."""
_NAMES_TRIED = 1000


@dataclass(frozen=True)
class Begun:
    """A login that was begun: what the browser takes along, and what is checked when it comes back."""

    state: str
    browser: str
    nonce: str
    verifier: str
    redirect_uri: str


class ExternalLogins:
    """The logins of one database."""

    def __init__(self, engine: Engine, accounts: Accounts):
        self._engine, self._accounts = engine, accounts

    def begin(self, redirect_uri: str) -> Begun:
        """Remember a new login for ten minutes; older ones that never came back are removed."""
        state, browser, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        begun = Begun(state, browser, nonce, secrets.token_urlsafe(48), redirect_uri)
        with self._engine.begin() as db:
            db.execute(OIDC_LOGINS.delete().where(OIDC_LOGINS.c.expires_at < time.time()))
            db.execute(
                OIDC_LOGINS.insert().values(
                    state_hash=hash_secret(begun.state),
                    browser_hash=hash_secret(begun.browser),
                    nonce=begun.nonce,
                    verifier=begun.verifier,
                    redirect_uri=redirect_uri,
                    expires_at=time.time() + LOGIN_S,
                )
            )
        return begun

    def take(self, state: str, browser: str) -> Begun:
        """Return the login that `state` names and forget it: it can come back once, to its own browser.

        Raises:
            LoginExpired: unknown, too old, over already, or begun in another browser.
        """
        mine = (
            OIDC_LOGINS.c.state_hash == hash_secret(state),
            OIDC_LOGINS.c.browser_hash == hash_secret(browser),
        )
        with self._engine.begin() as db:
            row = db.execute(select(OIDC_LOGINS).where(*mine)).first()
            gone = row is None or not db.execute(OIDC_LOGINS.delete().where(*mine)).rowcount
        if row is None or gone or row.expires_at < time.time():
            raise LoginExpired("This login is over or was begun elsewhere. Begin again.")
        return Begun(state, browser, row.nonce, row.verifier, row.redirect_uri)

    def account(self, issuer: str, subject: str, name: str, role: str) -> User:
        """Return the account of a subject; the first time one is made, under a name that is free."""
        return self._known(issuer, subject) or self._made(issuer, subject, name, role)

    def _known(self, issuer: str, subject: str) -> User | None:
        mine = (SUBJECTS.c.issuer == issuer, SUBJECTS.c.subject == subject)
        with self._engine.connect() as db:
            row = db.execute(select(SUBJECTS.c.user_id).where(*mine)).first()
        return self._accounts.get(row.user_id) if row else None

    def _made(self, issuer: str, subject: str, name: str, role: str) -> User:
        user = self._create(name, role)
        try:
            with self._engine.begin() as db:
                db.execute(SUBJECTS.insert().values(issuer=issuer, subject=subject, user_id=user.id))
        except IntegrityError:  # the same person logged in twice at the same moment: the first one counts
            self._accounts.discard(user.id)
            known = self._known(issuer, subject)
            assert known is not None
            return known
        return user

    def _create(self, name: str, role: str) -> User:
        for number in range(1, _NAMES_TRIED):
            try:
                return self._accounts.create(name if number == 1 else f"{name}-{number}", "", role)
            except Conflict:
                continue
        return self._accounts.create(f"{name[:30]}-{secrets.token_hex(8)}", "", role)
