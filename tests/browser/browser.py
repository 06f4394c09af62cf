"""Owns starting Chromium and signing in; knows nothing about what is looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1366, "height": 900}
TABS = (
    "chat",
    "images",
    "vision",
    "translate",
    "speech",
    "documents",
    "assistants",
    "training",
    "browser",
    "models",
    "status",
)


@dataclass(frozen=True)
class Site:
    """Where the page is and how to sign in: a one-time token, or a name and a password."""

    url: str
    token: str | None
    username: str | None
    password: str | None


def site_of_environment() -> Site:
    """Read OFICINA_URL and OFICINA_TOKEN, or OWNER_USERNAME and OWNER_PASSWORD."""
    return Site(
        url=os.environ.get("OFICINA_URL", "http://127.0.0.1:8001").rstrip("/"),
        token=os.environ.get("OFICINA_TOKEN"),
        username=os.environ.get("OWNER_USERNAME"),
        password=os.environ.get("OWNER_PASSWORD"),
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium, or the one that CHROMIUM_PATH names."""
    path = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


def sign_in(context: BrowserContext, site: Site) -> None:
    """Leave a session in the context, so that every page opened from it is signed in."""
    page = context.new_page()
    if site.username and site.password:
        page.goto(site.url)
        fill_login(page, site.username, site.password)
    else:
        page.goto(f"{site.url}/#token={site.token}")
    expect(page.locator("#main")).to_be_visible(timeout=90_000)
    page.close()


def fill_login(page: Page, username: str, password: str) -> None:
    """Fill in the login form and send it."""
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(password)
    page.locator("button[type=submit]").click()


def open_tab(page: Page, site: Site, tab: str) -> None:
    """Go to a tab by its link and wait until it is there."""
    page.goto(f"{site.url}/#/{tab}")
    expect(page.locator(f"section[data-tab={tab}] h1")).to_be_visible(timeout=60_000)
