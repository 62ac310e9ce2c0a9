"""Every page, light and dark, wide and narrow: accessible, within the window, still while it loads, no complaints."""

import io
from functools import partial
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.template.loader import render_to_string
from playwright.sync_api import Page, Route

from catalog.models import Anime, ListStatus, MemberScores
from catalog.watchlists import importing
from tests import factories
from tests.browser.chromium import PASSWORD
from tests.browser.conftest import NewContext, sign_in
from tests.catalog.watchlists.test_watchlists import mal

VISITOR_PAGES = [
    "/",
    "/recommendations/",
    "/anime/",
    "/anime/?q=story&genre=nope",
    "/anime/?q=qqzzqqxx",
    "/anime/{anime}/",
    "/anime/{anime}/similar/",
    "/anime/999999/",
    "/offline/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
]
MEMBER_PAGES = [
    "/",
    "/?method=popularity",
    "/recommendations/?genre=school&without=space&novelty=50&like={anime}&fame=nope",
    "/recommendations/?genre=school&genre=space",
    "/anime/",
    "/anime/{anime}/",
    "/me/ratings/",
    "/me/ratings/?show=plan_to_watch",
    "/me/ratings/?show=dropped",
    "/me/ratings/?genre=school&type=nope",
    "/me/taste/",
    "/me/data/",
    "/me/data/import/",
    "/me/delete/",
    "/me/settings/",
    "/me/tokens/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/logout/",
]
ERRORS = {"400.html": 400, "403.html": 403, "403_csrf.html": 403, "429.html": 429, "500.html": 500}
AXE = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"target-size": {"enabled": True}},
}
LAYOUT_SHIFT = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => list.getEntries().forEach(e => { if (!e.hadRecentInput) sum += e.value; }))
    .observe({type: "layout-shift", buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})"""


def problems(page: Page, path: str) -> list[str]:
    found = [
        f"{path}: {violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in Axe().run(page, options=AXE).response["violations"]
        for node in violation["nodes"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{path}: wider than the window")
    if (shift := page.evaluate(LAYOUT_SHIFT)) > 0.02:
        found.append(f"{path}: moved while loading by {shift:.3f}")
    return found


LOOKS: list[dict[str, Any]] = [
    {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
]
every_look = pytest.mark.parametrize("look", LOOKS, ids=["light, wide", "dark, narrow"])


def visit(page: Page, path: str, anime: Anime) -> list[str]:
    path = path.format(anime=anime.pk)
    page.goto(path)
    for part in page.locator("[hx-trigger=load]").all():
        part.wait_for(state="detached")
    return problems(page, path)


@every_look
def test_what_a_visitor_sees_is_accessible_and_calm(
    new_context: NewContext, shelf: dict[str, Anime], look: dict[str, Any]
) -> None:
    factories.dataset(is_simulated=True)
    page = new_context(reduced_motion="reduce", **look).new_page()
    found = [problem for path in VISITOR_PAGES for problem in visit(page, path, shelf["School story 00"])]
    for template, status in ERRORS.items():
        body = render_to_string(template)
        page.route("**/broken/", partial(Route.fulfill, status=status, body=body, content_type="text/html"))
        found += [f"{template} {problem}" for problem in visit(page, "/broken/", shelf["School story 00"])]
    assert not found, "\n".join(found)


@every_look
def test_what_a_member_sees_is_accessible_and_calm(
    new_context: NewContext, shelf: dict[str, Anime], look: dict[str, Any]
) -> None:
    person = factories.user("mika", password=PASSWORD, is_staff=True)
    for i in range(8):
        factories.rating(person, shelf[f"School story {i:02}"], 10 - i)
        factories.list_entry(person, shelf[f"Space story {i:02}"], ListStatus.values[i % 2])
    anime = shelf["School story 00"]
    MemberScores.objects.create(dataset=factories.dataset(), anime=anime, counts=[1, 0, 0, 0, 2, 5, 9, 20, 30, 12])
    file = mal((anime.pk, 7, "Dropped"), (shelf["Space story 10"].pk, 7, "Completed"), (10**6, 5, "Dropped"))
    importing.remember(person, importing.read(io.BytesIO(file), "animelist.xml"))
    page = new_context(reduced_motion="reduce", **look).new_page()
    sign_in(page, "mika")
    found = [problem for path in MEMBER_PAGES for problem in visit(page, path, shelf["School story 00"])]
    visit(page, "/anime/", shelf["School story 00"])
    page.locator(".card summary").first.click()
    page.keyboard.press("8")
    page.locator(".notice").wait_for()
    page.locator(".card summary").nth(1).click()
    found += problems(page, "an open pad and a notice")
    assert not found, "\n".join(found)
