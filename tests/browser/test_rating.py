"""The rating pad: mouse, touch and keyboard, shown at once, undone, and honest when the network is not there."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from catalog.models import Anime, Rating
from tests.browser.conftest import Device, NewContext, mouse_and_touch, sign_up

Shelf = dict[str, Anime]


def score(page: Page | Locator, number: int) -> Locator:
    return page.get_by_role("button", name=re.compile(rf"^{number}\b"))


@pytest.fixture
def anime(shelf: Shelf) -> Anime:
    return shelf["Space story 05"]


@pytest.fixture
def anime_page(page: Page, anime: Anime) -> Page:
    sign_up(page)
    page.goto(anime.get_absolute_url())
    return page


def saved(page: Page, number: int, anime: Anime) -> None:
    expect(page.get_by_text(f"You rated {anime.name} {number}.")).to_be_visible()
    assert Rating.objects.get(anime=anime).score == number


def test_the_keyboard_reaches_moves_in_and_rates_and_keeps_the_focus(anime_page: Page, anime: Anime) -> None:
    page = anime_page
    score(page, 1).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(score(page, 3)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    saved(page, 2, anime)
    expect(score(page, 2)).to_be_focused()
    page.keyboard.press("9")
    saved(page, 9, anime)
    expect(score(page, 9)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("0")
    saved(page, 10, anime)


def test_a_pad_is_one_stop_of_the_tab_key(anime_page: Page, anime: Anime) -> None:
    page = anime_page
    score(page, 4).click()
    saved(page, 4, anime)
    score(page, 4).focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Plan to watch", exact=True)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(score(page, 4)).to_be_focused()


@mouse_and_touch
def test_undo_brings_back_what_was(anime_page: Page, device: Device, anime: Anime) -> None:
    page = anime_page
    device.press(score(page, 4))
    saved(page, 4, anime)
    device.press(score(page, 8))
    saved(page, 8, anime)
    device.press(page.get_by_role("button", name="Undo"))
    expect(page.get_by_text(f"Undone. You rated {anime.name} 4.")).to_be_visible()
    expect(score(page, 4)).to_have_attribute("aria-pressed", "true")
    expect(score(page, 8)).to_have_attribute("aria-pressed", "false")
    assert Rating.objects.get().score == 4
    device.press(page.get_by_role("button", name="Remove my rating"))
    expect(page.get_by_text("is removed.")).to_be_visible()
    assert not Rating.objects.exists()


def test_a_folded_pad_opens_rates_and_closes_by_keyboard(page: Page, anime: Anime) -> None:
    page.goto(f"/anime/?q={anime.name}")
    card = page.locator("#results .card").first
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(score(card, 1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(score(card, 1)).not_to_be_visible()
    expect(card.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(score(card, 1)).to_be_focused()
    page.keyboard.press("7")
    expect(page.get_by_text(f"You rated {anime.name} 7.")).to_be_visible()
    expect(card.locator("summary")).to_be_focused()
    expect(card.locator("summary")).to_contain_text("7")
    expect(score(card, 1)).not_to_be_visible()


def test_the_focus_stays_in_the_list_when_its_card_leaves(page: Page, shelf: Shelf) -> None:
    sign_up(page)
    cards = page.locator("#recommendations .card")
    second = cards.nth(1)
    title = second.locator("h3").inner_text()
    second.locator("summary").press("Enter")
    expect(score(second, 1)).to_be_focused()
    page.keyboard.press("9")
    expect(page.locator("#recommendations").get_by_role("link", name=title)).to_have_count(0)
    expect(cards.nth(1).locator("summary")).to_be_focused()


def test_a_finger_rates_on_a_narrow_screen(new_context: NewContext, shelf: Shelf) -> None:
    page = new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True).new_page()
    page.goto("/")
    card = page.locator(".starters .card").first
    button = score(card, 8)
    box = button.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 24
    button.tap()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="See your list").tap()
    expect(page.locator("#recommendations")).to_be_in_viewport()


@mouse_and_touch
def test_a_rating_shows_before_the_answer_and_goes_when_there_is_none(
    anime_page: Page, device: Device, anime: Anime
) -> None:
    page = anime_page
    device.press(score(page, 4))
    saved(page, 4, anime)
    waiting: list[Route] = []
    page.route("**/rate/", lambda route: waiting.append(route))
    device.press(score(page, 9))
    expect(score(page, 9)).to_have_attribute("aria-pressed", "true")
    assert Rating.objects.get().score == 4
    page.wait_for_function("() => true")
    waiting[0].fulfill(status=500, body="")
    expect(score(page, 4)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("That did not work. Please try again.")).to_be_visible()


@mouse_and_touch
def test_quick_ratings_are_all_kept_for_a_visitor(page: Page, device: Device, shelf: Shelf) -> None:
    page.goto("/")
    pads = page.locator(".starters .card")
    for i in range(6):
        device.press(score(pads.nth(i), 5 + i % 5))
    expect(page.get_by_role("heading", name="Because of your 6 ratings")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Because of your 6 ratings")).to_be_visible()
