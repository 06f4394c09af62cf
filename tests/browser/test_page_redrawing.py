"""Pictures that begin from others, on the page: a change where the brush painted, variations, a mask of a file."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.browser import Site, open_tab
from tests.browser.conftest import NewPage

pytestmark = pytest.mark.browser
SLOW_MS = 120_000
BLUE = (40, 80, 200)
SEED = "11"
PIXELS = """async image => {
  await image.decode();
  const pen = Object.assign(document.createElement('canvas'), { width: image.naturalWidth, height: image.naturalHeight }).getContext('2d');
  pen.drawImage(image, 0, 0);
  return [...pen.getImageData(0, 0, image.naturalWidth, image.naturalHeight).data];
}"""


def begin(page: Page, site: Site, way: str, picture: dict[str, Any]) -> None:
    """Open the tab, choose what to do and the picture it begins from."""
    open_tab(page, site, "images")
    page.locator(".ways").get_by_text(way, exact=True).click()
    page.locator("form input[type=file][accept='image/*']").set_input_files(picture)
    expect(page.get_by_alt_text("Imagem de partida")).to_be_visible()


def file_of(picture: Image.Image, name: str) -> dict[str, Any]:
    """Return a picture as a file chooser takes it."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": out.getvalue()}


def shown(page: Page, image: Locator) -> Image.Image:
    """Return the pixels behind an `<img>`."""
    answer = page.request.get(page.url.partition("#")[0].rstrip("/") + str(image.get_attribute("src")))
    assert answer.ok
    return Image.open(io.BytesIO(answer.body())).convert("RGB")


def far_from_blue(picture: Image.Image, box: tuple[int, int, int, int]) -> int:
    """Return how far, of 255, the pixel of a part lies from the source's blue that lies farthest."""
    bands = picture.crop(box).getextrema()
    return max(abs(end - mean) for band, mean in zip(bands, BLUE, strict=True) for end in band)


def test_a_picture_changes_where_the_brush_painted_and_nowhere_else(page: Page, site: Site) -> None:
    begin(page, site, "Editar", file_of(Image.new("RGB", (128, 128), BLUE), "azul.png"))
    canvas = page.get_by_role("img", name="Pintura do que pode mudar")
    box = canvas.bounding_box()
    assert box
    undo = page.get_by_role("button", name="Desfazer")
    expect(undo).to_be_disabled()
    # one stroke on the right, taken back; then some down the left third
    for x, last in ((0.9, 1), (0.1, 1), (0.2, 2), (0.3, 3)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.1 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.9 * box["height"], steps=4)
        page.mouse.up()
        expect(canvas).to_have_accessible_name(f"Pintura do que pode mudar: {last} traço{'s'[: last - 1]}")
        if x == 0.9:
            undo.click()
    page.get_by_label("O que a imagem deve mostrar").fill("um círculo vermelho grande sobre um fundo amarelo")
    page.get_by_role("button", name="Opções").click()
    page.get_by_label("Semente").fill(SEED)
    page.get_by_role("button", name="Editar a imagem").click()
    result = page.get_by_role("region", name="Resultado")
    expect(result.get_by_role("img")).to_have_count(2, timeout=SLOW_MS)
    assert shown(page, result.get_by_role("img").first).getextrema() == tuple((v, v) for v in BLUE)
    after = shown(page, result.get_by_role("img").last)
    assert after.size == (128, 128)
    assert far_from_blue(after, (64, 0, 128, 128)) == 0
    assert far_from_blue(after, (12, 24, 40, 104)) > 60


def test_a_drawn_picture_is_gone_on_from_and_varied(page: Page, site: Site) -> None:
    begin(page, site, "Variar", file_of(Image.new("RGB", (64, 64), BLUE), "azul.png"))
    page.get_by_label("Quantidade").fill("2")
    page.get_by_role("button", name="Fazer variações").click()
    result = page.get_by_role("region", name="Resultado")
    expect(result.get_by_role("img")).to_have_count(3, timeout=SLOW_MS)
    result.get_by_role("button", name="Abrir a imagem: Depois (1)").click()
    dialog = page.get_by_role("dialog", name="Imagem")
    expect(dialog.get_by_text("Antes")).to_be_visible()
    drawn = shown(page, dialog.get_by_role("img").last)
    dialog.get_by_role("button", name="Editar esta imagem").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_alt_text("Imagem de partida").first).to_be_visible()
    page.get_by_label("Quantidade").fill("4")
    page.get_by_label("Força da mudança").fill("1")
    page.get_by_role("button", name="Opções").click()
    page.get_by_label("Passos").fill("100")
    # so much to draw that no computer is done with it before the click
    page.get_by_role("combobox", name="Tamanho").click()
    page.get_by_role("option", name="1024x1024").click()
    begun_from = bytes(page.get_by_alt_text("Imagem de partida").first.evaluate(PIXELS))
    assert begun_from == drawn.convert("RGBA").tobytes()
    page.get_by_role("button", name="Fazer variações").click()
    page.locator(".running").get_by_role("button", name="Cancelar").click()
    expect(page.locator(".running")).to_have_count(0, timeout=SLOW_MS)


def test_a_mask_of_a_file_is_held_against_the_picture_before_it_is_sent(page: Page, site: Site) -> None:
    begin(page, site, "Editar", file_of(Image.new("RGB", (128, 64), BLUE), "azul.png"))
    tools = page.get_by_role("group", name="O que pode mudar")
    chooser = tools.locator("input[type=file]")
    chooser.set_input_files(file_of(Image.new("RGBA", (64, 64)), "pequena.png"))
    expect(tools.get_by_role("alert")).to_contain_text("64 × 64 pixels e a imagem, 128 × 64")
    chooser.set_input_files(file_of(Image.new("RGB", (128, 64)), "opaca.png"))
    expect(tools.get_by_role("alert")).to_contain_text("não é transparente em parte alguma")
    chooser.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"nothing"})
    expect(tools.get_by_role("alert")).to_contain_text("não pode ser lido")
    chooser.set_input_files(file_of(Image.new("RGBA", (128, 64)), "aberta.png"))
    expect(tools.get_by_role("alert")).to_have_count(0)
    expect(tools).to_contain_text("Em uso: aberta.png")
    tools.get_by_role("button", name="Limpar").click()
    expect(tools.get_by_text("Em uso")).to_have_count(0)


def test_a_file_that_is_no_picture_is_refused_and_another_can_be_chosen(page: Page, site: Site) -> None:
    open_tab(page, site, "images")
    page.locator(".ways").get_by_text("Editar", exact=True).click()
    source = page.locator("form input[type=file][accept='image/*']")
    source.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"nothing"})
    expect(page.get_by_role("alert")).to_contain_text("Esta imagem não pode ser lida.")
    source.set_input_files(file_of(Image.new("RGB", (64, 64), BLUE), "azul.png"))
    expect(page.get_by_alt_text("Imagem de partida")).to_be_visible()
    expect(page.get_by_role("button", name="Editar a imagem")).to_be_disabled()


def test_a_finger_paints_on_a_narrow_screen(new_page: NewPage, site: Site) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, has_touch=True)
    begin(page, site, "Editar", file_of(Image.new("RGB", (128, 128), BLUE), "azul.png"))
    canvas = page.get_by_role("img", name="Pintura do que pode mudar")
    canvas.tap()
    expect(canvas).to_have_accessible_name("Pintura do que pode mudar: 1 traço")
    middle = (
        "canvas => [...canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data]"
    )
    assert canvas.evaluate(middle)[3] == 255
    page.get_by_role("button", name="Limpar").click()
    expect(canvas).to_have_accessible_name("Pintura do que pode mudar: 0 traço")
    assert canvas.evaluate(middle)[3] == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 360
