"""My page and the whole list in a real browser: bring, take, draw, filter, explain, leave; stale tabs and no script."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from catalog.models import Anime, ListEntry, Rating, User
from tests import factories
from tests.browser.chromium import PASSWORD
from tests.browser.conftest import Device, NewContext, mouse_and_touch, sign_in, sign_up
from tests.catalog.watchlists.test_watchlists import mal

Shelf = dict[str, Anime]


def test_a_list_is_brought_looked_at_and_imported(page: Page, shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "animelist.xml"
    rated = [shelf[f"School story {i:02}"] for i in range(6)]
    file.write_bytes(mal(*[(one.pk, 8, "Completed") for one in rated], (10**6, 5, "Dropped")))
    sign_up(page)
    page.goto("/me/data/")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Read the file").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview of the import")
    expect(page.get_by_role("row").filter(has_text="No anime with the id 1000000")).to_be_visible()
    assert not Rating.objects.exists()
    page.get_by_role("button", name="Import 6 anime").click()
    expect(page.get_by_text("6 anime imported.")).to_be_visible()
    assert Rating.objects.count() == ListEntry.objects.count() == 6
    page.goto("/me/taste/")
    expect(page.get_by_role("img", name="How often I give each score")).to_be_visible()


def test_a_file_that_is_none_is_refused_beside_its_field(page: Page, shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "holiday.xml"
    file.write_bytes(b"\x89PNG not a list")
    sign_up(page)
    page.goto("/me/data/")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Read the file").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 1")


def test_everything_can_be_taken_away(page: Page, shelf: Shelf) -> None:
    sign_up(page)
    person = User.objects.get()
    factories.rating(person, shelf["School story 00"], 9)
    page.goto("/me/data/")
    for name, holds in (("CSV", "anime_id,title"), ("JSON", '"score": 9'), ("MyAnimeList", "<my_score>9</my_score>")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        text = Path(download.value.path()).read_text()
        assert holds in text
        assert "School story 00" in text


def test_an_account_is_deleted_with_its_password_only(page: Page, shelf: Shelf) -> None:
    sign_up(page)
    page.goto("/me/settings/")
    page.get_by_role("link", name="Delete my account").click()
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Incorrect password.")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_text("are deleted")).to_be_visible()
    assert not User.objects.exists()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def rater(shelf: Shelf) -> User:
    person = factories.user("mika", password=PASSWORD)
    for i in range(5):
        factories.rating(person, shelf[f"School story {i:02}"], 10)
    return person


def listed(page: Page) -> list[str]:
    return page.locator("#recommendations .card h3").all_inner_texts()


def test_filters_act_at_once_explain_and_come_back(page: Page, new_context: NewContext, shelf: Shelf) -> None:
    rater(shelf)
    sign_in(page, "mika")
    page.get_by_role("link", name="All recommendations, with filters").click()
    expect(page.locator("#recommendations .why").first).to_contain_text("Because you rated")
    page.evaluate("window.isTheSamePage = true")
    page.get_by_text("Filters", exact=True).click()
    page.locator("summary").get_by_text("With these genres").click()
    page.get_by_role("group", name="With these genres").get_by_label("Space", exact=True).check()
    expect(page.locator("#recommendations h3").first).to_contain_text("Space")
    expect(page).to_have_url(re.compile("genre=space"))
    assert all("Space" in title for title in listed(page))
    assert page.evaluate("window.isTheSamePage")
    other = new_context().new_page()
    other.goto(page.url)
    assert all("Space" in title for title in listed(other))
    page.go_back()
    expect(page.locator("#recommendations h3").first).to_contain_text("School")


def test_sliders_move_by_keyboard_and_more_like_this_narrows(page: Page, shelf: Shelf) -> None:
    rater(shelf)
    sign_in(page, "mika")
    page.goto("/recommendations/")
    page.get_by_label("Diversity").press("End")
    expect(page).to_have_url(re.compile("diversity=100"))
    page.locator("#recommendations .card").first.get_by_role("link", name=re.compile("^More like this")).click()
    expect(page.locator(".chips")).to_contain_text("More like")
    expect(page.get_by_label("Diversity")).to_have_value("100")


def test_without_script_filters_and_files_are_forms(new_context: NewContext, shelf: Shelf, tmp_path: Path) -> None:
    rater(shelf)
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, "mika")
    page.goto("/recommendations/?genre=space")
    page.get_by_role("button", name="Show the list").click()
    assert all("Space" in title for title in listed(page))
    page.goto("/recommendations/")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("Page 2")).to_be_visible()
    file = tmp_path / "mine.csv"
    file.write_text(f"anime_id,score\n{shelf['Space story 00'].pk},3\n")
    page.goto("/me/data/")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Read the file").click()
    page.get_by_role("button", name="Import 1 anime").click()
    assert Rating.objects.get(anime=shelf["Space story 00"]).score == 3


@mouse_and_touch
def test_what_is_said_in_a_tab_that_was_signed_out_is_kept(page: Page, device: Device, shelf: Shelf) -> None:
    rater(shelf)
    sign_in(page, "mika")
    address = shelf["Space story 05"].get_absolute_url()
    page.goto(address)
    other = page.context.new_page()
    other.goto("/accounts/logout/")
    device.press(other.get_by_role("main").get_by_role("button", name="Sign Out"))
    device.press(page.locator('.rate.large button[value="7"]'))
    expect(page.locator(".notice")).to_contain_text("sign up")
    sign_in(page, "mika")
    expect(page.get_by_text("saved in your account")).to_be_visible()
    assert Rating.objects.get(anime=shelf["Space story 05"]).score == 7


@mouse_and_touch
def test_a_second_click_does_no_harm(page: Page, device: Device, shelf: Shelf) -> None:
    sign_up(page)
    page.goto(shelf["Space story 05"].get_absolute_url())
    for _ in range(2):
        device.press(page.locator('.rate.large button[value="7"]'))
    page.locator(".notice").wait_for()
    expect(page.locator('.rate.large button[value="7"]')).to_have_attribute("aria-pressed", "true")
    assert Rating.objects.get().score == 7
