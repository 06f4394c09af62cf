"""Signing in and out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browser import Site, fill_login
from tests.browser.conftest import NewPage

pytestmark = pytest.mark.browser


def test_a_stranger_sees_the_login_form_and_nothing_else(new_page: NewPage, site: Site) -> None:
    page = new_page(signed_in=False)
    page.goto(f"{site.url}/#/status")
    expect(page.locator("input[name=username]")).to_be_visible()
    expect(page.locator("nav")).to_have_count(0)


def test_a_wrong_password_is_said_in_the_readers_language(new_page: NewPage, site: Site) -> None:
    page = new_page(signed_in=False)
    page.goto(site.url)
    fill_login(page, "ninguem", "errada")
    expect(page.get_by_role("alert")).to_contain_text("Usuário ou senha incorretos.")


def test_a_used_link_leads_to_the_form_and_leaves_no_token_in_the_address(
    new_page: NewPage, site: Site
) -> None:
    page = new_page(signed_in=False)
    page.goto(f"{site.url}/#token=used-long-ago")
    expect(page.get_by_role("alert")).to_contain_text("Este link já foi usado")
    assert "token" not in page.url


def test_name_and_password_open_the_tabs_and_signing_out_closes_them(new_page: NewPage, site: Site) -> None:
    assert site.username and site.password, "this test needs OWNER_USERNAME and OWNER_PASSWORD"
    page = new_page(signed_in=False)
    page.goto(f"{site.url}/#/models")
    fill_login(page, site.username, site.password)
    expect(page.get_by_role("heading", name="Modelos", level=1)).to_be_visible()
    page.get_by_role("button", name=f"Conta de {site.username}").click()
    page.get_by_role("menuitem", name="Sair").click()
    expect(page.locator("input[name=username]")).to_be_visible()


def test_a_session_that_ends_brings_the_form_back(new_page: NewPage, site: Site) -> None:
    page = new_page()
    page.goto(f"{site.url}/#/translate")
    expect(page.get_by_role("heading", name="Tradução", level=1)).to_be_visible()
    page.context.clear_cookies()
    page.get_by_label("Texto para traduzir").fill("um círculo")
    page.get_by_role("button", name="Traduzir", exact=True).click()
    expect(page.locator("input[name=username]")).to_be_visible()


def test_an_api_key_is_shown_once_and_can_be_revoked(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#/chat")
    page.locator(".account").click()
    page.get_by_role("menuitem", name="Chaves de API").click()
    dialog = page.get_by_role("dialog", name="Chaves de API")
    dialog.get_by_label("Nome da chave").fill("teste do navegador")
    dialog.get_by_role("button", name="Criar chave").click()
    expect(dialog.locator("code")).not_to_be_empty()
    secret = dialog.locator("code").inner_text()
    dialog.get_by_role("button", name="Fechar").first.click()
    expect(dialog).to_be_hidden()
    page.locator(".account").click()
    page.get_by_role("menuitem", name="Chaves de API").click()
    expect(dialog.get_by_text("teste do navegador").first).to_be_visible()
    assert secret not in dialog.inner_text()
    revoke = dialog.get_by_role("button", name="Revogar a chave teste do navegador")
    before = revoke.count()
    revoke.first.click()
    expect(revoke).to_have_count(before - 1)
