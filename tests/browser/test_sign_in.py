"""Signing in at the page: set-up by the printed link, passwords, sessions that end, workspaces; on real servers."""

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import shot
from tests.conftest import Server, start_server

PASSWORD = "the tide turns at four"


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    """A server that answers nobody unknown, with an account for the owner and one for `ida`."""
    home = Path(tempfile.mkdtemp(prefix="mk"))
    running = start_server(home, "--no-anonymous")
    try:
        with running.client(running.token) as owner:
            me = owner.get("/api/v1/me").raise_for_status().json()
            owner.put(f"/api/v1/users/{me['id']}/password", json={"password": PASSWORD}).raise_for_status()
            ida = {"name": "ida", "roles": ["maintainer"], "password": PASSWORD}
            owner.post("/api/v1/users", json=ida).raise_for_status()
        yield running
    finally:
        running.stop()
        shutil.rmtree(home, ignore_errors=True)


def opened(chromium: Browser, server: Server, address: str = "/", width: int = 1440) -> Page:
    """A page of a browser that nobody used before."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(server.url + address)
    return page


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Types into the form as a person without a mouse would."""
    expect(page.get_by_role("textbox", name="Name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_the_printed_link_sets_the_owner_up(chromium: Browser, server: Server):
    code = re.search(r"/login\?code=([\w-]+)", (server.home / "server.log").read_text())
    assert code is not None
    page = opened(chromium, server, f"/login?code={code[1]}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to Modelkeel")
    assert page.url == f"{server.url}/login", "the code stays in the address and in the history"
    expect(page.get_by_role("button", name="Go on as the owner")).to_be_visible()
    shot(page, "set-up")
    page.get_by_role("textbox", name="Name").fill("vera")
    page.get_by_label("Password", exact=True).fill("modelkeel123")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("easy to guess")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Show: Password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    page.get_by_role("button", name="Set up my account").click()
    page.get_by_label("You are vera").click()
    expect(page.get_by_text("Your session ends")).to_be_visible()
    shot(page, "who")
    page.goto(f"{server.url}/login?code={code[1]}")
    expect(page.get_by_role("alert")).to_contain_text("used already")
    page.context.close()


def test_the_printed_link_alone_is_enough(chromium: Browser, server: Server):
    code = re.search(r"/login\?code=([\w-]+)", (server.home / "server.log").read_text())
    assert code is not None
    page = opened(chromium, server, f"/login?code={code[1]}")
    page.get_by_role("button", name="Go on as the owner").press("Enter")
    page.get_by_label("You are owner").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("You are anonymous").click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to Modelkeel")
    expect(page.get_by_role("textbox", name="One-time code")).to_be_focused()
    page.get_by_role("button", name="Go on without signing in").click()
    expect(page.get_by_label("You are anonymous")).to_be_visible()
    page.context.close()


def test_a_password_opens_the_page_that_was_asked_for(chromium: Browser, strict: Server):
    page = opened(chromium, strict, "/ledger?type=user.added")
    shot(page, "sign-in")
    sign_in(page, "ida", "not this one at all")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    shot(page, "wrong password")
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Password")).to_have_value("")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")
    assert page.url == f"{strict.url}/ledger?type=user.added"
    page.get_by_label("You are ida").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_text("Your session has ended")).to_have_count(0)
    assert page.context.cookies() == []
    page.context.close()


def test_too_many_wrong_passwords_say_how_long_to_wait(chromium: Browser, strict: Server):
    page = opened(chromium, strict, "/login")
    page.get_by_role("textbox", name="Name").fill("nobody")
    page.get_by_label("Password").fill(PASSWORD)
    failed = 0
    while failed < 7:  # five are free, then each wait is twice as long
        with strict.client() as guesser:
            said = guesser.post("/api/v1/sessions", json={"name": "nobody", "password": "a wrong guess"})
        failed += said.status_code == 401
        time.sleep(int(said.headers.get("retry-after", 0)))
    with strict.client() as guesser:
        guesser.post("/api/v1/sessions", json={"name": "nobody", "password": "a wrong guess"})
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Too many sign-ins failed")
    expect(page.get_by_role("button", name=re.compile(r"Wait \d+ s"))).to_be_disabled()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_enabled(timeout=15_000)
    page.context.close()


def test_a_session_that_ended_leads_back_to_where_one_was(chromium: Browser, strict: Server):
    page = opened(chromium, strict, "/models")
    sign_in(page, "ida")
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    with strict.client() as other:
        other.cookies.update(cookies)
        done = other.delete("/api/v1/sessions/current", headers={"x-modelkeel-csrf": cookies["modelkeel_csrf"]})
        assert done.status_code == 200
    page.get_by_role("link", name="Costs").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    shot(page, "session ended")
    sign_in(page, "ida")
    expect(page.get_by_role("heading", level=1)).to_have_text("Costs")
    page.context.close()


def test_one_changes_ones_own_password(chromium: Browser, strict: Server):
    with strict.client(strict.token) as owner:
        owner.post("/api/v1/users", json={"name": "olga", "roles": ["viewer"], "password": PASSWORD}).raise_for_status()
    page = opened(chromium, strict)
    sign_in(page, "olga")
    page.get_by_label("You are olga").click()
    page.get_by_role("button", name="Change my password").click()
    dialog = page.get_by_role("dialog", name="Your password")
    shot(page, "own password")
    dialog.get_by_label("Current password").fill("some other password")
    dialog.get_by_label("New password", exact=True).fill("low water is at ten")
    dialog.get_by_role("button", name="Set the password").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The current password is wrong.")
    dialog.get_by_label("Current password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your password is changed")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "olga", "low water is at ten")
    expect(page.get_by_label("You are olga")).to_be_visible()
    page.context.close()


def test_the_workspace_is_switched(chromium: Browser, strict: Server):
    with strict.client(strict.token) as owner:
        owner.post("/api/v1/workspaces", json={"name": "fraud"}).raise_for_status()
        path = "/api/2.0/mlflow/registered-models/create"
        there = {"x-modelkeel-workspace": "fraud"}
        owner.post(path, json={"name": "transfers"}, headers=there).raise_for_status()
    page = opened(chromium, strict, "/models/transfers")
    sign_in(page, "owner")
    page.get_by_label("You are owner").click()
    page.get_by_role("combobox", name="Workspace").select_option("fraud")
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    expect(page.get_by_role("link", name="transfers")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="transfers")).to_be_visible()
    page.get_by_label("You are owner").click()
    shot(page, "workspaces")
    page.get_by_role("combobox", name="Workspace").select_option("default")
    expect(page.get_by_role("link", name="transfers")).to_have_count(0)
    page.context.close()


def test_a_cookie_alone_changes_nothing(chromium: Browser, strict: Server):
    page = opened(chromium, strict)
    sign_in(page, "owner")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    asked = """(csrf) => fetch('/api/v1/workspaces', {
        method: 'POST', body: JSON.stringify({name: 'forged'}),
        headers: {'content-type': 'application/json', ...(csrf ? {'x-modelkeel-csrf': csrf} : {})},
    }).then(async (answer) => [answer.status, await answer.text()])"""
    for shown in ("", "0" * 64):
        status, text = page.evaluate(asked, shown)
        assert status == 403, text
        assert "x-modelkeel-csrf" in text
    with strict.client(strict.token) as owner:
        names = [one["name"] for one in owner.get("/api/v1/workspaces").raise_for_status().json()]
    assert "forged" not in names
    page.context.close()


def test_a_refusal_of_the_provider_is_shown(chromium: Browser, strict: Server):
    page = opened(chromium, strict, "/login?error=The+provider+does+not+answer.")
    expect(page.get_by_role("alert")).to_contain_text("The provider does not answer.")
    sign_in(page, "ida")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    page.context.close()


def test_a_token_is_minted_used_and_revoked(chromium: Browser, strict: Server):
    page = opened(chromium, strict, "/tokens")
    sign_in(page, "ida")
    expect(page.get_by_role("heading", level=1)).to_have_text("My tokens and sessions")
    expect(page.get_by_text("this browser")).to_be_visible()
    page.get_by_role("button", name="New token").click()
    page.get_by_role("textbox", name="Name").fill("nightly training")
    page.get_by_label("read", exact=True).check()
    page.get_by_role("button", name="Make", exact=True).click()
    secret = page.locator(".secret > .grow").inner_text()
    assert secret.startswith("mk_")
    shot(page, "tokens")
    with strict.client(secret) as program:
        assert program.get("/api/v1/me").json()["permissions"] == ["read"]
    page.get_by_role("button", name="I have it").click()
    expect(page.locator(".secret")).to_have_count(0)
    page.get_by_role("button", name="Revoke nightly training").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("nightly training")).to_have_count(0)
    with strict.client(secret) as program:
        assert program.get("/api/v1/me").status_code == 401


def test_another_browsers_session_is_ended(chromium: Browser, strict: Server):
    there = opened(chromium, strict, "/tokens")
    sign_in(there, "ida")
    expect(there.get_by_text("this browser")).to_be_visible()
    here = opened(chromium, strict, "/tokens")
    sign_in(here, "ida")
    expect(here.get_by_text("this browser")).to_be_visible()
    here.get_by_role("button", name="End", exact=True).first.click()
    expect(here.get_by_text("The session has ended")).to_be_visible()
    there.reload()
    expect(there.get_by_role("heading", level=1)).to_have_text("Sign in")
