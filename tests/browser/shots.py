"""Take a picture of every tab: wide and narrow, both languages, light and dark, into `shots/`.

Run `python -m tests.browser.shots` with the environment of the browser tests, and look at them.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.browser import NARROW, TABS, WIDE, chromium, open_tab, sign_in, site_of_environment

FOLDER = Path(__file__).parent / "shots"
SIZES = {"wide": WIDE, "narrow": NARROW}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def main(tabs: list[str]) -> None:
    """Write `<tab>-<size>-<language>-<scheme>.png` for each combination."""
    FOLDER.mkdir(exist_ok=True)
    site = site_of_environment()
    with chromium() as browser:
        first = browser.new_context()
        sign_in(first, site)
        cookies = first.cookies()
        for size, language, scheme in itertools.product(SIZES, ("pt-BR", "en"), ("light", "dark")):
            _one_look(browser, cookies, tabs, size, language, scheme)


def _one_look(
    browser: Browser, cookies: list, tabs: list[str], size: str, language: str, scheme: str
) -> None:
    context = browser.new_context(viewport=SIZES[size], locale=language, color_scheme=scheme)  # type: ignore[arg-type]
    context.add_cookies(cookies)
    page = context.new_page()
    for tab in tabs:
        open_tab(page, site_of_environment(), tab)
        _settle(page)
        page.screenshot(path=FOLDER / f"{tab}-{size}-{language}-{scheme}.png")
        if page.evaluate(OVERFLOW) > 0:
            print(f"{tab} {size} {language}: the page scrolls sideways")
    context.close()


def _settle(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    # a tab of the page that is open begins to load after its heading is there
    expect(page.locator(".mantine-Loader-root")).to_have_count(0, timeout=60_000)


if __name__ == "__main__":
    main(sys.argv[1:] or list(TABS))
