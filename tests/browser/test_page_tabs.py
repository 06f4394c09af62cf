"""Each tab does its main thing against the running services."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.browser import Site, open_tab
from tests.browser.conftest import NewPage

pytestmark = pytest.mark.browser
PROMPT = "um círculo vermelho grande sobre um fundo azul"
SLOW_MS = 120_000
MOST_STEPS = "50"
"""A drawing that takes seconds: `expect` looks once a second, and the usual one takes little more."""


def choose_picture(page: Page, picture: dict[str, Any]) -> None:
    page.locator("section[data-tab=vision] input[type=file]").set_input_files(picture)
    expect(page.get_by_alt_text("Imagem escolhida")).to_be_visible()


def draw_slowly(page: Page) -> None:
    page.get_by_role("button", name="Opções").click()
    page.get_by_label("Passos").fill(MOST_STEPS)
    page.get_by_label("O que desenhar").fill(PROMPT)
    page.get_by_role("button", name="Desenhar").click()


def test_the_model_answers_and_the_answer_is_kept(page: Page, site: Site) -> None:
    open_tab(page, site, "chat")
    page.get_by_label("Mensagem", exact=True).fill("Olá!")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Responder de novo")).to_be_visible(timeout=60_000)
    answer = page.locator("[data-role=assistant] .markdown").inner_text()
    assert answer.strip()
    page.reload()
    expect(page.locator("[data-role=assistant] .markdown")).to_have_text(answer)


def test_a_picture_is_drawn_looked_at_and_deleted(page: Page, site: Site) -> None:
    open_tab(page, site, "images")
    gallery = page.locator(".gallery-item")
    page.wait_for_load_state("networkidle")
    before = gallery.count()
    draw_slowly(page)
    expect(page.locator(".running")).to_contain_text("passo", timeout=SLOW_MS)
    expect(gallery).to_have_count(before + 1, timeout=SLOW_MS)
    gallery.first.click()
    dialog = page.get_by_role("dialog", name="Imagem")
    expect(dialog.get_by_text(PROMPT)).to_be_visible()
    with page.expect_download() as saved:
        dialog.get_by_role("button", name="Baixar").click()
    assert saved.value.suggested_filename.endswith(".png")
    dialog.get_by_role("button", name="Apagar").click()
    expect(gallery).to_have_count(before)


def test_the_form_asks_each_model_in_its_own_way(page: Page, site: Site) -> None:
    steps = {"default": 4, "minimum": 1, "maximum": 50, "usual": [1, 8]}
    own = {"steps": steps, "guidance_scale": {"default": 8.5}, "size": {"default": "512x512"}}
    own["decoder"] = {"default": "full", "choices": ["full", "small"]}
    quick = {
        "id": "few-steps",
        "object": "model",
        "task": "image",
        "service": "svc-image-gen",
        "options": own,
    }

    def told(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        route.fulfill(response=answer, json={**body, "data": [*body["data"], quick]})

    page.route("**/v1/models", told)
    open_tab(page, site, "images")
    page.get_by_role("button", name="Opções").click()
    expect(page.get_by_role("combobox", name="Decodificador")).to_be_hidden()
    page.get_by_label("O que evitar").fill("borrão")
    page.get_by_label("Passos").fill("30")
    page.get_by_role("combobox", name="Modelo").click()
    page.get_by_role("option", name="few-steps").click()
    expect(page.get_by_label("Passos")).to_have_value("")
    expect(page.get_by_label("Passos")).to_have_attribute("placeholder", "automático (4)")
    expect(page.get_by_text("desenha bem com 1 a 8")).to_be_visible()
    expect(page.get_by_label("O que evitar")).to_be_hidden()
    decoder = page.get_by_role("combobox", name="Decodificador")
    expect(decoder).to_have_attribute("placeholder", "automático (do modelo, mais nítido)")
    decoder.click()
    page.get_by_role("option", name="pequeno, mais rápido").click()
    page.get_by_label("O que desenhar").fill(PROMPT)
    with page.expect_request("**/v1/images/generations") as asked:
        page.get_by_role("button", name="Desenhar").click()
    assert asked.value.post_data_json["decoder"] == "small"


def test_a_drawing_survives_reloading_the_page(page: Page, site: Site) -> None:
    open_tab(page, site, "images")
    page.wait_for_load_state("networkidle")
    before = page.locator(".gallery-item").count()
    draw_slowly(page)
    expect(page.locator(".running")).to_be_visible()
    page.reload()
    expect(page.locator(".gallery-item")).to_have_count(before + 1, timeout=SLOW_MS)


def test_a_picture_is_captioned_translated_and_spoken_by_one_click(
    page: Page, site: Site, red_circle: dict[str, Any]
) -> None:
    open_tab(page, site, "vision")
    choose_picture(page, red_circle)
    page.get_by_role("button", name="Descrever e falar").click()
    for step in ("caption", "translation", "speech"):
        expect(page.locator(f"[data-step={step}]")).to_have_attribute("data-status", "done", timeout=SLOW_MS)
    assert page.locator("[data-step=translation] .step-text").inner_text().strip()
    audio = page.locator("[data-step=speech] audio")
    assert (
        audio.evaluate(
            "audio => new Promise(done => { audio.onloadedmetadata = () => done(audio.duration); audio.load() })"
        )
        > 0
    )


def test_a_model_is_chosen_for_each_way_of_looking(
    page: Page, site: Site, red_circle: dict[str, Any]
) -> None:
    """The one that is named and not there is refused by the service: what is chosen reaches it."""
    gone = {"id": "me/gone", "object": "model", "task": "caption", "tasks": ["caption", "detection"]}

    def told(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        more = [gone | {"service": "svc-vision"}]
        route.fulfill(response=answer, json={**body, "data": [*body["data"], *more]})

    page.route("**/v1/models", told)
    open_tab(page, site, "vision")
    choose_picture(page, red_circle)
    page.get_by_role("tab", name="Objetos").click()
    picker = page.get_by_role("combobox", name="Modelo dos objetos")
    expect(picker).to_have_attribute("placeholder", "automático (me/gone)")
    expect(page.get_by_role("combobox", name="Modelo das classes")).to_have_count(0)
    picker.click()
    page.get_by_role("option", name="oficina-detector").click()
    page.get_by_role("button", name="Encontrar objetos").click()
    answered = page.get_by_role("tabpanel", name="Objetos").get_by_text("oficina-detector", exact=True)
    expect(answered).to_be_visible(timeout=SLOW_MS)
    page.reload()
    choose_picture(page, red_circle)
    page.get_by_role("tab", name="Objetos").click()
    expect(picker).to_have_value("oficina-detector")
    page.get_by_role("tab", name="Descrever").click()
    page.get_by_role("combobox", name="Modelo da legenda").click()
    page.get_by_role("option", name="me/gone").click()
    page.get_by_role("button", name="Descrever e falar").click()
    expect(page.get_by_role("alert")).to_contain_text("me/gone", timeout=SLOW_MS)


def test_objects_are_boxed_and_pixels_counted(page: Page, site: Site, red_circle: dict[str, Any]) -> None:
    open_tab(page, site, "vision")
    choose_picture(page, red_circle)
    page.get_by_role("tab", name="Objetos").click()
    page.get_by_role("button", name="Encontrar objetos").click()
    expect(page.locator(".boxes g").first).to_be_attached(timeout=SLOW_MS)
    page.get_by_role("button", name="Classificar").click()
    expect(page.get_by_text("Classes mais prováveis")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("tab", name="Pixels").click()
    page.get_by_role("button", name="Analisar pixels").click()
    expect(page.get_by_role("img", name="Histograma")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("256 × 256")).to_be_visible()


def test_a_question_is_asked_and_writing_read_where_models_that_can_are_installed(
    page: Page, site: Site, red_circle: dict[str, Any]
) -> None:
    asked: list[bytes] = []
    models = [
        {"id": "smol", "task": "question", "tasks": ["question", "caption"]},
        {"id": "florence", "task": "caption", "tasks": ["caption", "ocr"]},
    ]
    page.route("**/v1/models", lambda route: route.fulfill(json={"data": models}))

    def answer(route: Route) -> None:
        asked.append(route.request.post_data_buffer or b"")
        route.fulfill(json={"answer": "a <b>red</b> circle", "question": "O que é isto?", "model": "smol"})

    page.route("**/v1/vision/questions", answer)
    page.route(
        "**/v1/vision/texts",
        lambda route: route.fulfill(json={"text": "OPEN\ntill six", "model": "florence"}),
    )
    open_tab(page, site, "vision")
    choose_picture(page, red_circle)
    page.get_by_role("tab", name="Perguntar").click()
    expect(page.get_by_role("button", name="Perguntar")).to_be_disabled()
    page.get_by_label("Pergunta sobre a imagem").fill(" O que é isto? ")
    page.keyboard.press("Enter")
    expect(page.get_by_text("a <b>red</b> circle")).to_be_visible()
    assert "\r\n\r\nO que é isto?\r\n".encode() in asked[0]
    page.get_by_role("button", name="Ler o texto").click()
    expect(page.get_by_text("till six")).to_be_visible()


def test_without_a_model_that_can_the_tab_says_which_to_install(
    page: Page, site: Site, red_circle: dict[str, Any]
) -> None:
    models = [{"id": "a", "task": "caption", "tasks": ["caption"]}]
    page.route("**/v1/models", lambda route: route.fulfill(json={"data": models}))
    open_tab(page, site, "vision")
    choose_picture(page, red_circle)
    page.get_by_role("tab", name="Perguntar").click()
    expect(page.get_by_text("Instale o SmolVLM")).to_be_visible()
    expect(page.get_by_role("button", name="Perguntar")).to_have_count(0)


def test_a_text_is_translated_and_spoken(page: Page, site: Site) -> None:
    open_tab(page, site, "translate")
    page.get_by_label("Texto para traduzir").fill(PROMPT)
    page.get_by_role("button", name="Traduzir", exact=True).click()
    result = page.locator("[data-result] .result-text")
    expect(result).to_contain_text("red", timeout=SLOW_MS)
    page.get_by_role("button", name="Ouvir a tradução").click()
    expect(page.locator("[data-result] audio")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Trocar os idiomas").click()
    expect(result).to_contain_text("vermelho", timeout=SLOW_MS)


def test_a_text_is_spoken_and_a_new_audio_pauses_the_old_one(page: Page, site: Site) -> None:
    open_tab(page, site, "speech")
    expect(page.get_by_role("combobox", name="Voz")).not_to_have_value("")
    for text in ("Primeira frase, que é um pouco mais longa do que a outra.", "Segunda frase."):
        page.get_by_label("Texto", exact=True).fill(text)
        page.get_by_role("button", name="Falar").click()
        expect(page.locator("section[data-tab=speech] article").first).to_contain_text(text, timeout=SLOW_MS)
    players = page.locator("section[data-tab=speech] audio")
    expect(players).to_have_count(2)
    page.evaluate(
        "[...document.querySelectorAll('audio')].forEach(audio => { audio.muted = true; audio.loop = true })"
    )
    for now, old in ((0, 1), (1, 0)):
        players.nth(now).evaluate("audio => audio.play()")
        page.wait_for_function(f"document.querySelectorAll('section[data-tab=speech] audio')[{old}].paused")
        assert not players.nth(now).evaluate("audio => audio.paused")


def test_a_document_is_asked_and_its_citation_opens_the_passage(page: Page, site: Site) -> None:
    text = "Regulamento.\n\nA oficina abre às oito horas e fecha às dezoito horas.\n\nAos sábados ela fecha ao meio-dia.\n"
    file = {"name": "regulamento.txt", "mimeType": "text/plain", "buffer": text.encode()}
    open_tab(page, site, "documents")
    page.locator("section[data-tab=documents] input[type=file]").set_input_files(file)
    row = page.locator("[data-document]", has_text="regulamento").first
    expect(row).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("article[aria-label='regulamento.txt']")).to_have_count(0, timeout=SLOW_MS)
    page.get_by_role("textbox", name="Pergunta").fill("A que horas a oficina abre?")
    page.get_by_role("tabpanel").get_by_role("button", name="Perguntar").click()
    expect(page.locator("[data-answer] .citation").first).to_be_visible(timeout=SLOW_MS)
    page.locator("[data-answer] .citation").first.click()
    expect(page.get_by_role("dialog").locator("mark")).not_to_be_empty()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Buscar").click()
    page.get_by_role("textbox", name="Busca").fill("sábados")
    page.get_by_role("tabpanel").get_by_role("button", name="Buscar").click()
    expect(page.get_by_role("tabpanel").locator(".citation").first).to_be_visible(timeout=SLOW_MS)
    rows = page.locator("[data-document]")
    before = rows.count()
    row.get_by_role("button", name="Apagar o documento").click()
    expect(rows).to_have_count(before - 1, timeout=SLOW_MS)


def test_models_are_listed_filtered_and_installing_is_honest(page: Page, site: Site) -> None:
    open_tab(page, site, "models")
    cards = page.locator("[data-model]")
    expect(cards.first).to_be_visible()
    # what is installed and what could be come by two calls
    page.wait_for_load_state("networkidle")
    everything = cards.count()
    page.get_by_role("combobox", name="Tarefa").click()
    page.get_by_role("option", name="conversa").click()
    expect(cards).not_to_have_count(everything)
    assert 0 < cards.count() < everything
    page.get_by_role("button", name="Instalar").and_(page.locator(":enabled")).first.click()
    expect(page.get_by_role("alert").first).to_contain_text("O hub não responde", timeout=60_000)


def test_the_built_in_model_is_named_as_such_and_leads_to_the_models(page: Page, site: Site) -> None:
    open_tab(page, site, "chat")
    page.get_by_role("link", name="modelo embutido").click()
    expect(page.get_by_role("heading", name="Modelos", level=1)).to_be_visible()


def test_the_status_names_every_service(page: Page, site: Site) -> None:
    open_tab(page, site, "status")
    for service in ("chat", "image-gen", "vision", "translate", "tts", "rag"):
        expect(page.locator(f"[data-service$='{service}']")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Memória", exact=True)).to_be_visible()


def test_every_tab_speaks_english_too(new_page: NewPage, site: Site) -> None:
    page = new_page(locale="en-GB")
    titles = ("Images", "Vision", "Translate", "Speech", "Documents", "Training", "Models", "Status")
    for title in titles:
        open_tab(page, site, title.lower())
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    page.locator("label").get_by_text("PT", exact=True).click()
    expect(page.get_by_role("heading", name="Estado", level=1)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Estado", level=1)).to_be_visible()
