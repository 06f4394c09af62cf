"""The page of calls, in a real browser: it is drawn, asks nobody else, and calls with a key."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.browser import chromium
from tests.browser.small import PASSWORD, SmallStack

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("of", ["a service", "the gateway"])
def test_a_call_is_tried_with_a_token(small: SmallStack, of: str) -> None:
    base = small.site.url if of == "the gateway" else small.chat_url
    with chromium() as browser:
        try_a_call(browser.new_page(), small, base)


def try_a_call(page: Page, small: SmallStack, base: str) -> None:
    account = {"username": "owner", "password": PASSWORD}
    token = httpx.post(f"{small.site.url}/auth/login", json=account, timeout=60).json()["access_token"]
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{base}/docs")
    page.locator(".scheme-container").get_by_role("button", name="Authorize").click()
    dialog = page.locator(".modal-ux")
    dialog.locator("input").fill(token)
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.locator("button.close-modal").click()
    call = page.locator(".opblock-get").filter(has=page.locator("[data-path='/v1/models']"))
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert all(url.startswith((base, "data:")) for url in asked), asked
    assert not errors
