"""Who may come in through an OpenID Connect provider, as what, and under which name. Pure.

Owns the rules on verified claims. Knows nothing of HTTP, tokens or the database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import LoginNotAllowed

_NOT_A_NAME = re.compile(r"[^A-Za-z0-9À-ÿ._@-]+")
_MAX_NAME = 56
"""Leaves room for the number that tells two people of one name apart (64 characters at most)."""
EVERYBODY = "*"


@dataclass(frozen=True)
class Admission:
    """The settings' rules: who is let in, and what makes an owner."""

    emails: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    role_claim: str = ""
    owner_values: tuple[str, ...] = ()

    def check(self, claims: Mapping[str, Any]) -> None:
        """Raise LoginNotAllowed unless the person may log in."""
        if not self.allows(claims):
            raise LoginNotAllowed("This account of the provider may not log in here. Ask the owner.")

    def allows(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether the person may log in: only an address that the provider verified counts."""
        if EVERYBODY in self.domains:
            return True
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            return False
        email = email.strip().casefold()
        name, at, domain = email.rpartition("@")
        if not (name and at and domain) or "@" in name:
            return False
        return email in _folded(self.emails) or domain in _folded(self.domains)

    def role(self, claims: Mapping[str, Any]) -> str | None:
        """Return the role that the claims give, or None when the settings map none."""
        if not self.role_claim:
            return None
        given = claims.get(self.role_claim)
        values = given if isinstance(given, list) else [given]
        return "owner" if any(isinstance(v, str) and v in self.owner_values for v in values) else "member"


def _folded(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(value.removeprefix("@").casefold() for value in values)


def username_of(claims: Mapping[str, Any]) -> str:
    """Return the name to give a new account: what the person is called there, in our letters."""
    email = claims.get("email")
    local = email.partition("@")[0] if isinstance(email, str) else None
    for given in (claims.get("preferred_username"), local, claims.get("name")):
        if isinstance(given, str):
            name = _NOT_A_NAME.sub("-", given).strip("-._")[:_MAX_NAME]
            if name:
                return name
    return "user"
