"""What happens before the gateway serves: safe settings, the owner's account, the one-time link."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.engine.accounts import Accounts
from gateway.engine.credentials import KEY_PREFIX, Credentials
from gateway.engine.passwords import Passwords
from gateway.errors import Misconfigured
from gateway.settings import Settings
from servicekit import atomic
from servicekit.settings import LOOPBACK

MIN_PASSWORD, MIN_KEY = 10, 24
_GUESSABLE = (
    "password",
    "senha",
    "admin",
    "owner",
    "oficina",
    "changeme",
    "change-me",
    "secret",
    "12345",
    "qwerty",
)


@dataclass(frozen=True)
class FirstStart:
    """What is told once, when the owner's account is made."""

    username: str
    password: str
    api_key: str


def check_settings(settings: Settings) -> None:
    """Refuse settings that would leave the door open.

    Raises:
        Misconfigured: a default or short secret, or `AUTH=off` where others can reach the port.
    """
    if settings.owner_password:
        _refuse_guessable("OWNER_PASSWORD", settings.owner_password, MIN_PASSWORD)
    if settings.owner_api_key:
        _refuse_guessable("OWNER_API_KEY", settings.owner_api_key, MIN_KEY)
        if settings.owner_api_key.count(".") == 2:
            raise Misconfigured("OWNER_API_KEY looks like a token (two dots). Choose a key without dots.")
    _check_provider(settings)
    if problem := settings.open_door():
        raise Misconfigured(problem)


def _check_provider(settings: Settings) -> None:
    if not settings.oidc_issuer:
        return
    url = urlsplit(settings.oidc_issuer)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
        raise Misconfigured("OIDC_ISSUER must be an https:// address (http:// only on this machine).")
    if not settings.oidc_client_id:
        raise Misconfigured("OIDC_ISSUER is set and OIDC_CLIENT_ID is not. Register the gateway there first.")
    if not (settings.oidc_allowed_emails or settings.oidc_allowed_domains):
        raise Misconfigured(
            "OIDC_ISSUER is set and nobody is let in. Set OIDC_ALLOWED_EMAILS or OIDC_ALLOWED_DOMAINS "
            "(`*`: everybody whom the provider knows)."
        )
    if settings.oidc_role_claim and not settings.oidc_owner_values:
        raise Misconfigured("OIDC_ROLE_CLAIM is set and OIDC_OWNER_VALUES is not: nobody would be an owner.")


def _refuse_guessable(name: str, secret: str, least: int) -> None:
    if len(secret) < least:
        raise Misconfigured(f"{name} has {len(secret)} characters; at least {least} are needed.")
    plain = secret.lower()
    for word in _GUESSABLE:
        plain = plain.replace(word, "")
    if len(set(plain)) < 4:
        raise Misconfigured(f"{name} is a default or easily guessed value. Choose a random one.")


def ensure_owner(
    settings: Settings, accounts: Accounts, credentials: Credentials, passwords: Passwords
) -> FirstStart | None:
    """Make the owner's account and key when there is no owner; return what has to be told, once."""
    owner = accounts.first_owner()
    if owner is not None:
        if settings.owner_api_key:
            credentials.make_key(owner.id, "OWNER_API_KEY", ["*"], secret=settings.owner_api_key)
        return None
    password = settings.owner_password or secrets.token_urlsafe(12)
    key = settings.owner_api_key or KEY_PREFIX + secrets.token_urlsafe(32)
    owner = accounts.create(settings.owner_username, passwords.hash_now(password), "owner")
    credentials.make_key(owner.id, "first start", ["*"], secret=key)
    return FirstStart(owner.username, password, key)


def announce(
    settings: Settings, accounts: Accounts, credentials: Credentials, first: FirstStart | None
) -> list[str]:
    """Make this start's one-time link, write it for `make up`, and return the lines for people."""
    owner = accounts.first_owner()
    if owner is None:
        return []
    base = (settings.public_url or f"http://127.0.0.1:{settings.port}").rstrip("/")
    link = f"{base}/#token={credentials.make_link(owner.id, settings.link_s)}"
    atomic.write(settings.data_dir / "link.json", json.dumps({"link": link}).encode())
    lines = ["", f"  Oficina: {link}", "  (this link logs the owner in once)"]
    if first:
        told = {
            "link": link,
            "username": first.username,
            "password": first.password,
            "api_key": first.api_key,
        }
        atomic.write(settings.data_dir / "first-start.json", json.dumps(told).encode())
        lines += [
            f"  User:     {first.username}",
            f"  Password: {first.password}",
            f"  API key:  {first.api_key}",
        ]
        lines += ["  These are shown once. Keep them."]
    return [*lines, ""]
