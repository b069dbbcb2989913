"""What people do on the page: check a proof, approve, go about by keyboard, see who they are."""

import json

from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import signed_in
from tests.browser.story import Story


def test_the_browser_checks_every_kind_of_proof(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    with story.server.client(story.server.token) as owner:
        last = owner.get("/api/v1/ledger/entries", params={"limit": 1}).json()["entries"][0]["index"]
    for index in (0, 1, last // 2, last):
        page.goto(f"{story.server.url}/ledger/{index}")
        expect(page.get_by_text("Verified in this browser")).to_be_visible()
    context.close()


def test_a_changed_entry_path_or_signature_is_noticed(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()

    def change(field: str, old: str, new: str) -> None:
        def forge(route: Route) -> None:
            answer = route.fetch()
            proof = json.loads(answer.text())
            value = proof[field]
            proof[field] = (
                [new + value[0][len(new) :], *value[1:]] if isinstance(value, list) else value.replace(old, new, 1)
            )
            assert proof[field] != value
            route.fulfill(response=answer, json=proof)

        page.unroute("**/proof")
        page.route("**/proof", forge)

    for field, old, new in (("entry", '"actor"', '"acter"'), ("path", "", "0000000000"), ("checkpoint", "— ", "— x")):
        change(field, old, new)
        page.goto(f"{story.server.url}/ledger/3")
        expect(page.get_by_text("Does not verify")).to_be_visible()
    context.close()


def test_an_approver_approves_and_nobody_else_can(chromium: Browser, story: Story):
    address = f"{story.server.url}/approvals/{story.waiting}"
    for token, hint in ((story.server.token, "somebody else decides"), ("", "You may not approve")):
        context = signed_in(chromium, story, token)
        page = context.new_page()
        page.goto(address)
        expect(page.get_by_text(hint)).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
        context.close()
    context = signed_in(chromium, story, story.approver)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog", name="Reject this promotion")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog).to_be_visible()  # a rejection wants a reason
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("textbox", name="Reason").fill("looked at the evidence")
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(page.get_by_text("looked at the evidence")).to_be_visible()
    expect(page.get_by_role("status").get_by_text("Approved")).to_be_visible()
    context.close()


def test_the_keyboard_is_enough(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(story.server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")
    page.keyboard.press("/")
    expect(page.get_by_role("textbox", name="Filter entries")).to_be_focused()
    page.keyboard.type("endpoint.created")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(3)  # the head and two entries
    page.goto(f"{story.server.url}/runs/{story.run}")
    page.get_by_role("tab", name="Overview").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Charts")).to_be_focused()
    expect(page.get_by_role("tab", name="Charts")).to_have_attribute("aria-selected", "true")
    context.close()


def test_the_menu_of_a_narrow_window_opens_and_closes(chromium: Browser, story: Story):
    context = signed_in(chromium, story, width=390)
    page = context.new_page()
    page.goto(story.server.url)
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Models")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(link).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    expect(link).to_be_hidden()
    context.close()


def test_who_you_are_and_the_theme_are_yours(chromium: Browser, story: Story):
    context = signed_in(chromium, story, token="")
    page = context.new_page()
    page.goto(story.server.url)
    page.get_by_label("You are anonymous").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.get_by_role("button", name="Use the dark theme").click()
    page.reload()
    expect(page.get_by_role("button", name="Use the light theme")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    context.close()


def test_a_server_that_is_away_is_said_plainly(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/models")
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_role("link", name="Costs").click()
    expect(page.get_by_role("alert")).to_contain_text("modelkeel up", timeout=15_000)
    context.close()
