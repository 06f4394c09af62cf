"""Models in the browser itself, in real Chromium: captions, text, what is kept, and that nothing foreign is asked."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from miniatures.caption.evaluate import held_out_pictures
from miniatures.scenes.grammar import canonical
from tests.browser.browser import Site, open_tab
from tests.browser.inbrowser import SLOW_MS, open_text, write

pytestmark = pytest.mark.browser
FEW, MANY = 20, 100
LEAST_EQUAL = 0.95
SEED = 3
SERVERS_CAPTION = """async (image_url) => {
  const csrf = document.cookie.split('; ').find(pair => pair.startsWith('oficina_csrf=')).slice(13);
  const headers = {'Content-Type': 'application/json', 'X-CSRF-Token': decodeURIComponent(csrf)};
  const answer = await fetch('/v1/vision/captions', {method: 'POST', headers, body: JSON.stringify({image_url})});
  return (await answer.json()).text;
}"""


def as_file(image: Any) -> dict[str, Any]:
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"name": "cena.png", "mimeType": "image/png", "buffer": file.getvalue()}


def told_at_once(route: Route) -> None:
    """Stand in for the servers that translate and speak."""
    route.fulfill(content_type="text/event-stream", body="event: done\ndata: {}\n\n")


def caption_of(page: Page, picture: dict[str, Any]) -> str:
    """Have a picture captioned in the browser."""
    other = page.get_by_role("button", name="Outra imagem")
    if other.is_visible():
        other.click()
    page.locator("section[data-tab=browser] input[type=file]").set_input_files(picture)
    page.get_by_role("button", name="Legendar e falar").click()
    step = page.locator("[data-step=caption][data-status=done] .step-text")
    expect(step).to_be_visible(timeout=SLOW_MS)
    return step.inner_text()


@pytest.mark.parametrize(
    "count", [FEW, pytest.param(MANY, marks=[pytest.mark.chaos, pytest.mark.timeout(1200)])]
)
def test_captions_of_held_out_scenes_are_the_servers(page: Page, site: Site, count: int) -> None:
    scenes, images = held_out_pictures(count, SEED)
    page.route("**/v1/pipelines/describe", told_at_once)
    open_tab(page, site, "browser")
    here, there = [], []
    for image in images:
        picture = as_file(image)
        here.append(caption_of(page, picture))
        url = "data:image/png;base64," + base64.b64encode(picture["buffer"]).decode()
        there.append(page.evaluate(SERVERS_CAPTION, url))
    equal = sum(ours == theirs for ours, theirs in zip(here, there, strict=True))
    right = sum(text == canonical(scene, "en") for text, scene in zip(here, scenes, strict=True))
    print(f"of {count} captions {equal} are the server's, {right} are right")
    assert equal >= LEAST_EQUAL * count, [pair for pair in zip(here, there, strict=True) if len({*pair}) > 1]


def test_an_address_becomes_a_picture_a_caption_and_a_voice(page: Page, site: Site) -> None:
    scenes, images = held_out_pictures(1, SEED)
    file = io.BytesIO()
    images[0].save(file, "PNG")
    open_tab(page, site, "browser")
    box = page.locator("section[data-tab=browser]").get_by_role("textbox", name="Endereço da imagem")
    box.fill("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
    page.get_by_role("button", name="Usar").click()
    picture = page.get_by_alt_text("Imagem escolhida")
    expect(picture).to_be_visible()
    page.get_by_role("button", name="Legendar e falar").click()
    steps = page.locator("section[data-tab=browser] .steps")
    expect(steps.locator("[data-step=speech][data-status=done] audio")).to_be_visible(timeout=SLOW_MS)
    assert steps.locator("[data-step=caption] .step-text").inner_text() == canonical(scenes[0], "en")
    assert "fundo" in steps.locator("[data-step=translation] .step-text").inner_text()


def test_an_address_that_gives_no_picture_is_told(page: Page, site: Site) -> None:
    open_tab(page, site, "browser")
    box = page.locator("section[data-tab=browser]").get_by_role("textbox", name="Endereço da imagem")
    box.fill("http://127.0.0.1:9/nada.png")
    page.get_by_role("button", name="Usar").click()
    expect(page.locator("section[data-tab=browser] [role=alert]")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("button", name="Legendar e falar")).to_be_disabled()


def test_text_is_written_and_the_same_again_without_lots(page: Page, site: Site) -> None:
    open_text(page, site)
    assert "12" in write(page, "Quanto é 7 + 5?")
    first = write(page, "What is Oficina?")
    assert "Oficina" in first
    assert write(page, "What is Oficina?") == first
    # of one likeliest word there is nothing to draw
    page.get_by_label("Sortear as palavras").check(force=True)
    slider = page.get_by_role("slider", name="Top-k")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("[data-setting=topK]")).to_contain_text("Top-k: 1")
    assert write(page, "What is Oficina?") == first


def test_most_new_tokens_cut_a_text_and_stop_ends_one(page: Page, site: Site) -> None:
    open_text(page, site)
    most = page.get_by_role("slider", name="Máximo de tokens novos")
    most.focus()
    page.keyboard.press("Home")
    write(page, "What is Oficina?")
    expect(page.locator(".browser-answer")).to_contain_text("1 token")
    most.focus()
    page.keyboard.press("End")
    page.get_by_label("Sortear as palavras").check(force=True)
    for name in ("Temperatura", "Top-k", "Top-p"):
        page.get_by_role("slider", name=name, exact=True).focus()
        page.keyboard.press("End")
    page.get_by_label("Pedido").fill("x q w z")
    page.get_by_role("button", name="Escrever").click()
    expect(page.locator(".browser-answer .result-text")).not_to_have_text("…", timeout=SLOW_MS)
    stop = page.get_by_role("button", name="Parar")
    stop.evaluate_all("buttons => buttons.forEach(button => button.click())")  # none when it has ended by now
    expect(page.locator(".browser-answer[data-done]")).to_be_visible(timeout=SLOW_MS)


def test_a_second_load_fetches_nothing_and_needs_no_network(page: Page, site: Site) -> None:
    page.route("**/v1/pipelines/describe", told_at_once)
    scenes, images = held_out_pictures(2, SEED)
    open_tab(page, site, "browser")
    assert caption_of(page, as_file(images[0])) == canonical(scenes[0], "en")
    expect(page.get_by_text("guardado no navegador")).to_be_visible()
    page.reload()
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Carregar", exact=True).click()
    expect(page.locator(".browser-model[data-status=ready]")).to_be_visible(timeout=SLOW_MS)
    assert [url for url in asked if "/models/" in url or url.endswith((".wasm", ".onnx"))] == []
    page.context.set_offline(True)
    assert caption_of(page, as_file(images[1])) == canonical(scenes[1], "en")


def test_a_model_runs_with_threads_and_can_be_removed_from_the_browser(page: Page, site: Site) -> None:
    open_tab(page, site, "browser")
    assert page.evaluate("crossOriginIsolated")
    page.get_by_role("button", name="Carregar", exact=True).click()
    ready = page.locator(".browser-model[data-status=ready]")
    several = page.evaluate("navigator.hardwareConcurrency") > 1
    expect(ready).to_contain_text("threads" if several else "thread", timeout=SLOW_MS)
    page.get_by_role("button", name="Apagar deste navegador").click(timeout=SLOW_MS)
    expect(page.get_by_text("guardado no navegador")).to_have_count(0)
    assert page.evaluate("caches.keys()") == []


def test_a_file_that_does_not_come_is_told_and_fetched_again(page: Page, site: Site) -> None:
    open_tab(page, site, "browser")
    page.route("**/decoder_model_merged_quantized.onnx", lambda route: route.fulfill(status=503, body=""))
    page.get_by_role("button", name="Carregar", exact=True).click()
    notice = page.locator(".browser-model [role=alert]")
    expect(notice).to_contain_text("decoder_model_merged_quantized.onnx", timeout=SLOW_MS)
    page.unroute("**/decoder_model_merged_quantized.onnx")
    notice.get_by_role("button", name="Tentar de novo").click()
    expect(page.locator(".browser-model[data-status=ready]")).to_be_visible(timeout=SLOW_MS)
