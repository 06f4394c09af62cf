"""What the browser tests share: where the page is, a session, pages that watch what they ask for."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.browser import WIDE, Site, chromium, open_tab, sign_in, site_of_environment
from tests.browser.small import SmallStack, small_stack

NewPage = Callable[..., Page]
# a browser, a stack and what the machine does beside them share its processors
expect.set_options(timeout=60_000)


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
    with watched_pages(browser, session_cookies, site) as make:
        yield make


@contextmanager
def watched_pages(browser: Browser, cookies: list[Any], site: Site) -> Iterator[NewPage]:
    """Give what makes signed-in pages; afterwards none of them may have asked anybody but `site`."""
    contexts = []
    foreign: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((site.url, "blob:", "data:")):
            foreign.append(request.url)

    def make(*, signed_in: bool = True, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": WIDE, "locale": "pt-BR", **options})
        if signed_in:
            context.add_cookies(cookies)
        context.set_default_timeout(90_000)
        context.on("request", note)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert foreign == []


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    """The gateway, svc-chat and the page, with a model that writes at the pace its question names."""
    with small_stack(tmp_path_factory.mktemp("small")) as stack:
        yield stack


@pytest.fixture(scope="session")
def small_cookies(small: SmallStack) -> list[Any]:
    """A session at the small stack."""
    with chromium() as browser:
        context = browser.new_context()
        sign_in(context, small.site)
        return context.cookies()


@pytest.fixture(scope="module")
def small_browser(small_cookies: list[Any]) -> Iterator[Browser]:
    """A running Chromium for the small stack."""
    with chromium() as running:
        yield running


@pytest.fixture
def new_chat(small_browser: Browser, small_cookies: list[Any], small: SmallStack) -> Iterator[NewPage]:
    """Make pages as `new_page` does, of the small stack."""
    with watched_pages(small_browser, small_cookies, small.site) as make:
        yield make


@pytest.fixture
def chat(new_chat: NewPage, small: SmallStack) -> Page:
    """A wide page in Portuguese on the chat tab of the small stack."""
    page = new_chat()
    open_tab(page, small.site, "chat")
    return page


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
