"""Text of models, documents and names in a real browser: no execution, no request to anybody else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browser import Site, open_tab
from tests.browser.hostile import CORPUS, NAME, RUN, unharmed, watch

pytestmark = pytest.mark.browser


def test_hostile_documents_stay_text(page: Page, site: Site) -> None:
    document = {
        "id": "doc_1",
        "title": NAME,
        "status": "ready",
        "size_bytes": 9,
        "pages": 1,
        "chunks": 1,
        "created_at": 1_760_000_000,
    }
    quote = CORPUS[0] + CORPUS[1]
    answer = {"answer": "\n\n".join(CORPUS), "found": True}
    answer["citations"] = [
        {"document_id": "doc_1", "title": NAME, "page": 1, "start": 0, "end": len(quote), "quote": quote}
    ]
    page.route("**/v1/documents", lambda route: route.fulfill(json={"data": [document]}))
    page.route(
        "**/v1/documents/doc_1/text", lambda route: route.fulfill(json={"text": quote + NAME, "pages": []})
    )
    page.route("**/ask/question", lambda route: route.fulfill(json=answer))
    seen = watch(page)
    open_tab(page, site, "documents")
    expect(page.locator("[data-document]")).to_contain_text(NAME)
    page.get_by_role("textbox", name="Pergunta").fill("x")
    page.keyboard.press("Enter")
    page.locator(".citation").click()
    expect(page.get_by_role("dialog").locator("mark")).to_have_text(quote)
    assert unharmed(page, seen)


def test_hostile_names_of_models_personas_and_jobs_stay_text(page: Page, site: Site) -> None:
    model = {
        "id": NAME,
        "task": "chat",
        "license": NAME,
        "service": "chat",
        "builtin": True,
        "languages": [NAME],
    }
    offer = {
        **model,
        "id": "b",
        "installed": False,
        "fits": False,
        "why_not": NAME,
        "good_for": {"pt-BR": NAME},
    }
    job = {
        "id": "job_1",
        "kind": NAME,
        "status": "completed",
        "result": {"data": [{"url": "javascript:" + RUN}]},
    }
    page.route("**/v1/models", lambda route: route.fulfill(json={"data": [model]}))
    page.route("**/v1/catalogue", lambda route: route.fulfill(json={"data": [offer]}))
    page.route(
        "**/v1/personas",
        lambda route: route.fulfill(json={"data": [{"id": "p", "name": NAME, "description": NAME}]}),
    )
    page.route("**/v1/jobs", lambda route: route.fulfill(json={"data": [job]}))
    seen = watch(page)
    for tab in ("chat", "models", "images", "status"):
        open_tab(page, site, tab)
        page.wait_for_load_state("networkidle")
    expect(page.locator("[data-job]")).to_contain_text(NAME)
    assert unharmed(page, seen)


def test_the_page_forbids_what_it_does_not_need(page: Page, site: Site) -> None:
    answer = page.goto(site.url)
    assert answer
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self'" in policy
