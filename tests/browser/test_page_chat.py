"""The chat as the documents describe it: bubbles, waiting, Enter, empty input, line breaks, scrolling, settings."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.browser import open_tab
from tests.browser.chat import BOT, DONE, USER, answer, say
from tests.browser.conftest import NewPage
from tests.browser.small import MODEL, SmallStack, counted

pytestmark = pytest.mark.browser
NOT_AT_END = "box => box.scrollHeight - box.scrollTop - box.clientHeight"


def test_the_question_stands_there_at_once_and_the_bot_is_analisando(chat: Page) -> None:
    say(chat, "conte 2 a cada 4000")
    expect(chat.locator(USER)).to_have_text("conte 2 a cada 4000")
    expect(chat.locator(BOT)).to_have_text("Analisando ...")
    expect(chat.get_by_label("Mensagem", exact=True)).to_have_value("")
    expect(answer(chat)).to_have_text("1 2")
    expect(chat.locator(DONE)).to_have_count(1)


def test_the_bot_is_thinking_in_english(new_chat: NewPage, small: SmallStack) -> None:
    page = new_chat(locale="en-US")
    open_tab(page, small.site, "chat")
    say(page, "conte 1 a cada 2000")
    expect(page.locator(BOT)).to_have_text("Thinking ...")
    expect(answer(page)).to_have_text("1")


@pytest.mark.parametrize("nothing", ["", "   ", "\n\n"])
def test_empty_input_is_ignored(chat: Page, nothing: str) -> None:
    sent: list[str] = []
    chat.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    say(chat, nothing)
    chat.get_by_role("button", name="Enviar").click()
    expect(chat.locator(USER)).to_have_count(0)
    assert sent == []


def test_shift_enter_breaks_the_line_and_line_breaks_are_kept(chat: Page, small: SmallStack) -> None:
    box = chat.get_by_label("Mensagem", exact=True)
    box.press_sequentially("diga: um")
    box.press("Shift+Enter")
    box.press_sequentially("dois")
    box.press("Shift+Enter")
    box.press("Shift+Enter")
    box.press_sequentially("três")
    box.press("Enter")
    expect(chat.locator(USER)).to_have_text("diga: um\ndois\n\ntrês")
    assert chat.locator(USER).inner_text() == "diga: um\ndois\n\ntrês"
    expect(answer(chat).locator("p")).to_have_count(2)
    assert answer(chat).inner_text().split() == ["um", "dois", "três"]
    assert "um\ndois" in answer(chat).inner_text()
    assert small.asked[-1]["messages"][-1] == {"role": "user", "content": "diga: um\ndois\n\ntrês"}


def test_the_page_follows_the_end_unless_the_reader_went_up(chat: Page) -> None:
    say(chat, "diga: " + "linha\n\n" * 80)
    expect(chat.locator(DONE)).to_have_count(1)
    messages = chat.get_by_role("log")
    until_at_end(messages)
    say(chat, "conte 40 a cada 100")
    expect(chat.locator(BOT).nth(1)).to_contain_text("1 2 3")
    until_at_end(messages)
    messages.evaluate("box => { box.scrollTop = 0 }")
    expect(chat.locator(DONE)).to_have_count(2, timeout=60_000)
    assert messages.evaluate("box => box.scrollTop") == 0
    chat.get_by_role("button", name="Ir para o fim").click()
    expect(chat.get_by_role("button", name="Ir para o fim")).to_have_count(0)
    until_at_end(messages)


def until_at_end(messages: Locator) -> None:
    """Wait until the page has followed: it does so after it has drawn what is new."""
    deadline = time.monotonic() + 60
    while messages.evaluate(NOT_AT_END) >= 5:
        assert time.monotonic() < deadline, "it stays above the end"
        messages.page.wait_for_timeout(50)


def test_stop_ends_the_answer_on_the_server(chat: Page, small: SmallStack) -> None:
    say(chat, "conte 900 a cada 50")
    expect(chat.locator(BOT)).to_contain_text("1 2 3")
    chat.get_by_role("button", name="Parar").click()
    expect(chat.locator(DONE)).to_contain_text("interrompida")
    expect(chat.get_by_role("button", name="Enviar")).to_be_visible()
    listed = chat.request.get(f"{small.site.url}/v1/conversations?limit=1").json()["data"][0]
    assert listed["response_in_progress"] is None
    kept = answer(chat).inner_text()
    assert 3 < len(kept.split()) < 900
    chat.reload()
    expect(answer(chat)).to_have_text(kept)
    expect(chat.locator(DONE)).to_contain_text("interrompida")


def test_an_answer_stopped_before_it_began_can_be_asked_for_again(chat: Page) -> None:
    say(chat, "conte 2 a cada 6000")
    chat.get_by_role("button", name="Parar").click()
    expect(chat.get_by_text("A resposta foi interrompida antes de começar.")).to_be_visible()
    expect(chat.locator(BOT)).to_have_count(0)
    chat.get_by_role("button", name="Responder de novo").click()
    expect(answer(chat)).to_have_text("1 2", timeout=60_000)
    expect(chat.locator(USER)).to_have_count(1)


def test_an_answer_can_be_copied_and_asked_for_again_and_tells_how_it_was_made(
    new_chat: NewPage, small: SmallStack
) -> None:
    page = new_chat(permissions=["clipboard-read", "clipboard-write"])
    open_tab(page, small.site, "chat")
    say(page, "diga: **forte**")
    expect(page.locator(DONE)).to_have_text(re.compile(rf"1 token · [\d.]+ tokens/s · {MODEL}"))
    page.locator(BOT).get_by_role("button", name="Copiar").click()
    assert page.evaluate("navigator.clipboard.readText()") == "**forte**"
    page.get_by_role("button", name="Responder de novo").click()
    expect(page.locator("[data-pending]")).to_have_count(0)
    expect(page.locator(DONE)).to_have_count(1)
    expect(page.locator(USER)).to_have_count(1)
    assert [len(body["messages"]) for body in small.asked[-2:]] == [1, 1]


def test_the_last_question_can_be_put_in_other_words(chat: Page, small: SmallStack) -> None:
    say(chat, "diga: primeira")
    expect(chat.locator(DONE)).to_have_count(1)
    say(chat, "diga: errada")
    expect(chat.locator(DONE)).to_have_count(2)
    chat.get_by_role("button", name="Editar a pergunta").click()
    expect(chat.get_by_label("Mensagem", exact=True)).to_have_value("diga: errada")
    say(chat, "diga: certa")
    expect(answer(chat).last).to_have_text("certa")
    expect(chat.locator(DONE)).to_have_count(2)
    assert [turn["content"] for turn in small.asked[-1]["messages"]] == [
        "diga: primeira",
        "primeira",
        "diga: certa",
    ]
    chat.reload()
    expect(chat.locator(USER)).to_have_text(["diga: primeira", "diga: certa"])


def test_a_persona_and_the_settings_go_with_the_question(chat: Page, small: SmallStack) -> None:
    bodies: list[dict] = []
    chat.on(
        "request",
        lambda request: (
            bodies.append(request.post_data_json) if request.url.endswith("/v1/responses") else None
        ),
    )
    chat.get_by_role("button", name="Ajustes da conversa").click()
    chat.get_by_label("Instruções do sistema").fill("Responda em verso.")
    for name in ("temperatura", "top-p", "top-k"):
        chat.get_by_role("switch", name=f"Escolher {'a' if name == 'temperatura' else 'o'} {name}").click()
    chat.get_by_label("Máximo de tokens").fill("64")
    chat.get_by_role("slider", name="Top-k").press("ArrowRight")
    chat.get_by_role("button", name="Personas").click()
    dialog = chat.get_by_role("dialog", name="Personas")
    dialog.get_by_label("Nome").fill("Capitã de teste")
    dialog.get_by_label("Descrição").fill("Fala como quem comanda um navio.")
    dialog.get_by_role("button", name="Criar persona").click()
    expect(dialog.get_by_text("Capitã de teste").first).to_be_visible()
    chat.keyboard.press("Escape")
    chat.get_by_role("combobox", name="Persona").click()
    chat.get_by_role("option", name="Capitã de teste").first.click()
    say(chat, "diga: Arrr")
    expect(answer(chat)).to_have_text("Arrr")
    told = {name: bodies[0][name] for name in ("temperature", "top_p", "top_k", "max_output_tokens")}
    assert told == {"temperature": 0.8, "top_p": 0.95, "top_k": 41, "max_output_tokens": 64}
    system = small.asked[-1]["messages"][0]
    assert system["role"] == "system"
    assert "Capitã de teste" in system["content"]
    assert "Responda em verso." in system["content"]
    persona = chat.get_by_role("combobox", name="Persona")
    chat.get_by_role("button", name="Nova conversa").click()
    persona.click()
    chat.get_by_role("option", name="Capitã de teste").first.click()
    expect(persona).to_have_value("")
    chat.get_by_role("button", name="diga: Arrr", exact=True).first.click()
    expect(persona).to_have_value("Capitã de teste")


def test_the_chat_counts_in_english_too(new_chat: NewPage, small: SmallStack) -> None:
    page = new_chat(locale="en-GB")
    open_tab(page, small.site, "chat")
    say(page, "conte 30 a cada 40")
    expect(answer(page)).to_have_text(counted(30), timeout=60_000)
    expect(page.locator(DONE)).to_contain_text("30 tokens")
    page.get_by_role("button", name="Chat settings").click()
    for label in ("Choose the temperature", "Choose top-p", "Choose top-k", "Most tokens"):
        expect(page.get_by_text(label)).to_be_visible()
