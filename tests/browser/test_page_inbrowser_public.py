"""A public model on its way from the hub to the server and from there into the browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewPage
from tests.browser.inbrowser import SLOW_MS, open_text, write
from tests.browser.small import SmallStack

pytestmark = pytest.mark.browser


def test_a_public_model_is_brought_to_the_server_and_from_there_to_the_browser(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat()
    open_text(page, small.site)
    model = "SmolLM2-135M-Instruct-browser"
    page.get_by_role("button", name=f"Instalar {model}").click()
    bar = page.get_by_role("region", name="Modelo no navegador").filter(visible=True)
    expect(page.locator("[data-offered]").filter(visible=True)).to_have_count(0, timeout=SLOW_MS)
    bar.get_by_role("combobox", name="Modelo no navegador").click()
    page.get_by_role("option", name=model).click()
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    assert "12" in write(page, "Quanto é 7 + 5?")
    assert any("/v1/chat/browser-models/" in url and url.endswith(".onnx") for url in asked)
    assert not [url for url in asked if "/models/oficina-chat/" in url]
