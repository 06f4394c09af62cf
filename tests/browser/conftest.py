"""What the browser tests share: where the page is, a session, pages that watch what they ask for."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, Request

from tests.browser.browser import WIDE, Site, chromium, sign_in, site_of_environment

NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    """The page of a running system that the environment names, else of the stack of the tests."""
    if os.environ.get("OFICINA_TOKEN") or os.environ.get("OWNER_PASSWORD"):
        return site_of_environment()
    stack = request.getfixturevalue("stack")
    token = stack.link.partition("token=")[2] or None
    return Site(stack.url, token, stack.username or None, stack.password or None)


@pytest.fixture(scope="session")
def session_cookies(site: Site) -> list[Any]:
    """Sign in once: a one-time link works once, and only few passwords a minute are evaluated."""
    with chromium() as browser:
        context = browser.new_context()
        sign_in(context, site)
        return context.cookies()


# A module at a time: the synchronous Playwright holds an event loop, which must be gone before
# asynchronous tests of other folders run. The cookies come first because two cannot be nested.
@pytest.fixture(scope="module")
def browser(session_cookies: list[Any]) -> Iterator[Browser]:
    """A running Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture
def new_page(browser: Browser, session_cookies: list[Any], site: Site) -> Iterator[NewPage]:
    """Make signed-in pages; afterwards none of them may have asked anybody but the gateway."""
    contexts = []
    foreign: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((site.url, "blob:", "data:")):
            foreign.append(request.url)

    def make(*, signed_in: bool = True, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": WIDE, "locale": "pt-BR", **options})
        if signed_in:
            context.add_cookies(session_cookies)
        context.on("request", note)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert foreign == []


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A wide page in Portuguese."""
    return new_page()


@pytest.fixture(scope="session")
def red_circle() -> dict[str, Any]:
    """A picture as the file chooser takes it: a large red circle on a blue background."""
    image = Image.new("RGB", (256, 256), (40, 80, 200))
    ImageDraw.Draw(image).ellipse((58, 58, 198, 198), fill=(210, 40, 40))
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"name": "círculo.png", "mimeType": "image/png", "buffer": file.getvalue()}
