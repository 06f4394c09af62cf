"""Whom the settings let in through a provider, as what, under which name; and settings that do not start."""

from __future__ import annotations

import pytest

from gateway.bootstrap import check_settings
from gateway.domain.external import Admission, username_of
from gateway.errors import Misconfigured
from gateway.settings import Settings

SETTINGS = {"oidc_client_id": "c", "oidc_client_secret": "s", "oidc_allowed_domains": ("example.org",)}


def test_admission_is_by_address_by_domain_or_for_everybody():
    ana = {"email": "Ana@Example.org", "email_verified": True}
    assert Admission(emails=("ana@example.org",)).allows(ana)
    assert Admission(domains=("EXAMPLE.org",)).allows(ana) and Admission(domains=("@example.org",)).allows(
        ana
    )
    assert not Admission(emails=("bia@example.org",)).allows(ana) and not Admission().allows(ana)
    assert Admission(domains=("*",)).allows({}) and not Admission(emails=("*",)).allows(ana)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "ana.maria"}, "ana.maria"), ({"email": "ana@example.org"}, "ana"),
        ({"name": "Ana Maria"}, "Ana-Maria"), ({"preferred_username": "<script>"}, "script"), ({}, "user"),
        ({"preferred_username": 5, "name": "\u0000\u202e"}, "user"), ({"preferred_username": "a" * 200}, "a" * 56),
    ],
)  # fmt: skip
def test_names_are_written_in_letters_of_ours(claims, name):
    assert username_of(claims) == name


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "http://login.example"}, {"oidc_issuer": "login.example"}, {"oidc_client_id": ""},
        {"oidc_allowed_domains": ()}, {"oidc_role_claim": "groups"}, {"oidc_issuer": "http://127.0.0.1.evil.example"},
    ],
)  # fmt: skip
def test_settings_that_would_let_anybody_in_do_not_start(given):
    whole = {"oidc_issuer": "https://login.example"} | SETTINGS
    check_settings(Settings(**whole))
    with pytest.raises(Misconfigured):
        check_settings(Settings(**whole | given))


def test_the_clients_secret_may_come_in_a_file(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("GATEWAY_OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    assert Settings().oidc_client_secret == "from a file"
