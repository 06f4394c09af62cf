"""Training on the page, with the real service and the built-in model: few examples and few steps, which is enough to see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from svc_chat.settings import Settings
from tests.browser.browser import NARROW, Site, chromium, open_tab, sign_in
from tests.browser.conftest import NewPage, watched_pages
from tests.browser.small import SmallStack, small_stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
SLOW_MS = 180_000
PAIRS = "P: Quem cuida da sala 7?\nR: Da sala 7 cuida Valdomiro.\n\nP: Quem cuida da sala 8?\nR: Da sala 8 cuida Agnes.\n"
LONG_EPOCHS = 1000


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    """The gateway, the page, and svc-chat with the built-in model."""
    own = {"CHAT_MODEL_PATH": str(Settings().builtin_model_path), "OPENAI_BASE_URL": ""}
    with small_stack(tmp_path_factory.mktemp("training"), own) as stack:
        yield stack


@pytest.fixture(scope="module")
def signed_in(house: SmallStack) -> Iterator[tuple[Browser, list[Any]]]:
    """A browser and a session."""
    with chromium() as browser:
        context = browser.new_context()
        sign_in(context, house.site)
        yield browser, context.cookies()


@pytest.fixture
def new_training_page(signed_in: tuple[Browser, list[Any]], house: SmallStack) -> Iterator[NewPage]:
    """Make pages of that house."""
    with watched_pages(*signed_in, house.site) as make:
        yield make


@pytest.fixture
def tab(new_training_page: NewPage, house: SmallStack) -> Page:
    """The form of a new training, wide and in Portuguese."""
    page = new_training_page()
    open_form(page, house.site)
    return page


def open_form(page: Page, site: Site) -> None:
    open_tab(page, site, "training")
    page.goto(f"{site.url}/#/training/new")
    expect(page.get_by_role("heading", name="Novo treino")).to_be_visible()


def begin(page: Page, name: str, epochs: int, examples: str = PAIRS) -> None:
    page.get_by_label("Exemplos", exact=True).fill(examples)
    page.get_by_label("Nome (opcional)").fill(name)
    page.get_by_label("Épocas").fill(str(epochs))
    page.get_by_role("button", name="Treinar", exact=True).click()
    page.wait_for_url("**/training/ftjob-*")


def state(page: Page, status: str) -> None:
    expect(page.locator(f"[data-training-pane] [data-training-state={status}]")).to_be_visible(
        timeout=SLOW_MS
    )


def test_a_model_is_trained_compared_with_its_base_used_in_chat_and_deleted(
    tab: Page, house: SmallStack
) -> None:
    begin(tab, "salas", epochs=24)
    expect(tab.locator(".loss svg[role=img]")).to_be_visible(timeout=SLOW_MS)
    tab.reload()
    state(tab, "succeeded")
    expect(tab.locator("li[data-training]", has_text="salas")).to_contain_text("pronto")
    measured = tab.get_by_role("region", name="O que foi medido")
    expect(measured.locator("dd").first).to_contain_text("→")
    expect(measured).to_contain_text("Com menos de 100 exemplos nenhum foi separado")
    drawing = tab.get_by_role("img", name="Perda por passo")
    assert len(drawing.locator(".loss-held").get_attribute("d") or "") > 10
    tab.get_by_text("Os números em tabela").click()
    assert tab.get_by_role("table").get_by_role("row").count() > 2
    tab.get_by_label("Pergunta", exact=True).fill("Quem cuida da sala 7?")
    tab.get_by_role("button", name="Perguntar aos dois").click()
    for which in ("base", "trained"):
        expect(tab.locator(f"[data-answer-of={which}] .markdown")).not_to_be_empty(timeout=SLOW_MS)
    expect(tab.get_by_role("button", name="Perguntar aos dois")).to_be_enabled(timeout=SLOW_MS)

    made = tab.locator("[data-trained]").get_attribute("data-trained") or ""
    assert made.startswith("ft:oficina-chat:salas:")
    tab.get_by_role("link", name="Usar na conversa").click()
    expect(tab.get_by_role("combobox", name="Modelo")).to_have_value(made)
    tab.go_back()
    tab.get_by_role("button", name="Apagar o modelo").click()
    tab.get_by_role("dialog").get_by_role("button", name="Apagar", exact=True).click()
    expect(tab.locator("[data-trained]")).to_contain_text("Este modelo foi apagado", timeout=SLOW_MS)
    expect(tab.get_by_role("button", name="Perguntar aos dois")).to_have_count(0)


def test_a_training_rests_outlives_the_service_goes_on_and_is_ended_after_a_question(
    tab: Page, house: SmallStack
) -> None:
    begin(tab, "longo", LONG_EPOCHS)
    expect(tab.locator(".loss svg[role=img]")).to_be_visible(timeout=SLOW_MS)
    tab.get_by_role("button", name="Pausar").click()
    state(tab, "paused")
    house.end("svc-chat")
    house.start_service("svc-chat")
    tab.reload()
    state(tab, "paused")
    tab.get_by_role("button", name="Continuar").click()
    state(tab, "running")
    tab.get_by_role("button", name="Encerrar o treino").click()
    question = tab.get_by_role("dialog")
    question.get_by_role("button", name="Cancelar").click()
    expect(question).to_have_count(0)
    state(tab, "running")
    tab.get_by_role("button", name="Encerrar o treino").click()
    question.get_by_role("button", name="Encerrar o treino").click()
    state(tab, "cancelled")
    expect(tab.locator("[data-training-pane]")).to_contain_text("não deixou modelo")


def test_mistakes_stand_beside_the_text_by_line_and_nothing_is_sent(tab: Page) -> None:
    sent: list[str] = []
    tab.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    box = tab.get_by_label("Exemplos", exact=True)
    box.fill("P: Quem?\nR: Ana.\n\nP: Onde?\n")
    expect(tab.locator(".mistakes li")).to_have_text(["Linha 4: falta a resposta."])
    expect(tab.get_by_role("button", name="Treinar", exact=True)).to_be_disabled()
    tab.get_by_role("button", name="Ir para a linha 4").press("Enter")
    expect(box).to_be_focused()
    assert box.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == "P: Onde?"
    lines = ['{"prompt": "a", "completion": "b"}', "{oops"]
    file = {"name": "x.jsonl", "mimeType": "application/jsonl", "buffer": "\n".join(lines).encode()}
    tab.locator("section[data-tab=training] input[type=file]").set_input_files(file)
    expect(box).to_have_value("\n".join(lines))
    expect(tab.locator(".mistakes li")).to_have_text(["Linha 2: não é JSON."])
    assert sent == []


def test_what_only_the_server_finds_wrong_stands_at_its_line_too(tab: Page) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    lines = [json.dumps({"messages": turns}), "", json.dumps({"messages": turns, "tools": ["x"]})]
    tab.get_by_label("Exemplos", exact=True).fill("\n".join(lines))
    tab.get_by_role("button", name="Treinar", exact=True).click()
    expect(tab.locator(".mistakes li")).to_contain_text("Linha 3")
    expect(tab.get_by_role("alert")).to_contain_text("Há um exemplo que não pode ser lido.")
    left = tab.evaluate("fetch('/v1/files?purpose=fine-tune').then(answer => answer.json())")
    kept = [file["filename"] for file in left["data"]]
    assert "examples.jsonl" not in kept, "a file whose training was refused does not stay behind"


def test_a_narrow_window_picks_trainings_from_a_list(new_training_page: NewPage, house: SmallStack) -> None:
    page = new_training_page(viewport=NARROW, locale="en")
    open_tab(page, house.site, "training")
    picker = page.get_by_role("combobox", name="Trainings")
    expect(picker).to_have_value("new")
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.locator("[data-found='3']")).to_be_visible()
    page.goto(f"{house.site.url}/#/training/ftjob-none")
    expect(page.get_by_role("alert")).to_be_visible()
    picker.select_option(label="New training")
    expect(page.get_by_role("heading", name="New training")).to_be_visible()
    expect(page.get_by_label("Examples", exact=True)).not_to_be_empty()
