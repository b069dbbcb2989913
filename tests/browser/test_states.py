"""What the pages say while something is under way: an alert, its incident, a rollout in the shadow and in steps."""

from pathlib import Path

import httpx
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SHOTS, signed_in
from tests.browser.story import COLUMNS, Story


def test_an_alert_shows_its_evidence_and_is_acknowledged(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/alerts")
    page.get_by_role("table", name="Alerts, newest first").get_by_role("link", name="auc fell").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("auc fell")
    expect(page.get_by_text("On the reference")).to_be_visible()
    expect(page.get_by_role("table", name="The signal in each window, newest first")).to_contain_text("yes")
    page.get_by_role("button", name="Acknowledge").press("Enter")
    dialog = page.get_by_role("dialog", name="You look after this alert")
    dialog.get_by_role("textbox", name="Note").fill("the labels changed")
    dialog.get_by_role("button", name="Acknowledge").press("Enter")
    expect(page.get_by_text("the labels changed")).to_be_visible()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    page.get_by_role("link", name="what followed").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Incident at delays")
    for kind in ("incident.opened", "alert.raised", "alert.acknowledged"):
        expect(page.get_by_role("link", name=kind).first).to_be_visible()
    context.close()


def test_drift_is_drawn_against_the_reference(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/endpoints/delays?tab=watch")
    expect(page.get_by_role("img", name="Population stability index by window")).to_be_visible()
    expect(page.get_by_text("There is no reference")).to_have_count(0)
    page.goto(f"{story.server.url}/alerts")
    page.get_by_role("link", name="dep_delay drifted").click()
    expect(page.get_by_role("table", name="Distribution of dep_delay")).to_be_visible()
    context.close()


def test_a_rollout_is_followed_from_shadow_to_steps_and_ended(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/endpoints/canary")
    stages = page.get_by_role("list", name="Stages of the rollout").get_by_role("listitem")
    expect(stages).to_have_count(4)
    expect(page.locator("[aria-current=step]")).to_have_text("Shadow: 60 rows")
    with story.server.client(story.server.token) as owner:
        url = owner.get("/api/v1/endpoints/canary").json()["url"]
    body = {"dataframe_split": {"columns": COLUMNS, "data": [[0.5, 0.1]] * 100}}
    httpx.post(f"{url}/invocations", json=body, timeout=30).raise_for_status()
    expect(page.locator("[aria-current=step]")).to_contain_text("20 % of traffic", timeout=60_000)
    expect(page.get_by_text("plain 1: 80 %")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("plain 2: 20 %")).to_be_visible()
    if SHOTS:
        page.screenshot(path=Path(SHOTS, "1440-light-stepping.png"), full_page=True)
    page.get_by_role("button", name="End this rollout").click()
    dialog = page.get_by_role("dialog", name="End this rollout")
    dialog.get_by_role("textbox", name="Reason").fill("not this week")
    dialog.get_by_role("button", name="End it").click()
    expect(page.get_by_text("not this week")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("plain 1: 100 %")).to_be_visible(timeout=15_000)
    context.close()
