"""The chat as the documents describe it: bubbles, waiting, Enter, empty input, line breaks, scrolling."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.browser import Site, open_tab
from tests.browser.conftest import NewPage

pytestmark = pytest.mark.browser
COMPLETIONS = "**/v1/chat/completions"
USER, BOT = "[data-role=user]", "[data-role=assistant]"
NOT_AT_END = "box => box.scrollHeight - box.scrollTop - box.clientHeight"


def answer_with(page: Page, *texts: str) -> list[dict]:
    """Let every chat completion answer with `texts`, one chunk each; return the bodies that are sent."""
    asked: list[dict] = []

    def fulfil(route: Route) -> None:
        asked.append(route.request.post_data_json)
        chunks = [{"model": "test", "choices": [{"delta": {"content": text}}]} for text in texts]
        chunks.append({"choices": [], "usage": {"completion_tokens": 12}, "timing": {"run_ms": 500}})
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
        route.fulfill(content_type="text/event-stream", body="".join(lines))

    page.route(COMPLETIONS, fulfil)
    return asked


def hold(page: Page) -> list[Route]:
    """Keep chat completions waiting; the test lets them go on."""
    held: list[Route] = []
    page.route(COMPLETIONS, lambda route: held.append(route))
    return held


def say(page: Page, text: str) -> None:
    page.get_by_label("Mensagem", exact=True).fill(text)
    page.keyboard.press("Enter")


def test_the_model_answers(page: Page, site: Site) -> None:
    open_tab(page, site, "chat")
    say(page, "Olá!")
    expect(page.locator(BOT)).to_have_count(1)
    expect(page.get_by_role("button", name="Responder de novo")).to_be_visible(timeout=60_000)
    assert page.locator(f"{BOT} .markdown").inner_text().strip()


def test_the_question_stands_there_at_once_and_the_bot_is_analisando(page: Page, site: Site) -> None:
    held = hold(page)
    open_tab(page, site, "chat")
    say(page, "Olá!")
    expect(page.locator(USER)).to_have_text("Olá!")
    expect(page.locator(BOT)).to_have_text("Analisando ...")
    expect(page.get_by_label("Mensagem", exact=True)).to_have_value("")
    held[0].continue_()
    expect(page.locator(BOT)).not_to_have_text("Analisando ...", timeout=60_000)


def test_the_bot_is_thinking_in_english(new_page: NewPage, site: Site) -> None:
    page = new_page(locale="en-US")
    hold(page)
    open_tab(page, site, "chat")
    page.get_by_label("Message", exact=True).fill("Hello!")
    page.keyboard.press("Enter")
    expect(page.locator(BOT)).to_have_text("Thinking ...")


@pytest.mark.parametrize("nothing", ["", "   ", "\n\n"])
def test_empty_input_is_ignored(page: Page, site: Site, nothing: str) -> None:
    asked = answer_with(page, "nunca")
    open_tab(page, site, "chat")
    say(page, nothing)
    page.get_by_role("button", name="Enviar").click()
    expect(page.locator(USER)).to_have_count(0)
    assert asked == []


def test_shift_enter_breaks_the_line_and_line_breaks_are_kept(page: Page, site: Site) -> None:
    asked = answer_with(page, "primeira\nse", "gunda\n\nterceira")
    open_tab(page, site, "chat")
    box = page.get_by_label("Mensagem", exact=True)
    box.press_sequentially("um")
    box.press("Shift+Enter")
    box.press_sequentially("dois")
    box.press("Enter")
    assert page.locator(USER).inner_text() == "um\ndois"
    expect(page.locator(f"{BOT} .markdown p")).to_have_count(2)
    assert page.locator(f"{BOT} .markdown").inner_text().split() == ["primeira", "segunda", "terceira"]
    assert "primeira\nsegunda" in page.locator(f"{BOT} .markdown").inner_text()
    assert asked[0]["messages"][-1] == {"role": "user", "content": "um\ndois"}


def test_the_page_follows_the_end_unless_the_reader_went_up(page: Page, site: Site) -> None:
    answer_with(page, "linha\n\n" * 80)
    open_tab(page, site, "chat")
    say(page, "Conte uma história longa")
    expect(page.get_by_role("button", name="Responder de novo")).to_be_visible()
    messages = page.get_by_role("log")
    assert messages.evaluate(NOT_AT_END) < 5
    say(page, "Outra")
    expect(page.locator(BOT)).to_have_count(2)
    expect(page.get_by_role("button", name="Responder de novo")).to_be_visible()
    assert messages.evaluate(NOT_AT_END) < 5
    messages.evaluate("box => { box.scrollTop = 0 }")
    page.get_by_role("button", name="Responder de novo").dispatch_event("click")
    expect(page.locator(".bubble-foot")).to_have_count(2)
    messages.evaluate("box => { box.scrollTop = 0 }")
    assert messages.evaluate(NOT_AT_END) > 100


def test_stop_ends_the_answer(page: Page, site: Site) -> None:
    hold(page)
    open_tab(page, site, "chat")
    say(page, "Olá!")
    page.get_by_role("button", name="Parar").click()
    expect(page.get_by_role("button", name="Enviar")).to_be_visible()
    expect(page.locator(BOT)).to_have_count(0)


def test_an_answer_can_be_copied_and_asked_for_again_and_tells_its_speed(
    new_page: NewPage, site: Site
) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    asked = answer_with(page, "**forte**")
    open_tab(page, site, "chat")
    say(page, "Olá!")
    expect(page.locator(BOT)).to_contain_text("12 tokens · 24 tokens/s")
    page.locator(BOT).get_by_role("button", name="Copiar").click()
    assert page.evaluate("navigator.clipboard.readText()") == "**forte**"
    page.get_by_role("button", name="Responder de novo").click()
    expect(page.get_by_role("button", name="Responder de novo")).to_be_visible()
    assert [len(body["messages"]) for body in asked] == [1, 1]


def test_conversations_are_kept_and_can_be_deleted(page: Page, site: Site) -> None:
    answer_with(page, "sim")
    open_tab(page, site, "chat")
    say(page, "Primeira conversa")
    expect(page.locator(BOT)).to_contain_text("sim")
    page.get_by_role("button", name="Nova conversa").click()
    expect(page.locator(USER)).to_have_count(0)
    page.reload()
    page.get_by_role("button", name="Primeira conversa", exact=True).click()
    expect(page.locator(USER)).to_have_text("Primeira conversa")
    page.get_by_role("button", name="Apagar a conversa Primeira conversa").click()
    expect(page.locator(USER)).to_have_count(0)
    page.reload()
    expect(page.get_by_role("button", name="Primeira conversa", exact=True)).to_have_count(0)


def test_a_persona_and_the_settings_go_with_the_question(page: Page, site: Site) -> None:
    asked = answer_with(page, "Arrr")
    open_tab(page, site, "chat")
    page.get_by_role("button", name="Ajustes da conversa").click()
    page.get_by_label("Instruções do sistema").fill("Responda em verso.")
    page.get_by_role("button", name="Personas").click()
    dialog = page.get_by_role("dialog", name="Personas")
    dialog.get_by_label("Nome").fill("Capitã de teste")
    dialog.get_by_label("Descrição").fill("Fala como quem comanda um navio.")
    dialog.get_by_role("button", name="Criar persona").click()
    expect(dialog.get_by_text("Capitã de teste").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Persona").click()
    page.get_by_role("option", name="Capitã de teste").first.click()
    say(page, "Olá!")
    expect(page.locator(BOT)).to_contain_text("Arrr")
    assert asked[0]["persona"]
    assert asked[0]["messages"][0] == {"role": "system", "content": "Responda em verso."}
    page.get_by_role("button", name="Ajustes da conversa").click()
    page.get_by_role("button", name="Personas").click()
    delete = dialog.get_by_role("button", name="Apagar a persona Capitã de teste")
    before = delete.count()
    delete.first.click()
    expect(delete).to_have_count(before - 1)


def test_a_service_that_is_down_is_named_and_tried_again(page: Page, site: Site) -> None:
    error = {
        "error": {
            "message": "svc-chat does not answer.",
            "type": "server_error",
            "param": None,
            "code": "service_down",
        }
    }
    page.route(COMPLETIONS, lambda route: route.fulfill(status=503, json=error, headers={"Retry-After": "2"}))
    open_tab(page, site, "chat")
    say(page, "Olá!")
    expect(page.get_by_role("alert")).to_contain_text("O serviço de conversa não está respondendo.")
    page.unroute(COMPLETIONS)
    answer_with(page, "de volta")
    expect(page.locator(BOT)).to_contain_text("de volta", timeout=10_000)
    expect(page.get_by_role("alert")).to_have_count(0)
