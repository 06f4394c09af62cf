"""The catalogue on the page: found by what people choose models by, and honest about what does not run."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.browser import open_tab
from tests.browser.conftest import NewPage
from tests.browser.small import SmallStack


def entry(model_id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": model_id, "task": "chat", "service": "svc-chat", "license": "MIT", "languages": ["pt-BR"], "fits": True,
        "runnable": True, "why_not": None, "publisher": "Casa", "quantization": "Q4_K_M", "good_for": {}, **more,
    }  # fmt: skip


CATALOGUE = [
    entry("conversador", good_for={"pt-BR": "Conversa curta.", "en": "A short talk."}),
    entry("restrito", license="CC-BY-NC-4.0", noncommercial=True, languages=["en"], publisher="Maison"),
    entry(
        "estranho", task="caption", quantization="fp32", runnable=False, why_not="'estranho' is a blip model.",
        obstacle={"of": "kind", "found": "blip", "runs": ["vits", "bark", "kokoro"]},
    ),
    entry("novo", task="detection", runnable=False, why_not="A new reason.", obstacle={"of": "new", "found": None, "runs": []}),
    entry(
        "enorme", fits=False, why_not="needs 900.0 GiB of memory",
        lack={"of": "memory", "needed_bytes": 900 * 10**9, "there_bytes": 7 * 10**9},
    ),
]  # fmt: skip


@pytest.fixture
def models_page(new_chat: NewPage, small: SmallStack) -> Page:
    """The models tab with a catalogue of five."""
    page = new_chat()
    page.route("**/v1/catalogue", lambda route: route.fulfill(json={"data": CATALOGUE}))
    open_tab(page, small.site, "models")
    expect(page.locator("[data-model=conversador]")).to_be_visible()
    return page


def offered(page: Page) -> set[str]:
    """Return which of the five are shown."""
    there = (str(row["id"]) for row in CATALOGUE)
    return {name for name in there if page.locator(f"[data-model={name}]").count()}


@pytest.mark.parametrize(
    ("by", "value", "found"),
    [
        ("Tarefa", "legenda", {"estranho"}),
        ("Idioma", "inglês", {"restrito"}),
        ("Licença", "CC-BY-NC-4.0", {"restrito"}),
        ("Precisão", "fp32", {"estranho"}),
        ("Editor", "Maison", {"restrito"}),
    ],
)
def test_the_catalogue_is_narrowed_by_each_list(
    models_page: Page, by: str, value: str, found: set[str]
) -> None:
    models_page.get_by_role("combobox", name=by).click()
    models_page.get_by_role("option", name=value).click()
    expect(models_page.locator("[data-model=conversador]")).to_have_count(0)
    assert offered(models_page) == found


def test_words_and_switches_narrow_it_too(models_page: Page) -> None:
    search = models_page.get_by_role("textbox", name="Buscar por nome")
    search.fill("casa curta")
    expect(models_page.locator("[data-model=restrito]")).to_have_count(0)
    assert offered(models_page) == {"conversador"}
    search.fill("")
    models_page.get_by_role("switch", name="Só com uso comercial").click()
    expect(models_page.locator("[data-model=restrito]")).to_have_count(0)
    assert offered(models_page) == {"conversador", "estranho", "novo", "enorme"}
    models_page.get_by_role("switch", name="Roda e cabe aqui").click()
    expect(models_page.locator("[data-model=enorme]")).to_have_count(0)
    assert offered(models_page) == {"conversador"}


def test_what_no_engine_runs_is_not_offered_and_says_why(models_page: Page) -> None:
    strange = models_page.locator("[data-model=estranho]")
    expect(strange).to_contain_text("Não roda aqui. É do tipo blip; aqui roda vits, bark ou kokoro.")
    expect(models_page.locator("[data-model=novo]")).to_contain_text("Não roda aqui. A new reason.")
    expect(strange.get_by_role("button")).to_have_count(0)
    huge = models_page.locator("[data-model=enorme]")
    expect(huge).to_contain_text(
        "Não cabe nesta máquina. Precisa de 900 GB de memória, e esta máquina pode dar 7 GB."
    )
    expect(huge.get_by_role("button", name="Instalar")).to_be_disabled()
    expect(
        models_page.locator("[data-model=conversador]").get_by_role("button", name="Instalar")
    ).to_be_enabled()


def test_the_status_tells_who_holds_how_much_memory(new_chat: NewPage, small: SmallStack) -> None:
    page = new_chat()
    gib = 2**30
    held = {"service": "vision", "model": "legendas", "bytes": gib, "in_use": True, "idle_s": 0.0}
    memory = {"budget_bytes": 4 * gib, "held_bytes": gib, "held": [held]}
    page.route("**/api/status", lambda route: route.fulfill(json={"services": {}, "memory": memory}))
    open_tab(page, small.site, "status")
    bar = page.get_by_role("progressbar", name="Memória dos modelos")
    expect(bar).to_have_attribute("aria-valuenow", "25")
    expect(page.locator("[data-held=legendas]")).to_contain_text("em uso")
    expect(page.locator("[data-held=legendas]")).to_contain_text("Visão")


def test_a_tab_whose_files_did_not_come_is_asked_for_again(new_chat: NewPage, small: SmallStack) -> None:
    page, cut = new_chat(), []

    def cut_off(route: Route) -> None:
        cut.append(route.request.url)
        route.abort() if len(cut) < 3 else route.continue_()

    page.route("**/assets/ModelsTab*.js", cut_off)
    open_tab(page, small.site, "models")
    assert len(cut) >= 3


def test_a_move_to_another_embedder_that_breaks_off_says_why(new_chat: NewPage, small: SmallStack) -> None:
    page, job = new_chat(), "job_rag_123456789"
    installed = [{"id": name, "object": "model", "task": "embedding"} for name in ("pequeno", "grande")]
    moving = {
        "job_id": job,
        "model": "grande",
        "paused": False,
        "step": 3,
        "total": 9,
        "percent": 33.0,
        "eta_s": 60,
    }
    state = {"model": "pequeno", "moving": moving}
    error = {"code": "internal_error", "message": "The disk is gone."}
    ended = {"id": job, "kind": "reindex", "status": "failed", "error": error}
    page.route("**/v1/models", lambda route: route.fulfill(json={"data": installed}))
    page.route("**/v1/embedder", lambda route: route.fulfill(json=state))
    page.route(f"**/v1/jobs/{job}", lambda route: route.fulfill(json=ended))
    open_tab(page, small.site, "models")
    section = page.get_by_role("region", name="Busca por significado")
    expect(section.locator("[data-move]")).to_contain_text("33 %")
    expect(section.get_by_role("alert")).to_have_count(0)
    state["moving"] = None
    expect(section.get_by_role("alert")).to_contain_text("O serviço de documentos encontrou um erro interno.")
    expect(section.get_by_role("combobox")).to_have_value("pequeno")
    section.get_by_role("alert").get_by_role("button", name="Fechar").click()
    expect(section.get_by_role("alert")).to_have_count(0)
