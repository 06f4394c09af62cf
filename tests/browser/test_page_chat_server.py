"""The server owns conversations and answers: closed tabs, lost connections, several windows, failures, the queue."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.browser import open_tab
from tests.browser.chat import BOT, DONE, USER, answer, say
from tests.browser.conftest import NewPage
from tests.browser.small import MODEL, SmallStack, counted

pytestmark = pytest.mark.browser
SLOW_MS = 60_000


@pytest.fixture
def api(small: SmallStack) -> Iterator[httpx.Client]:
    """Another program of the same owner."""
    login = {"username": small.site.username, "password": small.site.password}
    token = httpx.post(f"{small.site.url}/auth/login", json=login, timeout=60).json()["access_token"]
    with httpx.Client(
        base_url=small.site.url, headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as client:
        yield client


def reopened(page: Page, small: SmallStack) -> Page:
    """Close the tab and open the page again in the same browser."""
    context = page.context
    page.close()
    again = context.new_page()
    open_tab(again, small.site, "chat")
    return again


@pytest.mark.parametrize("language", ["pt-BR", "en-US"])
def test_a_tab_closed_in_mid_answer_finds_the_whole_answer(
    new_chat: NewPage, small: SmallStack, language: str
) -> None:
    page = new_chat(locale=language)
    open_tab(page, small.site, "chat")
    say(page, "conte 350 a cada 50")
    expect(page.locator(BOT)).to_contain_text("1 2 3 4 5")
    again = reopened(page, small)
    expect(answer(again)).to_contain_text("1 2 3 4 5")
    expect(again.locator("[data-pending=writing]")).to_be_visible()
    expect(again.locator(DONE)).to_have_count(1, timeout=SLOW_MS)
    expect(answer(again)).to_have_text(counted(350))
    assert again.locator(USER).count() == 1


def test_an_answer_that_ended_while_no_tab_was_open_is_there(
    chat: Page, small: SmallStack, api: httpx.Client
) -> None:
    say(chat, "conte 40 a cada 50")
    expect(chat.locator(BOT)).to_contain_text("1 2 3")
    context = chat.context
    chat.close()
    newest = api.get("/v1/conversations", params={"limit": 1}).json()["data"][0]
    if running := newest["response_in_progress"]:  # else it has ended by now
        events = api.get(f"/v1/responses/{running}", params={"stream": "true"})
        assert "response.completed" in events.text
    again = context.new_page()
    open_tab(again, small.site, "chat")
    expect(answer(again)).to_have_text(counted(40))
    expect(again.locator(DONE)).to_have_count(1)


def test_another_browser_and_a_second_tab_follow_the_same_answer(
    chat: Page, new_chat: NewPage, small: SmallStack
) -> None:
    say(chat, "diga: começo")
    expect(chat.locator(DONE)).to_have_count(1)
    second = chat.context.new_page()
    open_tab(second, small.site, "chat")
    expect(second.locator(DONE)).to_have_count(1)
    other = new_chat()
    open_tab(other, small.site, "chat")
    say(chat, "conte 400 a cada 60")
    expect(second.locator("[data-pending=writing]")).to_contain_text("1 2 3")
    expect(second.locator(USER)).to_have_count(2)
    other.reload()
    other.locator(".history li button").first.click()
    expect(other.locator("[data-pending=writing]")).to_contain_text("1 2 3")
    for page in (chat, second, other):
        expect(page.locator(DONE)).to_have_count(2, timeout=SLOW_MS)
        expect(answer(page).last).to_have_text(counted(400))


def test_a_lost_connection_is_told_and_taken_up_where_it_broke(chat: Page, small: SmallStack) -> None:
    say(chat, "conte 200 a cada 60")
    expect(chat.locator(BOT)).to_contain_text("1 2 3 4 5")
    small.end("gateway", signal.SIGKILL)
    expect(chat.get_by_role("status").get_by_text("Reconectando…")).to_be_visible()
    expect(chat.locator(BOT)).to_contain_text("1 2 3 4 5")
    asked: list[str] = []
    chat.on("request", lambda request: asked.append(request.url))
    small.start_service("gateway")
    expect(chat.locator(DONE)).to_have_count(1, timeout=SLOW_MS)
    expect(answer(chat)).to_have_text(counted(200))
    expect(chat.get_by_role("status")).to_have_count(0)
    followed = [url for url in asked if "starting_after=" in url]
    assert followed
    assert all(int(url.rpartition("=")[2]) > 0 for url in followed)


def test_a_service_that_stands_still_while_no_tab_is_open_loses_nothing(
    chat: Page, small: SmallStack
) -> None:
    say(chat, "conte 60 a cada 50")
    expect(chat.locator(BOT)).to_contain_text("1 2 3")
    small.send("svc-chat", signal.SIGSTOP)
    try:
        context = chat.context
        chat.close()
    finally:
        small.send("svc-chat", signal.SIGCONT)
    again = context.new_page()
    open_tab(again, small.site, "chat")
    expect(again.locator(DONE)).to_have_count(1, timeout=SLOW_MS)
    expect(answer(again)).to_have_text(counted(60))


def test_an_answer_that_failed_says_why_also_later_and_can_be_asked_for_again(chat: Page) -> None:
    say(chat, "falhe depois de 30")
    alert = chat.get_by_role("alert")
    expect(alert).to_contain_text("O serviço de conversa", timeout=60_000)
    expect(answer(chat)).to_contain_text("1 2 3")
    chat.reload()
    expect(alert).to_contain_text("O serviço de conversa")
    alert.get_by_role("button", name="Tentar de novo").click()
    expect(chat.locator("[data-pending]")).to_be_visible()
    expect(alert).to_be_visible(timeout=60_000)
    expect(chat.locator(USER)).to_have_count(1)


def test_a_busy_server_is_told_in_words_and_asked_again_and_the_question_can_be_taken_back(
    chat: Page, small: SmallStack
) -> None:
    say(chat, "cheio")
    alert = chat.get_by_role("alert")
    expect(alert).to_contain_text("Pedidos demais")
    expect(alert).to_contain_text("nova tentativa em")
    expect(chat.locator(USER)).to_have_text("cheio")
    before = len(small.asked)
    chat.wait_for_event("request", lambda request: request.url.endswith("/v1/responses"))
    expect(alert).to_contain_text("nova tentativa em")
    assert len(small.asked) > before
    alert.get_by_role("button", name="Fechar").click()
    expect(chat.locator(USER)).to_have_count(0)
    expect(chat.get_by_label("Mensagem", exact=True)).to_have_value("cheio")


def test_a_question_that_could_not_be_sent_outlives_the_page(chat: Page) -> None:
    chat.route("**/v1/responses", lambda route: route.abort())
    say(chat, "diga: cheguei")
    expect(chat.get_by_role("alert")).to_contain_text("O servidor não responde.")
    chat.unroute("**/v1/responses")
    chat.close()
    again = chat.context.new_page()
    again.goto(chat.url)
    expect(again.locator(USER)).to_have_text("diga: cheguei")
    again.get_by_role("button", name="Tentar de novo").click()
    expect(answer(again)).to_have_text("cheguei")
    expect(again.locator(USER)).to_have_count(1)


def test_a_question_whose_receipt_was_lost_is_not_asked_twice(chat: Page, small: SmallStack) -> None:
    say(chat, "diga: antes")
    expect(chat.locator(DONE)).to_have_count(1)
    before = len(small.asked)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    chat.route("**/v1/responses", lose)
    say(chat, "diga: recebida")
    expect(answer(chat).last).to_have_text("recebida")
    expect(chat.get_by_role("alert")).to_have_count(0)
    expect(chat.locator(USER)).to_have_count(2)
    assert len(small.asked) == before + 1


def test_a_conversation_in_which_another_program_asks_is_locked_and_followed(
    chat: Page, api: httpx.Client
) -> None:
    say(chat, "diga: aqui")
    expect(chat.locator(DONE)).to_have_count(1)
    conversation = api.get("/v1/conversations", params={"limit": 1}).json()["data"][0]["id"]
    body = {"conversation": conversation, "input": "conte 200 a cada 80", "model": MODEL, "stream": True}
    with api.stream("POST", "/v1/responses", json=body):
        say(chat, "diga: eu também")
        expect(chat.get_by_role("alert")).to_contain_text("Já há uma resposta sendo escrita nesta conversa.")
        expect(chat.locator("[data-pending=writing]")).to_contain_text("1 2 3")
    expect(answer(chat).nth(1)).to_have_text(counted(200), timeout=SLOW_MS)
    chat.get_by_role("button", name="Tentar de novo").click()
    expect(answer(chat).nth(2)).to_have_text("eu também")


def test_an_answer_in_the_queue_says_so(chat: Page, api: httpx.Client) -> None:
    made = []
    for name in ("um", "dois", "na fila"):
        conversation = api.post("/v1/conversations", json={"metadata": {"title": name}}).json()["id"]
        body = {"conversation": conversation, "input": "conte 2000 a cada 50", "model": MODEL}
        made.append(api.post("/v1/responses", json={**body, "background": True}).json()["id"])
    chat.reload()
    chat.get_by_role("button", name="na fila", exact=True).click()
    expect(chat.locator(BOT)).to_have_text("Na fila ...")
    api.post(f"/v1/responses/{made[0]}/cancel")
    expect(chat.locator(BOT)).to_contain_text("1 2 3")
    for response in made[1:]:
        api.post(f"/v1/responses/{response}/cancel")


def test_conversations_are_kept_renamed_and_deleted(chat: Page, new_chat: NewPage, small: SmallStack) -> None:
    say(chat, "diga: guarde-me")
    expect(chat.locator(DONE)).to_have_count(1)
    chat.get_by_role("button", name="Nova conversa").click()
    expect(chat.locator(USER)).to_have_count(0)
    chat.get_by_role("button", name="Opções da conversa diga: guarde-me").click()
    chat.get_by_role("menuitem", name="Renomear").click()
    chat.get_by_role("textbox", name="Título").fill("Receitas")
    chat.get_by_role("dialog").get_by_role("button", name="Renomear").click()
    expect(chat.get_by_role("dialog")).to_have_count(0)
    other = new_chat()
    open_tab(other, small.site, "chat")
    other.get_by_role("button", name="Receitas", exact=True).click()
    expect(answer(other)).to_have_text("guarde-me")
    other.get_by_role("button", name="Opções da conversa Receitas").click()
    other.get_by_role("menuitem", name="Apagar").click()
    dialog = other.get_by_role("dialog", name="Apagar a conversa?")
    dialog.get_by_role("button", name="Cancelar").click()
    expect(answer(other)).to_have_text("guarde-me")
    other.get_by_role("button", name="Opções da conversa Receitas").click()
    other.get_by_role("menuitem", name="Apagar").click()
    dialog.get_by_role("button", name="Apagar").click()
    expect(other.locator(USER)).to_have_count(0)
    for page in (chat, other):
        page.reload()
        page.wait_for_load_state("networkidle")
        expect(page.get_by_role("button", name="Receitas", exact=True)).to_have_count(0)


def test_conversations_of_an_earlier_version_are_brought_to_the_server(
    chat: Page, small: SmallStack, api: httpx.Client
) -> None:
    owner = chat.request.get(f"{small.site.url}/auth/me").json()["id"]
    kept: list[dict[str, Any]] = [
        {"id": "b", "createdAt": 2, "messages": [message(n) for n in range(50)]},
        {
            "id": "a",
            "createdAt": 1,
            "messages": [{"id": "x", "role": "user", "content": "Pergunta antiga"}],
        },
    ]
    key = f"oficina.chat.{owner}"
    chat.evaluate("([key, value]) => localStorage.setItem(key, value)", [key, json.dumps(kept)])
    chat.reload()
    offer = chat.get_by_role("region", name="Conversas deste navegador")
    expect(offer).to_contain_text("2 conversas de uma versão anterior")
    offer.get_by_role("button", name="Levar para o servidor").click()
    expect(offer).to_have_count(0, timeout=60_000)
    chat.get_by_role("button", name="mensagem 0", exact=True).click()
    expect(chat.locator(f"{USER}, {BOT}")).to_have_count(50)
    expect(chat.locator(".history li button").nth(2)).to_have_text("Pergunta antiga")
    assert chat.evaluate("key => localStorage.getItem(key)", key) == "[]"
    newest = api.get("/v1/conversations", params={"limit": 1}).json()["data"][0]["id"]
    items = api.get(f"/v1/conversations/{newest}/items", params={"limit": 100, "order": "asc"}).json()["data"]
    assert [item["content"][0]["text"] for item in items] == [f"mensagem {n}" for n in range(50)]


def message(number: int) -> dict[str, str]:
    role = "assistant" if number % 2 else "user"
    return {"id": f"m{number}", "role": role, "content": f"mensagem {number}"}
