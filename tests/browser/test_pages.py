"""Every page opens with real data, without errors, in both themes, wide and narrow."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SHOTS, signed_in
from tests.browser.story import Story


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_every_page(chromium: Browser, story: Story, width: int, theme: str):
    context = signed_in(chromium, story, width=width, theme=theme)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda said: troubles.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("response", lambda got: troubles.append(f"{got.status} {got.url}") if got.status >= 400 else None)
    for at, (address, heading) in enumerate(story.pages().items()):
        page.goto(story.server.url + address)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        expect(page.get_by_role("status", name="Loading")).to_have_count(0)
        assert page.get_by_role("alert").count() == 0, f"{address}: {page.get_by_role('alert').first.inner_text()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{address} is wider than {width} px"
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert troubles == [], f"{address}: {troubles}"
        if SHOTS:
            page.screenshot(path=Path(SHOTS, f"{width}-{theme}-{at:02d}.png"), full_page=True)
    context.close()


def test_what_the_pages_say(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/models/delays/1")
    lineage = page.get_by_role("group", name="Lineage of the version")
    for part in ("january", "logistic", "delays 1", "approved by mara", "endpoint delays"):
        expect(lineage.get_by_text(part, exact=True)).to_be_visible()
    page.goto(f"{story.server.url}/runs/{story.run}?tab=charts")
    expect(page.get_by_role("img", name="loss, 400 points")).to_be_visible()
    page.goto(f"{story.server.url}/pipelines/{story.pipeline}")
    expect(page.get_by_role("group", name="Steps of the pipeline").get_by_text("ran 400 ms")).to_have_count(3)
    page.goto(f"{story.server.url}/predictions/{story.prediction}")
    expect(
        page.get_by_role("group", name="Origin of the prediction").get_by_text("january", exact=True)
    ).to_be_visible()
    page.goto(f"{story.server.url}/endpoints/delays?tab=watch")
    expect(page.get_by_role("img", name="auc by window")).to_be_visible()
    page.goto(f"{story.server.url}/endpoints/delays")
    expect(page.get_by_role("img", name="Predictions a second")).to_be_visible()
    context.close()


def test_a_wrong_filter_says_what_is_wrong(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/experiments/{story.experiment}")
    box = page.get_by_role("textbox", name="Filter runs")
    box.fill("metrics.loss >")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Invalid comparison clause")
    box.fill("params.depth = '8'")
    box.press("Enter")
    expect(page.get_by_role("link", name="long run")).to_be_visible()
    expect(page.get_by_role("link", name="logistic")).to_have_count(0)
    page.get_by_role("button", name="loss").click()
    expect(page.get_by_role("columnheader", name="loss")).to_have_attribute("aria-sort", "descending")
    context.close()
