"""Debian's Chromium, driven by Playwright, on a real server with a small story."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.story import Story, tell
from tests.conftest import start_server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOTS = os.environ.get("MODELKEEL_SCREENSHOTS")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def story() -> Iterator[Story]:
    """The filled server."""
    home = Path(tempfile.mkdtemp(prefix="mk"))
    running = start_server(home)
    try:
        yield tell(running)
    finally:
        running.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser; its absence is a failure with the remedy, not a silent skip."""
    if CHROMIUM is None:
        pytest.fail("The browser tests want Chromium: `apt-get install chromium` (as root, `make browser` does it).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def signed_in(
    browser: Browser, story: Story, token: str | None = None, width: int = 1440, theme: str = "light"
) -> BrowserContext:
    """A browser window of somebody: the owner, unless a token names another; an empty token is nobody."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    cookies = {} if token == "" else story.server.session(token)
    context.add_cookies([{"name": name, "value": value, "url": story.server.url} for name, value in cookies.items()])
    return context


def shot(page: Page, name: str) -> None:
    """Pictures of what the page shows now, wide and narrow, light and dark, where somebody wants to look at them."""
    if not SHOTS:
        return
    before = page.viewport_size
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=Path(SHOTS, f"{width}-{theme}-{name.replace(' ', '-')}.png"))
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)
