"""Hostile text in the chat, in a real browser: no execution, no request to anybody else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.hostile import CORPUS, NAME, unharmed, watch

pytestmark = pytest.mark.browser
USER, BOT = "[data-role=user]", "[data-role=assistant]"


def ask(page: Page, text: str) -> None:
    page.get_by_label("Mensagem", exact=True).fill(text)
    page.keyboard.press("Enter")


def test_a_models_answer_never_runs_and_never_calls_out(chat: Page) -> None:
    seen = watch(chat)
    for count, text in enumerate(CORPUS, start=1):
        ask(chat, f"diga: {text}")
        expect(chat.locator(f"{BOT} .bubble-foot")).to_have_count(count, timeout=60_000)
    bubbles = chat.locator(f"{BOT} .markdown")
    assert (
        bubbles.locator(
            "script, iframe, img, object, embed, form, style, link, base, meta, video, svg[onload]"
        ).count()
        == 0
    )
    for href in bubbles.locator("a").evaluate_all("links => links.map(link => link.href)"):
        assert href.startswith(("http://", "https://")), href
    for link in bubbles.get_by_text("clique").all():
        link.click()
    assert unharmed(chat, seen)
    chat.reload()
    expect(chat.locator(BOT).first).to_be_visible()
    assert unharmed(chat, seen)


def test_hostile_questions_and_titles_are_shown_as_they_are(chat: Page) -> None:
    seen = watch(chat)
    ask(chat, NAME)
    expect(chat.locator(USER)).to_have_text(NAME)
    row = chat.get_by_role("button", name=NAME, exact=True)
    expect(row).to_be_visible()
    chat.get_by_role("button", name=f"Opções da conversa {NAME}").click()
    chat.get_by_role("menuitem", name="Apagar").click()
    expect(chat.get_by_role("dialog")).to_contain_text(NAME)
    assert unharmed(chat, seen)
