"""What people come for: try, rate, sign up, keep, search, and be left alone by what they did not ask for."""

import re

from playwright.sync_api import BrowserContext, Page, expect

from catalog.models import Anime, Rating, User
from tests import factories
from tests.browser.chromium import PASSWORD
from tests.browser.conftest import Device, NewContext, mouse_and_touch, sign_in, sign_up

Shelf = dict[str, Anime]


def listed(page: Page) -> list[str]:
    return page.locator("#recommendations .card h3").all_inner_texts()


def rate(page: Page, device: Device, title: str, score: int) -> None:
    """Press a score in the pad that lies open under a cover."""
    pad = page.get_by_role("group", name=f"Your rating of {title}, from 1 to 10")
    device.press(pad.get_by_role("button", name=re.compile(rf"^{score}\b")))


def school(page: Page) -> list[str]:
    return [title for title in page.locator(".starters h3").all_inner_texts() if "School" in title]


@mouse_and_touch
def test_sign_up_rate_three_and_the_list_is_mine_at_once(page: Page, device: Device, shelf: Shelf) -> None:
    sign_up(page)
    expect(page.get_by_role("heading", name="Popular with the community")).to_be_visible()
    cold = listed(page)
    page.evaluate("window.isTheSamePage = true")
    titles = school(page)[:3]
    for count, title in enumerate(titles, 1):
        rate(page, device, title, 10)
        expect(
            page.get_by_role(
                "heading", name=f"Because of your {count} rating" if count > 1 else "Because of your rating"
            )
        ).to_be_visible()
    expect(page.locator("#recommendations .why").first).to_contain_text("Because you rated")
    mine = listed(page)
    assert mine != cold
    assert all("School" in title for title in mine[:5])
    assert not set(titles) & set(mine)
    assert page.evaluate("window.isTheSamePage")
    assert {r.anime.name: r.score for r in Rating.objects.all()} == dict.fromkeys(titles, 10)


@mouse_and_touch
def test_a_visitor_tries_and_keeps_it_by_signing_up(page: Page, device: Device, shelf: Shelf) -> None:
    page.goto("/")
    title = school(page)[0]
    rate(page, device, title, 9)
    expect(page.get_by_text(f"You rated {title} 9.")).to_be_visible()
    expect(page.get_by_role("heading", name="Because of your rating")).to_be_visible()
    assert not Rating.objects.exists()
    device.press(page.get_by_role("status").get_by_role("link", name="sign up"))
    sign_up(page)
    expect(page.get_by_text("Your ratings and list entries of 1 anime are saved in your account.")).to_be_visible()
    expect(page.get_by_role("heading", name="Because of your rating")).to_be_visible()
    rating = Rating.objects.get()
    assert (rating.user.username, rating.anime.name, rating.score) == ("mika", title, 9)


@mouse_and_touch
def test_the_account_is_the_same_in_another_browser(
    page: Page, device: Device, new_context: NewContext, shelf: Shelf
) -> None:
    sign_up(page)
    title = school(page)[0]
    rate(page, device, title, 7)
    expect(page.get_by_text(f"You rated {title} 7.")).to_be_visible()
    other = new_context().new_page()
    sign_in(other, "mika")
    other.goto("/me/ratings/")
    row = other.get_by_role("listitem").filter(has_text=title)
    expect(row.get_by_role("button", name=re.compile("^7"))).to_have_attribute("aria-pressed", "true")


def test_search_follows_the_typing_and_the_back_button(page: Page, shelf: Shelf) -> None:
    page.goto("/anime/")
    page.get_by_role("searchbox", name="Title").press_sequentially("CCCC Space")
    expect(page.locator("#results .card h3")).to_have_text(["CCCC Space story 02"])
    expect(page.locator("#count")).to_contain_text("1 anime")
    expect(page).to_have_url(re.compile(r"\?q=CCCC\+Space|q=CCCC%20Space"))
    page.get_by_role("link", name="CCCC Space story 02").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("CCCC Space story 02")
    page.go_back()
    expect(page.get_by_role("searchbox", name="Title")).to_have_value("CCCC Space")
    expect(page.locator("#results .card h3")).to_have_text(["CCCC Space story 02"])


def test_filters_act_at_once_and_can_be_shared(page: Page, new_context: NewContext, shelf: Shelf) -> None:
    page.goto("/anime/")
    page.get_by_label("Genre").select_option("School")
    expect(page.locator("#count")).to_contain_text("20 anime")
    page.get_by_label("Sort by").select_option("Title")
    expect(page.locator("#results h3").first).to_have_text("AAAA School story 00")
    expect(page).to_have_url(re.compile(r"/anime/\?genre=school&sort=title$"))
    address = page.url
    other = new_context().new_page()
    other.goto(address)
    expect(other.locator("#results h3").first).to_have_text("AAAA School story 00")
    expect(other.get_by_label("Genre")).to_have_value("school")


@mouse_and_touch
def test_a_list_status_moves_the_anime_out_of_the_list(page: Page, device: Device, shelf: Shelf) -> None:
    sign_up(page)
    first = listed(page)[0]
    device.press(page.get_by_role("button", name=f"Not interested in {first}"))
    expect(page.get_by_text(f"{first}: Not interested.")).to_be_visible()
    expect(page.locator("#recommendations").get_by_role("link", name=first)).to_have_count(0)
    device.press(page.get_by_role("button", name="Undo"))
    expect(page.locator("#recommendations h3").first).to_have_text(first)


def test_adult_titles_show_once_asked_for_and_not_before(page: Page, adult: Anime) -> None:
    sign_up(page)
    assert page.goto(adult.get_absolute_url()).status == 404  # type: ignore[union-attr]
    page.goto("/me/settings/")
    page.get_by_label("show adult titles").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your settings are saved.")).to_be_visible()
    page.goto("/anime/")
    expect(page.locator("#results h3").first).to_have_text("Adult story")
    assert page.goto(adult.get_absolute_url()).status == 200  # type: ignore[union-attr]
    page.goto("/me/settings/")
    page.get_by_label("show adult titles").uncheck()
    page.get_by_role("button", name="Save").click()
    page.goto("/anime/")
    expect(page.locator("#results h3").first).not_to_have_text("Adult story")


@mouse_and_touch
def test_without_script_everything_is_a_form_or_a_link(new_context: NewContext, device: Device, shelf: Shelf) -> None:
    page = new_context(java_script_enabled=False, **device.options).new_page()
    sign_up(page)
    title = school(page)[0]
    rate(page, device, title, 8)
    expect(page.get_by_text(f"You rated {title} 8.")).to_be_visible()
    expect(page.get_by_role("heading", name="Because of your rating")).to_be_visible()
    device.press(page.get_by_role("link", name="Browse", exact=True).first)
    page.get_by_role("searchbox", name="Title").fill("CCCC Space")
    device.press(page.get_by_role("button", name="Search"))
    card = page.locator("#results .card").first
    device.press(card.locator("summary"))
    device.press(card.get_by_role("button", name=re.compile("^3")))
    expect(page).to_have_url(re.compile("q=CCCC"))
    expect(page.get_by_text("You rated CCCC Space story 02 3.")).to_be_visible()
    device.press(page.get_by_role("link", name="CCCC Space story 02"))
    device.press(page.get_by_role("link", name="Anime like CCCC Space story 02"))
    expect(page.locator(".similar h3").first).to_contain_text("Space")
    assert dict(Rating.objects.values_list("anime__name", "score")) == {title: 8, "CCCC Space story 02": 3}


@mouse_and_touch
def test_a_tab_that_was_open_before_signing_in_still_saves(page: Page, device: Device, shelf: Shelf) -> None:
    factories.user("mika", password=PASSWORD)
    anime = shelf["Space story 05"]
    page.goto(anime.get_absolute_url())
    sign_in(page.context.new_page(), "mika")
    device.press(page.get_by_role("button", name=re.compile("^6")))
    expect(page.get_by_text(f"You rated {anime.name} 6.")).to_be_visible()
    assert Rating.objects.get(user__username="mika").score == 6


def test_signing_up_with_a_double_click_makes_one_account(page: Page, shelf: Shelf) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("Username").fill("mika")
    page.get_by_label("Email").fill("mika@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign Up").dblclick()
    page.wait_for_url("**/")
    expect(page.locator("header .menu")).to_contain_text("mika")


def test_a_form_that_was_open_before_signing_in_and_out_can_still_be_sent(page: Page, shelf: Shelf) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("Username").fill("mika")
    factories.user("other", password=PASSWORD)
    other = page.context.new_page()
    sign_in(other, "other")
    page.context.clear_cookies(name="sessionid")
    page.get_by_label("Email").fill("mika@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign Up").click()
    page.wait_for_url("**/")
    expect(page.locator("header .menu")).to_contain_text("mika")


@mouse_and_touch
def test_a_tab_whose_session_ended_keeps_the_rating_for_the_next_sign_in(
    page: Page, device: Device, shelf: Shelf
) -> None:
    user: User = factories.user("mika", password=PASSWORD)
    sign_in(page, "mika")
    anime = shelf["Space story 05"]
    page.goto(anime.get_absolute_url())
    page.context.clear_cookies(name="sessionid")
    device.press(page.get_by_role("button", name=re.compile("^6")))
    expect(page.get_by_text("Kept for this visit")).to_be_visible()
    assert not user.ratings.exists()
    sign_in(page, "mika")
    assert user.ratings.get().score == 6


def test_the_theme_is_remembered(page: Page, shelf: Shelf) -> None:
    page.goto("/anime/")
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Dark colours").click()
    expect(page.get_by_role("button", name="Dark colours")).to_have_attribute("aria-pressed", "true")
    response = page.goto("/anime/")
    assert response is not None
    assert 'data-theme="dark"' in response.text()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 20, 29)"


def test_offline_has_a_page_of_its_own(new_context: NewContext, shelf: Shelf) -> None:
    context: BrowserContext = new_context(service_workers="allow")
    page = context.new_page()
    page.goto("/anime/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    context.set_offline(True)
    page.goto("/anime/?page=2")
    expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    context.set_offline(False)
    page.wait_for_function("() => fetch('/healthz').then(answer => answer.ok, () => false)")
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", name="Browse anime")).to_be_visible()
