"""All documents are moved to another embedder on the page, against a real svc-rag that has two of them installed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from servicekit.hub.fake_hub import FakeHub
from tests.browser.bringing import finished
from tests.browser.browser import WIDE, chromium, open_tab, sign_in
from tests.browser.small import SmallStack, small_stack
from tests.random_embedders import WORDS, bert, sentence_transformers

pytestmark = [pytest.mark.browser, pytest.mark.model]
SLOW, QUICK, BUILT_IN = "me/slow", "me/quick", "hashing"
PASSAGES = 160
"""Several batches of the move, so that there is a between to pause in."""
WITHIN_MS = 120_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    folder = tmp_path_factory.mktemp("embedder")
    served = {
        SLOW: sentence_transformers(bert(folder / "slow", width=768), pooling="mean_tokens"),
        QUICK: sentence_transformers(bert(folder / "quick"), pooling="mean_tokens"),
    }
    with FakeHub(served) as hub:
        told = {
            "HF_ENDPOINT": hub.url,
            "RAG_EMBEDDER": BUILT_IN,
            "RAG_CHUNK_CHARS": "200",
            "RAG_CHUNK_OVERLAP_CHARS": "0",
        }
        with small_stack(folder / "data", name="svc-rag", told=told) as running:
            yield running


@pytest.fixture
def client(stack: SmallStack) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.site.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def page(stack: SmallStack) -> Iterator[Page]:
    with chromium() as browser:
        context = browser.new_context(viewport=WIDE, locale="pt-BR")
        sign_in(context, stack.site)
        yield context.new_page()


def fill(client: httpx.Client) -> None:
    """Install both embedders and bring a document of many passages."""
    for name in (SLOW, QUICK):
        answer = client.post("/v1/models/install", json={"id": name, "service": "rag"}).raise_for_status()
        finished(client, answer.json()["id"])
    lines = (f"{' '.join(WORDS[(n + i) % 30] for i in range(30))} number {n}." for n in range(PASSAGES))
    files = {"file": ("long.txt", "\n\n".join(lines).encode())}
    finished(client, client.post("/v1/documents", files=files).raise_for_status().json()["id"])


def choose(page: Page, before: str, name: str) -> None:
    """Choose another embedder in the list."""
    chosen = page.get_by_role("combobox", name="Os documentos estão indexados com")
    expect(chosen).to_have_value(before, timeout=WITHIN_MS)
    chosen.click()
    page.get_by_role("option", name=name, exact=True).click()


def in_use(client: httpx.Client) -> str:
    return str(client.get("/v1/embedder").raise_for_status().json()["model"])


def test_the_documents_move_to_another_embedder_on_the_page_and_a_refusal_is_told(
    page: Page, stack: SmallStack, client: httpx.Client
) -> None:
    fill(client)
    open_tab(page, stack.site, "models")
    section = page.get_by_role("region", name="Busca por significado")
    move = section.locator("[data-move]")

    choose(page, BUILT_IN, SLOW)
    section.get_by_role("button", name="Pausar").click()
    expect(move).to_contain_text(re.compile(rf"\d+ % · {SLOW}: \d+ de \d+ trechos · pausado"))
    assert in_use(client) == BUILT_IN, "the old one answers until all have moved"
    section.get_by_role("button", name="Continuar").click()
    expect(move).to_have_count(0, timeout=WITHIN_MS)
    expect(section.get_by_role("combobox")).to_have_value(SLOW)
    assert in_use(client) == SLOW

    client.delete(f"/v1/models/{QUICK}").raise_for_status()  # behind the page's back
    choose(page, SLOW, QUICK)
    expect(section.get_by_role("alert")).to_contain_text("Este modelo não está instalado.")
    expect(section.get_by_role("alert")).to_contain_text(QUICK)
    section.get_by_role("alert").get_by_role("button", name="Fechar").click()
    expect(section.get_by_role("alert")).to_have_count(0)
    assert in_use(client) == SLOW
