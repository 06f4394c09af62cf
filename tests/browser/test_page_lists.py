"""A list that does not come, or not whole, is told as that on the page, and is never shown as one without entries."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.browser import open_tab
from tests.browser.conftest import NewPage
from tests.browser.small import SmallStack

BROKEN = {"error": {"message": "It broke.", "type": "server_error", "param": None, "code": "internal_error"}}
VOICES = {"data": [{"id": "pt-br", "name": "Portuguese", "language": "pt-br", "model": "espeak-ng"}]}


def test_voices_are_waited_for_asked_for_again_and_then_there(new_chat: NewPage, small: SmallStack) -> None:
    page, held = new_chat(), []
    # told to be of no use: the page must not ask again by itself before the click
    answer = {"status": 500, "headers": {"x-should-retry": "false"}, "json": BROKEN}

    def told(route: Route) -> None:
        held.append(route) if not held else route.fulfill(**answer)  # type: ignore[arg-type]

    page.route("**/v1/audio/voices", told)
    open_tab(page, small.site, "speech")
    voice = page.get_by_role("combobox", name="Voz")
    expect(voice).to_have_attribute("placeholder", "Carregando…")
    held[0].fulfill(**answer)
    expect(voice).to_have_attribute("placeholder", "Não carregou")
    expect(page.locator("section[data-tab=speech]")).to_contain_text(
        "O serviço de fala encontrou um erro interno."
    )
    answer |= {"status": 200, "json": VOICES}
    page.get_by_role("button", name="Tentar de novo: Voz").click()
    expect(voice).to_have_value("português (Brasil)")


def test_a_model_list_without_one_service_says_so_and_heals_by_itself(
    new_chat: NewPage, small: SmallStack
) -> None:
    page: Page = new_chat()
    chat = {"id": "a", "task": "chat", "service": "svc-chat"}
    body: dict[str, Any] = {"data": [chat], "missing": ["image-gen", "vision"]}
    page.route("**/v1/models", lambda route: route.fulfill(json=body))
    open_tab(page, small.site, "images")
    page.get_by_role("button", name="Opções").click()
    model = page.get_by_role("combobox", name="Modelo", exact=True)
    expect(model).to_have_attribute("placeholder", "Não carregou")
    expect(page.get_by_text("O serviço de imagens não está respondendo.").first).to_be_visible()
    body |= {"data": [chat, {"id": "b", "task": "image", "service": "svc-image-gen"}], "missing": []}
    expect(model).to_have_value("b")


def test_a_service_that_does_not_tell_of_its_jobs_has_not_lost_the_pictures(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat()
    body: dict[str, Any] = {"data": [], "missing": ["image-gen"]}
    page.route("**/v1/jobs", lambda route: route.fulfill(json=body))
    open_tab(page, small.site, "images")
    expect(page.get_by_role("alert").first).to_contain_text("O serviço de imagens não está respondendo.")
    expect(page.get_by_text("Nenhuma imagem ainda")).to_have_count(0)
    body["missing"] = []
    expect(page.get_by_text("Nenhuma imagem ainda")).to_be_visible()
