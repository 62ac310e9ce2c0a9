"""`make screenshots`: pictures of every page, wide and narrow, light and dark, from a site that really runs.

Starts the whole site (`manage.py up`) on data of its own under var/screenshots: the real ratings beside the
repository where they are, else the demo. Signs up, rates and lists through the pages, as a person would. All pictures
go to var/screenshots, and those that README shows to docs/images.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.chromium import CHROMIUM_ARGUMENTS, PASSWORD

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "var" / "screenshots"
README_IMAGES = ROOT / "docs" / "images"
DATA = ROOT.parent / "shared" / "data" / "anime"
LOOKS: dict[str, dict[str, object]] = {
    "wide-light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "wide-dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True},
}
TRAINING_TIMEOUT_S = 1800
TRIGUN = "/anime/6/"
VISITOR_PAGES = {
    "browse": "/anime/",
    "search": "/anime/?q=cowboy",
    "nothing-found": "/anime/?q=qqzzqqxx",
    "anime": TRIGUN,
    "not-found": "/anime/999999999/",
    "offline": "/offline/",
    "recommendations-visitor": "/recommendations/",
    "sign-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "password-reset": "/accounts/password/reset/",
}
MEMBER_PAGES = {
    "home": "/",
    "anime-rated": TRIGUN,
    "recommendations": "/recommendations/?novelty=30&diversity=30&without=ecchi&score=7.5",
    "more-like-trigun": "/recommendations/?like=6",
    "my-taste": "/me/taste/",
    "import-and-export": "/me/data/",
    "delete-account": "/me/delete/",
    "my-ratings": "/me/ratings/",
    "my-list": "/me/ratings/?show=plan_to_watch",
    "settings": "/me/settings/",
    "tokens": "/me/tokens/",
    "e-mail": "/accounts/email/",
    "password": "/accounts/password/change/",
    "sign-out": "/accounts/logout/",
}
#: What the member of the pictures thinks of some well-known anime, by MyAnimeList id.
RATINGS = {6: 9, 1: 10, 30: 9, 5114: 8, 9253: 10, 43: 8, 164: 9, 19: 9, 2001: 7, 11061: 6}
PLANNED = (467, 457, 820)
IN_README = {
    "visitor-rated-wide-light": "try",
    "home-wide-light": "home",
    "recommendations-wide-dark": "recommendations",
    "anime-rated-wide-light": "anime",
    "my-taste-wide-dark": "my-taste",
    "home-phone-dark": "phone",
}


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("error: the pictures need Chromium. Install it (apt-get install chromium).")
    OUT.mkdir(parents=True, exist_ok=True)
    README_IMAGES.mkdir(parents=True, exist_ok=True)
    with running_site() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        become_a_member(browser, address)
        wait_for_the_second_model(browser, address)
        for look, options in LOOKS.items():
            take_all(browser, address, look, options)
        browser.close()
    for picture, name in IN_README.items():
        shutil.copy(OUT / f"{picture}.png", README_IMAGES / f"{name}.png")
    print(f"{len(list(OUT.glob('*.png')))} pictures in {OUT}, {len(IN_README)} of them in {README_IMAGES}")


@contextmanager
def running_site() -> Iterator[str]:
    """The address of a site that has loaded its data and serves a trained model."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {
        **os.environ,
        "VAR_DIR": str(OUT / "site"),
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
    }
    if DATA.is_dir():
        environment["DATASET"] = str(DATA)
    site = subprocess.Popen(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert site.stdout is not None
        for line in site.stdout:
            print(line, end="", flush=True)
            if line.startswith("Open "):
                break
        else:
            sys.exit(f"error: the site did not start; its logs are in {OUT / 'site' / 'log'}")
        yield f"http://localhost:{port}"
    finally:
        site.send_signal(signal.SIGINT)
        site.communicate(timeout=300)  # a training in progress saves its checkpoint first


def become_a_member(browser: Browser, address: str) -> None:
    """Sign up, rate and list through the pages; what was there from the last time is kept."""
    with context_of(browser, address, {}) as context:
        page = context.new_page()
        if not sign_in(page):
            page.goto("/accounts/signup/")
            page.get_by_label("Username").fill("mika")
            page.get_by_label("Email").fill("mika@example.com")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign Up").click()
        for anime, score in RATINGS.items():
            say(page, anime, f'.rate.large button[value="{score}"]')
        for anime in PLANNED:
            say(page, anime, '.list-status [data-value="plan_to_watch"]')


def wait_for_the_second_model(browser: Browser, address: str) -> None:
    """A new site serves a model that is ready in seconds until a better one is, which alone predicts their ratings."""
    deadline = time.monotonic() + TRAINING_TIMEOUT_S
    with context_of(browser, address, {}) as context:
        page = context.new_page()
        sign_in(page)
        while not page.locator("#recommendations .predicted").count():
            if time.monotonic() > deadline:
                sys.exit(f"error: no better model after {TRAINING_TIMEOUT_S} s; see {OUT / 'site' / 'log'}")
            page.wait_for_timeout(2000)
            page.goto("/")


def say(page: Page, anime: int, button: str) -> None:
    response = page.goto(f"/anime/{anime}/")
    if response is None or response.status != 200:
        return  # the demo's catalogue may not have it
    if page.locator(button).get_attribute("aria-pressed") == "false":
        page.locator(button).click()
        page.locator(".notice").wait_for()


def sign_in(page: Page) -> bool:
    page.goto("/accounts/login/")
    page.get_by_label("Login").fill("mika")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    return page.locator("header .menu").count() > 0


def take_all(browser: Browser, address: str, look: str, options: dict[str, object]) -> None:
    with context_of(browser, address, options) as context:
        page = context.new_page()
        page.goto("/")
        take(page, f"visitor-{look}")
        for index, score in ((1, 9), (3, 8), (0, 4)):
            page.locator(".starters .card").nth(index).locator(f'button[value="{score}"]').click()
            page.locator(".notice").wait_for()
        page.get_by_text("Because of your 3 ratings").wait_for()
        page.locator("[data-close-notice]").click()
        page.evaluate("scrollTo(0, 0)")
        take(page, f"visitor-rated-{look}")
        for name, path in VISITOR_PAGES.items():
            page.goto(path)
            take(page, f"{name}-{look}")
    with context_of(browser, address, options) as context:
        page = context.new_page()
        sign_in(page)
        for name, path in MEMBER_PAGES.items():
            page.goto(path)
            take(page, f"{name}-{look}")
        page.goto("/")
        page.locator("#recommendations .card summary").nth(1).click()
        take(page, f"rate-{look}")


def take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=OUT / f"{name}.png", animations="disabled")


@contextmanager
def context_of(browser: Browser, address: str, options: dict[str, object]) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=address, service_workers="block", **options)  # type: ignore[arg-type]
    yield context
    context.close()


if __name__ == "__main__":
    main()
