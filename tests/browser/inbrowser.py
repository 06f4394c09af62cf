"""Steps that the tests of models in the browser share."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.browser import Site, open_tab

SLOW_MS = 90_000


def write(page: Page, prompt: str) -> str:
    """Have a text written in the browser and return it when it is whole."""
    page.get_by_label("Pedido").fill(prompt)
    page.get_by_role("button", name="Escrever").click()
    expect(page.locator(".browser-answer[data-done]")).to_be_visible(timeout=SLOW_MS)
    return page.locator(".browser-answer .result-text").inner_text()


def open_text(page: Page, site: Site) -> None:
    open_tab(page, site, "browser")
    page.get_by_role("tab", name="Texto").click()
