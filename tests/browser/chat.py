"""What the tests of the chat do again and again."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

USER, BOT = "[data-role=user]", "[data-role=assistant]"
DONE = f"{BOT} .bubble-foot"
"""The foot of an answer that has ended."""


def say(page: Page, text: str) -> None:
    """Write a message and send it."""
    page.locator(".composer textarea:visible").fill(text)
    page.keyboard.press("Enter")


def answer(page: Page) -> Locator:
    """Return the text of the answers."""
    return page.locator(f"{BOT} .markdown")
