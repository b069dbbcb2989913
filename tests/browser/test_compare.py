"""Runs are chosen in the table and compared on a page of their own, which can be shared by its address."""

import re

from playwright.sync_api import Browser, expect

from tests.browser.conftest import signed_in
from tests.browser.story import Story


def test_runs_are_chosen_and_compared(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/experiments/{story.experiment}")
    compare = page.get_by_role("button", name="Compare")
    page.get_by_role("checkbox", name="Choose long run").check()
    expect(compare).to_be_disabled()  # one run has nothing beside it
    box = page.get_by_role("checkbox", name="Choose quick run")
    box.focus()
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    compare.press("Enter")
    expect(page).to_have_url(re.compile(rf"/compare\?runs={story.run},{story.other}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare runs")
    expect(page.get_by_role("img", name=re.compile("loss, .*long run: last .*quick run: last"))).to_be_visible()
    params = page.get_by_role("region", name="Params")
    expect(params.get_by_role("row", name="pace (differs) 500 100")).to_be_visible()
    expect(params.get_by_role("row", name="depth 8 8")).to_be_visible()
    page.get_by_role("checkbox", name="Only what differs").check()
    expect(params.get_by_role("row", name="depth 8 8")).to_have_count(0)
    expect(page.get_by_role("region", name="About the runs").get_by_text("$").first).to_be_visible()
    context.close()


def test_a_comparison_without_runs_says_how_to_choose_them(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/compare?runs={story.run}")
    expect(page.get_by_text("Choose at least two runs")).to_be_visible()
    page.goto(f"{story.server.url}/compare?runs={story.run},{'0' * 32}")
    expect(page.get_by_role("alert")).to_contain_text("0" * 32)
    context.close()
