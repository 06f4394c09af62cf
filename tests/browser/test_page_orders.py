"""Asking for pictures, against a service that answers as each test says: what is written, sent, refused and sent again."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.browser import open_tab
from tests.browser.conftest import NewPage
from tests.browser.small import SmallStack

pytestmark = pytest.mark.browser
MODEL = {"id": "a", "object": "model", "task": "image", "service": "svc-image-gen"}
REFUSED = {
    "message": "The size is odd.",
    "type": "invalid_request_error",
    "param": "size",
    "code": "invalid_size",
}
BUSY = {"message": "Busy.", "type": "server_error", "param": None, "code": "service_unavailable"}
FIELD = re.compile(rb'name="(\w+)"\r\n\r\n(.*?)\r\n')


class Service:
    """Stands in for svc-image-gen on one page; `posts` are the requests for pictures, `held` until they are answered."""

    def __init__(self, page: Page) -> None:
        self.posts: list[Route] = []
        page.route("**/v1/models", lambda route: route.fulfill(json={"data": [MODEL]}))
        page.route("**/v1/jobs", lambda route: route.fulfill(json={"data": []}))
        page.route(re.compile("/v1/images/"), lambda route: self.posts.append(route))

    def refuse(self, status: int, error: dict[str, Any], **headers: str) -> None:
        """Answer the last request."""
        self.posts[-1].fulfill(status=status, json={"error": error}, headers=headers)

    def sent(self) -> dict[str, str]:
        """Return the fields of the last form without its files."""
        found = FIELD.findall(self.posts[-1].request.post_data_buffer or b"")
        return {name.decode(): value.decode() for name, value in found}


def picture(colour: str = "blue", content: bytes | None = None) -> dict[str, Any]:
    """Return a picture, or `content` in its place, as a file chooser takes it."""
    out = io.BytesIO()
    Image.new("RGB", (64, 32), colour).save(out, "PNG")
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": content or out.getvalue()}


def choose(page: Page, file: dict[str, Any]) -> None:
    page.locator("form input[type=file][accept='image/*']").set_input_files(file)


def vary(page: Page, small: SmallStack) -> Service:
    """Open the form of variations with a picture chosen."""
    service = Service(page)
    open_tab(page, small.site, "images")
    page.locator(".ways").get_by_text("Variar", exact=True).click()
    choose(page, picture())
    expect(page.get_by_alt_text("Imagem de partida")).to_be_visible()
    return service


def send(page: Page, service: Service) -> None:
    """Send the form of variations and wait until the request is there."""
    before = len(service.posts)
    with page.expect_request("**/v1/images/variations"):
        page.get_by_role("button", name="Fazer variações").click()
    expect(page.locator(".ways input").first).to_be_disabled()
    assert len(service.posts) == before + 1


def test_a_number_is_written_one_sign_at_a_time(new_chat: NewPage, small: SmallStack) -> None:
    page = new_chat()
    service = vary(page, small)
    strength, count = page.get_by_label("Força da mudança"), page.get_by_label("Quantidade")
    strength.press_sequentially("0,5")
    expect(strength).to_have_value("0,5")
    count.fill("3")
    count.press("Backspace")
    expect(count).to_have_value("")
    count.press_sequentially("2")
    page.get_by_role("button", name="Opções").click()
    guidance = page.get_by_label("Fidelidade ao texto")
    guidance.click()  # waits until the options have unfolded
    guidance.press_sequentially("7,5")
    expect(guidance).to_have_value("7,5")
    send(page, service)
    assert service.sent() == {"n": "2", "strength": "0.5", "guidance_scale": "7.5", "response_format": "url"}


def test_a_number_is_written_with_the_mark_of_the_readers_language(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat(locale="en-US")
    Service(page)
    open_tab(page, small.site, "images")
    page.locator(".ways").get_by_text("Vary", exact=True).click()
    strength = page.get_by_label("Strength of the change")
    strength.press_sequentially("0.35")
    expect(strength).to_have_value("0.35")
    strength.blur()
    expect(strength).to_have_value("0.35")


def test_a_request_on_its_way_holds_the_form_and_its_refusal_shows(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat()
    service = vary(page, small)
    send(page, service)
    page.get_by_label("O que desenhar (opcional)").press("Enter")
    service.refuse(400, REFUSED)
    expect(page.get_by_role("alert")).to_contain_text("The size is odd.")
    assert len(service.posts) == 1
    page.locator(".ways").get_by_text("Editar", exact=True).click()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_failed_is_sent_again_as_it_was_and_not_once_the_picture_is_another(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat()
    service = vary(page, small)
    send(page, service)
    service.refuse(503, BUSY, **{"Retry-After": "600"})
    page.get_by_label("Quantidade").fill("4")
    with page.expect_request("**/v1/images/variations"):
        page.get_by_role("button", name="Tentar de novo").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert service.sent()["n"] == "1"
    service.refuse(503, BUSY, **{"Retry-After": "600"})
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Outra imagem").click()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_options_chosen_to_draw_do_not_go_along_with_a_variation(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat()
    service = Service(page)
    open_tab(page, small.site, "images")
    page.get_by_label("O que desenhar").fill("um anel")
    page.get_by_role("button", name="Opções").click()
    page.get_by_label("Passos").fill("50")
    page.locator(".ways").get_by_text("Variar", exact=True).click()
    choose(page, picture())
    send(page, service)
    assert service.sent() == {"prompt": "um anel", "n": "1", "response_format": "url"}
    service.refuse(400, REFUSED)
    page.locator(".ways").get_by_text("Desenhar", exact=True).click()
    page.get_by_role("button", name="Opções").click()
    expect(page.get_by_label("Passos")).to_have_value("50")


def test_a_file_that_is_no_picture_does_not_outlive_the_picture_gone_on_from(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat()
    vary(page, small)
    kept = {"pictures": [{"id": "img_1", "url": "/media/img_1"}], "prompt": "um anel"}
    job = {"id": "j", "kind": "image", "status": "completed", "result": kept}
    page.route("**/v1/jobs", lambda route: route.fulfill(json={"data": [job]}))
    content = picture("red")["buffer"]
    page.route("**/media/img_1", lambda route: route.fulfill(body=content, content_type="image/png"))
    page.reload()
    page.locator(".ways").get_by_text("Variar", exact=True).click()
    choose(page, picture(content=b"nothing"))
    expect(page.get_by_role("alert")).to_contain_text("Esta imagem não pode ser lida.")
    page.locator(".gallery-item").click()
    page.get_by_role("button", name="Editar esta imagem").click()
    expect(page.get_by_alt_text("Imagem de partida")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
