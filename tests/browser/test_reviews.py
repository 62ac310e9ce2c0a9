"""Reviews in a real browser: done without the mouse, and accessible in every look."""

from typing import Any

from playwright.sync_api import Page, expect

from evaluation.judging.models import Review
from tests.browser.chromium import PASSWORD
from tests.browser.conftest import NewContext, sign_in
from tests.browser.test_every_page import every_look, problems
from tests.evaluation.judging import answers


def press(page: Page, key: str) -> None:
    """A key, once the page has its script."""
    page.wait_for_load_state("domcontentloaded")
    page.keyboard.press(key)


def test_twenty_reviews_without_the_mouse(page: Page, transactional_db: None) -> None:
    experiment = answers.small(n_people=3)
    answers.reviewer("mika", password=PASSWORD)
    sign_in(page, "mika")
    page.goto("/staff/review/")
    page.get_by_role("link", name="Begin").focus()
    page.keyboard.press("Enter")
    for number in range(20):
        expect(page.get_by_text(f"{number} / 27", exact=True)).to_be_visible()
        press(page, str(number % 10))
        expect(page.get_by_text("The judge", exact=True)).to_be_visible()
        if number == 4:
            press(page, "c")
            page.keyboard.type("A comment with a, d and 7")
            press(page, "Escape")
        press(page, "d" if number % 3 else "a")
    expect(page.get_by_text("20 / 27", exact=True)).to_be_visible()
    press(page, "s")
    expect(page.get_by_text("20 / 26", exact=True)).to_be_visible()
    done = list(Review.objects.filter(state=Review.State.DONE).order_by("pk"))
    assert [review.score for review in done] == [number % 10 or 10 for number in range(20)]
    assert [review.agrees for review in done] == [number % 3 == 0 for number in range(20)]
    assert [review.comment for review in done if review.comment] == ["A comment with a, d and 7"]
    assert Review.objects.filter(state=Review.State.SKIPPED).count() == 1
    assert experiment.judgements.exists()


@every_look
def test_reviews_are_accessible_and_calm(new_context: NewContext, transactional_db: None, look: dict[str, Any]) -> None:
    experiment = answers.small(n_people=1, length=1)
    answers.reviewer("mika", password=PASSWORD)
    page = new_context(reduced_motion="reduce", **look).new_page()
    sign_in(page, "mika")
    page.goto("/staff/review/")
    found = problems(page, "the queues")
    for number in range(3):
        page.goto(f"/staff/review/{experiment.pk}/")
        found += problems(page, "before the own score")
        press(page, "7")
        expect(page.get_by_text("The judge", exact=True)).to_be_visible()
        found += problems(page, "after the own score")
        press(page, "a")
        if number < 2:
            expect(page.get_by_text(f"{number + 1} / 3", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="You have reviewed everything here")).to_be_visible()
    found += problems(page, "the end")
    assert not found, "\n".join(found)
