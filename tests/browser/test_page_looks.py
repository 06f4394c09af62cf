"""The page fits wide and narrow windows, both languages, light and dark, and the keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browser import NARROW, TABS, WIDE, Site, open_tab
from tests.browser.conftest import NewPage

pytestmark = pytest.mark.browser
FIELDS = "main input:not([type=radio])"
"""A choice in a row of them shows its label, not its value."""
OVERFLOW = "Math.max(0, ...[document.documentElement, document.querySelector('main')].map(box => box.scrollWidth - box.clientWidth))"
CUT = """fields => fields.filter(field => field.checkVisibility()).map(field => {
  const style = getComputedStyle(field), pen = document.createElement('canvas').getContext('2d');
  pen.font = style.font;
  const text = field.value || field.placeholder;
  const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return pen.measureText(text).width > room + 1 ? text : '';
}).filter(Boolean)"""
"""The texts of one-line fields that are wider than their field."""


@pytest.mark.parametrize("language", ["pt-BR", "en"])
@pytest.mark.parametrize(
    "size",
    [WIDE, NARROW, {"width": 320, "height": 640}, {"width": 820, "height": 1100}],
    ids=lambda size: str(size["width"]),
)
def test_no_tab_scrolls_sideways(new_page: NewPage, site: Site, size: dict[str, int], language: str) -> None:
    page = new_page(viewport=size, locale=language)
    for tab in TABS:
        open_tab(page, site, tab)
        page.wait_for_load_state("networkidle")
        assert page.evaluate(OVERFLOW) == 0, tab


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_what_stands_in_a_field_of_a_narrow_window_can_be_read(
    new_page: NewPage, site: Site, language: str
) -> None:
    page = new_page(viewport=NARROW, locale=language)
    for tab in ("images", "vision", "speech", "documents", "training", "browser", "models", "status"):
        open_tab(page, site, tab)
        page.wait_for_load_state("networkidle")
        if tab == "images":
            page.get_by_role("button", name="Opções" if language == "pt-BR" else "Options").click()
            name = "Tamanho" if language == "pt-BR" else "Size"
            expect(page.get_by_role("combobox", name=name)).to_be_visible()
        cut = page.locator(FIELDS).evaluate_all(CUT)
        assert cut == [], tab


@pytest.mark.parametrize("language", ["pt-BR", "en"])
@pytest.mark.parametrize("width", [360, WIDE["width"]])
def test_the_languages_of_a_translation_can_be_read(
    new_page: NewPage, site: Site, width: int, language: str
) -> None:
    page = new_page(viewport={"width": width, "height": 760}, locale=language)
    open_tab(page, site, "translate")
    source = page.get_by_role("combobox", name="De" if language == "pt-BR" else "From", exact=True)
    expect(source).to_have_value("Detectar idioma" if language == "pt-BR" else "Detect language")
    assert page.locator(FIELDS).evaluate_all(CUT) == []


def test_the_ways_to_look_at_a_picture_stand_in_one_line(
    new_page: NewPage, site: Site, red_circle: dict[str, Any]
) -> None:
    page = new_page(viewport=NARROW)
    open_tab(page, site, "vision")
    page.locator("section[data-tab=vision] input[type=file]").set_input_files(red_circle)
    tabs = page.locator("section[data-tab=vision]").get_by_role("tab")
    expect(tabs).to_have_count(4)
    assert len({tab.bounding_box()["y"] for tab in tabs.all()}) == 1  # type: ignore[index]


def test_the_labels_of_the_model_filters_stand_in_one_line(new_page: NewPage, site: Site) -> None:
    page = new_page(viewport={"width": 1280, "height": 900})
    open_tab(page, site, "models")
    labels = page.get_by_role("search").locator("label.mantine-InputWrapper-label")
    expect(labels).to_have_count(6)
    assert len({round(label.bounding_box()["height"]) for label in labels.all()}) == 1  # type: ignore[index]


def test_a_narrow_window_has_its_navigation_in_a_drawer(new_page: NewPage, site: Site) -> None:
    page = new_page(viewport=NARROW)
    open_tab(page, site, "chat")
    expect(page.get_by_role("navigation")).to_have_count(0)
    page.get_by_role("button", name="Abrir o menu").click()
    page.get_by_role("link", name="Tradução").click()
    expect(page.get_by_role("heading", name="Tradução", level=1)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_tabs_are_links_that_the_keyboard_reaches(page: Page, site: Site) -> None:
    open_tab(page, site, "status")
    page.get_by_role("link", name="Conversa").focus()
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("href", "#/assistants")
    assert focused.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Assistentes", level=1)).to_be_attached()
    page.go_back()
    expect(page.get_by_role("heading", name="Estado", level=1)).to_be_visible()


def test_dark_and_light_follow_the_system_and_can_be_chosen(new_page: NewPage, site: Site) -> None:
    page = new_page(color_scheme="dark")
    open_tab(page, site, "status")
    html = page.locator("html")
    expect(html).to_have_attribute("data-mantine-color-scheme", "dark")
    page.get_by_role("button", name="Aparência: do sistema").click()
    expect(html).to_have_attribute("data-mantine-color-scheme", "light")
    page.reload()
    expect(html).to_have_attribute("data-mantine-color-scheme", "light")


def test_every_control_has_a_name(page: Page, site: Site) -> None:
    for tab in TABS:
        open_tab(page, site, tab)
        page.wait_for_load_state("networkidle")
        for control in (
            page.locator("main").get_by_role("button").or_(page.locator("header").get_by_role("button")).all()
        ):
            if control.is_visible():
                assert (control.get_attribute("aria-label") or control.inner_text()).strip(), (
                    f"{tab}: {control}"
                )


def test_no_tab_breaks_the_content_security_policy(new_page: NewPage, site: Site) -> None:
    page = new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    for tab in TABS:
        open_tab(page, site, tab)
        page.wait_for_load_state("networkidle")
    assert [text for text in said if "Content Security Policy" in text or "Error:" in text] == []
