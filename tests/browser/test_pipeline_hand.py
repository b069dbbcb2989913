"""A hand in pipelines from the page: answer what waits, read what was printed, run again, fire and pause triggers."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.test_pipelines import Project
from tests.browser.conftest import SHOTS, signed_in
from tests.browser.story import Story

PROGRAM = """
import modelkeel as keel


@keel.step
def fit(rows: int) -> float:
    print(f"fitted on {rows} rows")
    return 0.91


@keel.pipeline
def release(rows: int = 100, ask: bool = True) -> float:
    score = fit(rows)
    if ask:
        keel.approval("May this score go live?", show=score, own=True)
    return score
"""


@pytest.fixture(scope="module")
def project(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Project:
    found = Project(story.server, tmp_path_factory.mktemp("hand") / "project")
    found.write(release=PROGRAM)
    found.run("release.py:release", "-p", "ask=no", "-p", "rows=50")
    return found


@pytest.fixture
def page(chromium: Browser, story: Story) -> Iterator[Page]:
    context = signed_in(chromium, story)
    yield context.new_page()
    context.close()


def shoot(chromium: Browser, story: Story, path: str, name: str) -> None:
    """Pictures of a page in both widths and themes, where somebody wants to look at them."""
    for width, theme in ((1440, "light"), (390, "dark")) if SHOTS else ():
        context = signed_in(chromium, story, width=width, theme=theme)
        seen = context.new_page()
        seen.goto(f"{story.server.url}{path}", wait_until="networkidle")
        seen.screenshot(path=Path(str(SHOTS)) / f"{name}-{width}-{theme}.png", full_page=True)
        context.close()


def test_a_person_answers_a_waiting_run_and_reads_what_it_printed(
    page: Page, story: Story, project: Project, chromium: Browser
) -> None:
    command = [sys.executable, "-m", "modelkeel", "run", "release.py:release"]
    waits = subprocess.Popen(command, cwd=project.folder, env={**os.environ, **project.environment})
    try:
        page.goto(f"{story.server.url}/pipelines")
        page.get_by_role("row", name=re.compile("release.*running", re.IGNORECASE)).get_by_role("link").first.click()
        expect(page.get_by_role("heading", name="May this score go live?")).to_be_visible(timeout=20_000)
        shoot(chromium, story, page.url.removeprefix(story.server.url), "waiting")
        page.get_by_role("button", name="Approve").click()
        page.get_by_role("dialog").get_by_label("Reason").fill("good enough")
        page.get_by_role("dialog").get_by_role("button", name="Approve").click()
        assert waits.wait(30) == 0
    finally:
        waits.kill()
    page.get_by_role("table", name="Steps").get_by_role("link", name="approval").click()
    expect(page.get_by_text(re.compile("approved by .*good enough"))).to_be_visible()
    page.get_by_role("table", name="Steps").get_by_role("link", name="fit").click()
    expect(page.get_by_label("What fit printed")).to_contain_text("fitted on 100 rows")
    shoot(chromium, story, page.url.removeprefix(story.server.url), "printed")


def test_a_pipeline_runs_again_with_another_parameter(page: Page, story: Story, project: Project) -> None:
    run = project.run("release.py:release", "-p", "ask=no", "-p", "rows=60")
    page.goto(f"{story.server.url}/pipelines/{run['run_id']}")
    page.get_by_role("button", name="Run again").click()
    page.get_by_role("dialog").get_by_label("rows").fill("many")
    page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(page.get_by_text("wants int for 'rows'")).to_be_visible(timeout=30_000)


def test_a_trigger_is_fired_and_paused(page: Page, story: Story, project: Project, chromium: Browser) -> None:
    project.command("trigger", "set", "nightly", "release", "--cron", "0 2 * * *", "-p", "ask=no")
    page.goto(f"{story.server.url}/pipelines")
    row = page.get_by_role("table", name="Triggers").get_by_role("row", name=re.compile("nightly"))
    row.get_by_role("button", name="Run nightly now").click()
    expect(row.get_by_text("launched")).to_be_visible(timeout=20_000)
    shoot(chromium, story, "/pipelines", "triggers")
    row.get_by_role("button", name="Pause nightly").click()
    expect(row.get_by_text("paused", exact=True)).to_be_visible()
    row.get_by_role("button", name="Resume nightly").click()
    expect(row.get_by_text("paused", exact=True)).to_be_hidden()
