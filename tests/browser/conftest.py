"""A real browser, a real server, and a small catalogue of two kinds with a model that tells them apart."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response, sync_playwright
from pytest_django.live_server_helper import LiveServer

from catalog.models import ADULT_GENRE, Anime
from tests import factories
from tests.browser.chromium import CHROMIUM_ARGUMENTS, PASSWORD

NewContext = Callable[..., BrowserContext]


@dataclass(frozen=True)
class Device:
    """A desktop with a mouse, or a phone with a touch screen."""

    name: str
    options: dict[str, Any]

    @property
    def is_touch(self) -> bool:
        return bool(self.options.get("has_touch"))

    def press(self, target: Locator) -> None:
        if self.is_touch:
            target.tap()
        else:
            target.click()


MOUSE = Device("mouse", {"viewport": {"width": 1280, "height": 900}})
TOUCH = Device("touch", {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True})
#: For a test that takes `device`: it runs once with each, and its `page` is on that device.
mouse_and_touch = pytest.mark.parametrize("device", [MOUSE, TOUCH], indirect=True, ids=lambda device: device.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's own event loop runs in this thread; the tests' queries beside it wait for nothing.
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def new_context(browser: Browser, live_server: LiveServer) -> Iterator[NewContext]:
    """Contexts, each a browser of its own; when the test ends, none of their pages may have complained."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def listen(message: ConsoleMessage) -> None:
        # What a test provokes, an error answer or no network, is told by Chromium and htmx; the rest is ours.
        told = ("Failed to load resource", "Response Status Error Code")
        if message.type == "error" and not message.text.startswith(told):
            complaints.append(message.text)

    def check(response: Response) -> None:
        if response.status >= 400 and "/static/" in response.url:
            complaints.append(f"{response.status} {response.url}")

    def watch(page: Page) -> None:
        page.on("crash", lambda _: complaints.append(f"The tab crashed on {page.url}."))

    def new(**options: Any) -> BrowserContext:
        context = browser.new_context(
            base_url=live_server.url,
            **{"service_workers": "block", **MOUSE.options, **options},
        )
        context.set_default_timeout(10_000)
        context.on("page", watch)
        context.on("console", listen)
        context.on("response", check)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return context

    yield new
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Device:
    device: Device = getattr(request, "param", MOUSE)
    return device


@pytest.fixture
def page(new_context: NewContext, device: Device) -> Page:
    return new_context(**device.options).new_page()


@pytest.fixture
def shelf(transactional_db: None, artifacts_dir: Path) -> dict[str, Anime]:
    """Twenty anime about space and twenty about school; the model puts the two at right angles."""
    shelf = {
        f"{kind} story {i:02}": factories.anime(
            f"{letter * 4} {kind} story {i:02}",
            genres=(kind, f"Mood {i}"),
            members=100_000 - i * 1000 - (kind == "School"),
            score=9 - i / 10 - (kind == "School") / 20,
        )
        for i, letter in enumerate("ABCDEFGHIJKLMNOPQRST")
        for kind in ("Space", "School")
    }
    factories.published_model(
        {a.pk: [1.0, 0.01 * i] if "Space" in a.name else [0.01 * i, 1.0] for i, a in enumerate(shelf.values())}
    )
    return shelf


@pytest.fixture
def adult(shelf: dict[str, Anime]) -> Anime:
    return factories.anime("Adult story", genres=(ADULT_GENRE,), members=10**6)


def sign_up(page: Page, name: str = "mika") -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Email").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign Up").click()
    page.wait_for_url("**/")


def sign_in(page: Page, name: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Login").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    page.wait_for_url("**/")
