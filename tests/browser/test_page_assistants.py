"""Assistants on the page: made, talked to, found again after the page was closed, deleted; personas become some."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browser import open_tab
from tests.browser.conftest import NewPage
from tests.browser.small import MODEL, SmallStack, counted

pytestmark = pytest.mark.browser
SLOW_MS = 60_000
ASSISTANT, DONE = "li[data-assistant]", "[data-run=completed]"


def button(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def make(page: Page, name: str) -> None:
    button(page, "Novo assistente")
    form = page.get_by_role("dialog")
    form.get_by_label("Nome").fill(name)
    form.get_by_label("Instruções", exact=True).fill("Conte devagar.")
    form.get_by_role("button", name="Salvar").click()
    expect(form).to_have_count(0)
    expect(page.locator(ASSISTANT).filter(has_text=name)).to_be_visible()


def ask(page: Page, text: str) -> None:
    page.get_by_label("Mensagem", exact=True).locator("visible=true").fill(text)
    page.keyboard.press("Enter")


def test_an_assistant_is_made_answers_and_is_there_after_the_page_was_closed(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat(locale="pt-BR")
    open_tab(page, small.site, "assistants")
    make(page, "Contadora")
    ask(page, "conte 12 a cada 1")
    expect(page.locator("[data-tab=assistants] [data-role=assistant]").last).to_contain_text(
        counted(12), timeout=SLOW_MS
    )
    expect(page.locator(DONE)).to_contain_text(MODEL, timeout=SLOW_MS)
    again = page.context.new_page()
    page.close()
    open_tab(again, small.site, "assistants")
    expect(again.locator("[data-tab=assistants] [data-role=user]")).to_have_text(
        "conte 12 a cada 1", timeout=SLOW_MS
    )
    expect(again.locator("[data-tab=assistants] [data-role=assistant]")).to_contain_text(counted(12))


def test_a_run_goes_on_while_the_page_is_closed_and_is_stopped_on_request(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat(locale="pt-BR")
    open_tab(page, small.site, "assistants")
    make(page, "Paciente")
    ask(page, "conte 900 a cada 80")
    expect(page.locator("[data-pending=in_progress]")).to_contain_text("1 2 3", timeout=SLOW_MS)
    again = page.context.new_page()
    page.close()
    open_tab(again, small.site, "assistants")
    expect(again.locator("[data-run=in_progress]")).to_be_visible(timeout=SLOW_MS)
    button(again, "Parar")
    expect(again.locator("[data-run=cancelled]")).to_be_visible(timeout=SLOW_MS)


def test_deleting_an_assistant_and_its_conversation_asks_first(new_chat: NewPage, small: SmallStack) -> None:
    page = new_chat(locale="pt-BR")
    open_tab(page, small.site, "assistants")
    make(page, "Passageira")
    ask(page, "conte 3 a cada 1")
    expect(page.locator(DONE)).to_be_visible(timeout=SLOW_MS)
    button(page, "Apagar a conversa")
    page.get_by_role("dialog").get_by_role("button", name="Apagar", exact=True).click()
    expect(page.locator("[data-tab=assistants] [data-role=user]")).to_have_count(0)
    button(page, "Opções do assistente Passageira")
    page.get_by_role("menuitem", name="Apagar").click()
    page.get_by_role("dialog").get_by_role("button", name="Apagar", exact=True).click()
    expect(page.locator(ASSISTANT).filter(has_text="Passageira")).to_have_count(0)


def test_a_file_of_personas_becomes_assistants_and_a_wrong_one_says_so(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat(locale="pt-BR")
    open_tab(page, small.site, "assistants")
    rows = {
        "personas": [
            {"name": "Pirata", "description": "Fala como pirata."},
            {"name": "Poeta", "description": "Rima."},
        ]
    }
    files = page.locator("[data-tab=assistants] input[type=file][accept*=json]")
    files.set_input_files(
        {"name": "p.json", "mimeType": "application/json", "buffer": json.dumps(rows).encode()}
    )
    for name in ("Pirata", "Poeta"):
        expect(page.locator(ASSISTANT).filter(has_text=name)).to_be_visible()
    files.set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": b"[]"})
    expect(page.get_by_role("alert")).to_contain_text("personas")
