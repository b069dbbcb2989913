"""Who works here, and who may do what: the members page, by an admin and by somebody else."""

from playwright.sync_api import Browser, expect

from tests.browser.conftest import signed_in
from tests.browser.story import Story


def test_an_admin_adds_somebody_changes_a_role_and_denies_an_experiment(chromium: Browser, story: Story):
    context = signed_in(chromium, story)
    page = context.new_page()
    page.goto(f"{story.server.url}/members")
    page.get_by_role("button", name="Add a member").press("Enter")
    dialog = page.get_by_role("dialog", name="Add a member")
    dialog.get_by_role("textbox", name="Name").fill("nils")
    page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text="nils")
    expect(row).to_contain_text("contributor")
    page.get_by_role("button", name="Roles of nils").click()
    page.get_by_role("dialog").get_by_role("checkbox", name="maintainer").click()
    expect(page.get_by_role("dialog").get_by_role("checkbox", name="maintainer")).to_be_checked(timeout=15_000)
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(row).to_contain_text("maintainer")
    page.get_by_role("tab", name="Grants").click()
    page.get_by_role("button", name="Grant or deny").click()
    dialog = page.get_by_role("dialog", name="Grant or deny")
    dialog.get_by_role("combobox", name="Who").select_option(label="nils")
    dialog.get_by_role("combobox", name="On").select_option(label="experiment delays pipeline")
    dialog.get_by_role("combobox", name="Effect").select_option("deny")
    dialog.get_by_role("button", name="Deny").click()
    denial = page.get_by_role("row").filter(has_text="Denied")
    expect(denial).to_contain_text("experiment delays pipeline")
    page.get_by_role("button", name="Take back from nils").click()
    page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(denial).to_have_count(0)
    context.close()


def test_others_see_members_and_change_nothing(chromium: Browser, story: Story):
    context = signed_in(chromium, story, story.approver)
    page = context.new_page()
    page.goto(f"{story.server.url}/members")
    expect(page.get_by_role("row").filter(has_text="mara")).to_contain_text("approver")
    expect(page.get_by_role("button", name="Add a member")).to_have_count(0)
    expect(page.get_by_role("button", name="Roles of mara")).to_have_count(0)
    context.close()
