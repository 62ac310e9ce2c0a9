"""The API's page for reading and trying, under the site's policy: a refused script or style is a complaint."""

from playwright.sync_api import Page, expect

from tests import factories


def test_an_operation_is_read_and_tried(page: Page, transactional_db: None) -> None:
    factories.anime("Cowboy Bebop", mal_id=1)
    page.goto("/api/docs/")
    operation = page.locator("#operations-anime-anime_list")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("Cowboy Bebop")
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px"
