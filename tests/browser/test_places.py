"""What an action leaves alone: where the page is scrolled to, and a focus that is in sight, on every list page."""

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from catalog.models import Anime, ListStatus
from tests import factories
from tests.browser.chromium import PASSWORD
from tests.browser.conftest import Device, mouse_and_touch, sign_in
from tests.browser.test_rating import score

Shelf = dict[str, Anime]
#: How far the page is scrolled, and on a desktop's home the list within it.
SCROLLED = """() => [Math.round(scrollY), Math.round(document.querySelector(".live-list")?.scrollTop ?? 0)]"""
BELOW_THE_FIRST_ROW = 8


def is_list(request: Request) -> bool:
    return request.method == "GET" and "/recommendations/" in request.url


def scrolled_to(page: Page, card: Locator) -> list[int]:
    card.evaluate("card => card.scrollIntoView({block: 'center'})")
    place: list[int] = page.evaluate(SCROLLED)
    assert max(place) > 0
    return place


def expect_focus(control: Locator) -> None:
    expect(control).to_be_focused()
    expect(control).to_be_in_viewport(ratio=1)


def act(device: Device, card: Locator, action: str) -> None:
    if action == "rate":
        device.press(card.locator("summary"))
        device.press(score(card, 8))
    else:
        device.press(card.locator(f"[data-value={action}]"))


@mouse_and_touch
@pytest.mark.parametrize("path", ["/", "/recommendations/"])
def test_a_list_stays_where_it_is_when_a_card_leaves_and_comes_back(
    page: Page, device: Device, shelf: Shelf, path: str
) -> None:
    page.goto(path)
    cards = page.locator("#recommendations .card")
    card = cards.nth(BELOW_THE_FIRST_ROW)
    for action in ("not_interested", "plan_to_watch", "rate"):
        title = card.locator("h3").inner_text()
        in_list = page.locator("#recommendations").get_by_role("link", name=title, exact=True)
        place = scrolled_to(page, card)
        act(device, card, action)
        expect(in_list).to_have_count(0)
        expect_focus(card.locator("summary"))
        assert page.evaluate(SCROLLED) == place
        expect(page.locator("#notice")).to_contain_text(title)
        device.press(page.get_by_role("button", name="Undo"))
        expect(card.locator("h3")).to_have_text(title)
        expect_focus(card.locator("summary"))
        assert page.evaluate(SCROLLED) == place
        expect(page.locator("#notice")).to_contain_text("Undone.")


@mouse_and_touch
@pytest.mark.parametrize("path", ["/anime/", "/anime/?q=story", "/recommendations/?planned=on"])
def test_a_card_that_stays_keeps_the_focus(page: Page, device: Device, shelf: Shelf, path: str) -> None:
    page.goto(path)
    card = page.locator(".card").nth(BELOW_THE_FIRST_ROW)
    title = card.locator("h3").inner_text()
    place = scrolled_to(page, card)
    plan = card.locator("[data-value=plan_to_watch]")
    device.press(plan)
    expect(page.locator("#notice")).to_contain_text(title)
    expect(plan).to_have_attribute("aria-pressed", "true")
    expect_focus(plan)
    assert page.evaluate(SCROLLED) == place
    device.press(page.get_by_role("button", name="Undo"))
    expect(page.locator("#notice")).to_contain_text("Undone.")
    expect(plan).to_have_attribute("aria-pressed", "false")
    expect(card.locator(":focus")).to_be_in_viewport(ratio=1)
    assert page.evaluate(SCROLLED) == place


@mouse_and_touch
def test_a_pad_that_closes_in_a_search_keeps_the_focus(page: Page, device: Device, shelf: Shelf) -> None:
    page.goto("/anime/?q=story")
    card = page.locator(".card").nth(BELOW_THE_FIRST_ROW)
    place = scrolled_to(page, card)
    act(device, card, "rate")
    expect(page.locator("#notice")).to_contain_text("8.")
    expect(score(card, 8)).not_to_be_visible()
    expect_focus(card.locator("summary"))
    page.locator(".notice").evaluate("notice => notice.dataset.isOld = 'yes'")
    act(device, card, "rate")
    expect(page.locator(".notice:not([data-is-old])")).to_be_visible()
    device.press(page.locator("[data-close-notice]"))
    expect(page.locator(".notice")).to_have_count(0)
    expect_focus(card.locator("summary"))
    assert page.evaluate(SCROLLED) == place


@mouse_and_touch
@pytest.mark.parametrize("path", ["/me/ratings/", "/me/ratings/?show=plan_to_watch"])
def test_rows_of_my_lists_stay_where_they_are(page: Page, device: Device, shelf: Shelf, path: str) -> None:
    person = factories.user("mika", password=PASSWORD)
    for anime in shelf.values():
        factories.rating(person, anime, 6)
        factories.list_entry(person, anime, ListStatus.PLAN_TO_WATCH)
    sign_in(page, "mika")
    page.goto(path)
    row = page.locator(".row").nth(BELOW_THE_FIRST_ROW)
    place = scrolled_to(page, row)
    device.press(score(row, 9))
    expect(page.locator("#notice")).to_contain_text("9.")
    expect_focus(score(row, 9))
    device.press(row.get_by_role("button", name="Remove"))
    expect(page.locator("#notice")).to_contain_text("removed")
    expect_focus(score(row, 1))
    device.press(row.locator("summary"))
    device.press(row.get_by_role("button", name="Dropped"))
    expect(page.locator("#notice")).to_contain_text("Dropped")
    expect(row.locator("summary")).to_contain_text("Dropped")
    expect_focus(row.locator("summary"))
    device.press(page.get_by_role("button", name="Undo"))
    expect(row.locator("summary")).to_contain_text("Plan to watch")
    expect(row.locator(":focus")).to_be_in_viewport(ratio=1)
    assert page.evaluate(SCROLLED) == place


@mouse_and_touch
def test_presses_in_quick_succession_all_count(page: Page, device: Device, shelf: Shelf) -> None:
    """The list arrives again after the first of three, while the second is on its way and the third still waits."""
    page.goto("/recommendations/")
    held: list[Route] = []
    page.route("**/status/", lambda route: held.append(route))
    cards = page.locator("#recommendations .card")
    titles = [cards.nth(i).locator("h3").inner_text() for i in range(3)]
    hide = [cards.nth(i).locator("[data-value=not_interested]") for i in range(3)]
    with page.expect_request("**/status/"):
        device.press(hide[0])
    device.press(hide[1])
    device.press(hide[2])
    with page.expect_request("**/status/"), page.expect_event("requestfinished", is_list):
        held[0].continue_()
    with page.expect_request("**/status/"):
        held[1].continue_()
    page.wait_for_function("() => true")
    held[2].continue_()
    for title in titles:
        expect(page.locator("#recommendations").get_by_role("link", name=title, exact=True)).to_have_count(0)


@mouse_and_touch
def test_a_list_follows_the_press_that_worked_where_the_next_failed(page: Page, device: Device, shelf: Shelf) -> None:
    page.goto("/recommendations/")
    held: list[Route] = []
    page.route("**/status/", lambda route: held.append(route))
    cards = page.locator("#recommendations .card")
    titles = [cards.nth(i).locator("h3").inner_text() for i in range(2)]
    hide = [cards.nth(i).locator("[data-value=not_interested]") for i in range(2)]
    with page.expect_request("**/status/"):
        device.press(hide[0])
    device.press(hide[1])
    with page.expect_request("**/status/"), page.expect_event("requestfinished", is_list):
        held[0].continue_()
    page.wait_for_function("() => true")
    held[1].fulfill(status=500, body="")
    expect(page.get_by_text("That did not work. Please try again.")).to_be_visible()
    in_list = page.locator("#recommendations")
    expect(in_list.get_by_role("link", name=titles[0], exact=True)).to_have_count(0)
    expect(in_list.get_by_role("link", name=titles[1], exact=True)).to_have_count(1)


def test_the_keyboard_hides_undoes_and_closes_without_losing_its_place(page: Page, shelf: Shelf) -> None:
    page.goto("/recommendations/")
    card = page.locator("#recommendations .card").nth(BELOW_THE_FIRST_ROW)
    title = card.locator("h3").inner_text()
    place = scrolled_to(page, card)
    hide = card.locator("[data-value=not_interested]")
    hide.focus()
    page.keyboard.press("Enter")
    expect(card.locator("h3")).not_to_have_text(title)
    expect_focus(card.locator("summary"))
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(card.locator("h3")).to_have_text(title)
    expect_focus(card.locator("summary"))
    page.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_have_count(0)
    expect_focus(card.locator("summary"))
    assert page.evaluate(SCROLLED) == place
