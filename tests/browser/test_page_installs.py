"""A model is installed on the page while its service is killed twice: it goes on by itself, and the model is used."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from servicekit.hub import Shelf
from servicekit.hub.fake_hub import FakeHub
from tests.browser.bringing import ALL, REPO, Brought
from tests.browser.browser import WIDE, chromium, open_tab, sign_in
from tests.browser.small import SmallStack, small_stack

pytestmark = pytest.mark.browser
FETCH_S = 10.0
"""How long the hub takes for all bytes; the kills and the starts come on top."""
KILL_AT_PERCENT = (15, 45)
WITHIN_S = 120


def percent_of(page: Page) -> float:
    """Return how far the page says the install is; -1 while it says nothing."""
    shown = page.locator("[data-install]").all_text_contents()
    found = re.match(r"(\d+) %", shown[0]) if shown else None
    return float(found[1]) if found else -1


def wait(page: Page, until: Callable[[], bool], what: str) -> None:
    """Wait while the page lives on."""
    deadline = time.monotonic() + WITHIN_S
    while not until():
        assert time.monotonic() < deadline, what
        page.wait_for_timeout(50)


def ask_for(page: Page, stack: SmallStack, brought: Brought) -> None:
    """Look at the repository and install it, as a person does."""
    open_tab(page, stack.site, "models")
    expect(page.locator("[data-model]").first).to_be_visible(timeout=60_000)
    page.wait_for_load_state("networkidle")  # a list that is still growing moves the form
    page.get_by_label("Outro modelo do hub").fill(REPO)
    if brought.work != "conversa":  # which is chosen to begin with
        page.get_by_role("combobox", name="Usar para").click()
        page.get_by_role("option", name=brought.work, exact=True).filter(visible=True).click()
    page.get_by_role("button", name="Ver se cabe").click()
    plan = page.locator("[data-fit]")
    expect(plan).to_be_visible(timeout=60_000)
    plan.get_by_role("button", name="Instalar").click()


def kill_twice(page: Page, stack: SmallStack, brought: Brought) -> None:
    """Kill the service while bytes flow and start it again, at two places of the way."""
    for at in KILL_AT_PERCENT:
        wait(page, lambda at=at: percent_of(page) >= at, f"{at} % were never shown")  # type: ignore[misc]
        before = percent_of(page)
        assert before < 100
        stack.end(brought.service, signal.SIGKILL)
        assert Shelf(stack.data_dir / "models").models() == [], "half a model has a name"
        assert percent_of(page) >= 0, "the page forgot the install when the service died"
        stack.start_service(brought.service, ready=False)  # it installs while its models are still loading
        wait(page, lambda seen=before: not 0 <= percent_of(page) <= seen, "the install does not go on")  # type: ignore[misc]


def install_and_use(folder: Path, brought: Brought) -> None:
    """Install on the page, the service being killed twice, and use the model without another start."""
    files = brought.files(folder / "repository")
    total = sum(map(len, files.values()))
    with FakeHub({REPO: files}) as hub:
        told = {"HF_ENDPOINT": hub.url, **brought.told}
        with small_stack(folder / "data", name=brought.service, told=told) as stack, chromium() as browser:
            context = browser.new_context(viewport=WIDE, locale="pt-BR")
            sign_in(context, stack.site)
            page = context.new_page()
            hub.faults.bytes_per_s = total / FETCH_S
            ask_for(page, stack, brought)
            kill_twice(page, stack, brought)
            card = page.locator(f"[data-model='{brought.model_id}']")
            expect(card).to_contain_text(re.compile("Carregar|Tirar da memória"), timeout=WITHIN_S * 1000)
            expect(page.locator("[data-install]")).to_have_count(0)
            (model,) = Shelf(stack.data_dir / "models").models()
            assert all((model.path / file.name).stat().st_size == file.size for file in model.files)
            assert hub.sent_bytes < 2.5 * total, "what was there was fetched again"
            stack.until_ready(brought.service)  # its own models may still be loading
            headers = {"Authorization": f"Bearer {stack.api_key}"}
            with httpx.Client(base_url=stack.site.url, headers=headers, timeout=WITHIN_S) as client:
                brought.use(client, brought.model_id)


def test_an_install_on_the_page_survives_two_kills_of_its_service(tmp_path: Path) -> None:
    install_and_use(tmp_path, ALL[0])


@pytest.mark.chaos
@pytest.mark.model
@pytest.mark.timeout(600)
@pytest.mark.parametrize("brought", ALL, ids=lambda brought: brought.service)
def test_every_services_install_survives_two_kills(tmp_path: Path, brought: Brought) -> None:
    install_and_use(tmp_path, brought)
