"""Who is denied every object of a workspace reads and changes nothing of them at any route, whatever role they hold."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.security.routes_kit import Route
from tests.security.story import HUSH, Story, start_story
from tests.security.test_routes import GUARDED, case_of, send


def about(route: Route) -> str:
    """What a route is about: the first part of its address below `/api/v1` or MLflow's root."""
    return re.sub(r"^/(ajax-)?api/(v1|[23]\.0/mlflow)/", "", route.path).split("/")[0]


READS = [route for route in GUARDED if not route.writes]
# Of the workspace as a whole: whoever may manage them does, and no object of the three kinds is in them.
WHOLE = ("users", "roles", "groups", "grants", "tokens", "workspaces", "webhooks", "imports", "datasets")
WRITES = [
    route
    for route in GUARDED
    if route.writes and not case_of(route).own and case_of(route).by == "admin" and about(route) not in WHOLE
]
PEOPLE = ("users", "roles", "groups", "grants", "tokens", "me", "sessions", "workspaces")
"""These tell of people, whom everybody in a workspace sees; no object of the three kinds is in them."""


@dataclass
class Denied:
    """Somebody with every reading role, who is denied each experiment, model and endpoint."""

    story: Story
    client: httpx.Client
    name: str
    id: str
    known: set[tuple[str, str]] = field(default_factory=set)

    def deny(self) -> None:
        """Denies what has come since."""
        for kind, identity in self._objects() - self.known:
            body = {"to": self.name, "kind": kind, "id": identity, "permissions": ["read"], "effect": "deny"}
            self.story.api("PUT", "grants", json=body)
            self.known.add((kind, identity))

    def _objects(self) -> set[tuple[str, str]]:
        found = set()
        for kind in ("experiment", "model", "endpoint"):
            made = self.story.api("GET", "ledger/entries", params={"types": f"{kind}.created", "limit": 1000})
            found |= {(kind, entry["subject"][kind]) for entry in made["entries"]}
        found |= {("endpoint", one["id"]) for one in self.story.api("GET", "endpoints")}
        return found


@pytest.fixture(scope="module")
def denied() -> Iterator[Denied]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    story = start_story(home)
    client = story.server.client(story.server.user("dana", "maintainer", "approver", "auditor"))
    yield Denied(story, client, "dana", story.me(client))
    client.close()
    story.close()
    story.server.stop()
    shutil.rmtree(home, ignore_errors=True)


def own_words(route: Route, answer: str, asked: str) -> str:
    """The answer without what the asker said themselves, and without the names of people."""
    for word in sorted({w for w in re.split(r"[\s'\"/]+", asked) if HUSH in w}, key=len):
        answer = answer.replace(word.strip("{},[]:"), "")
    return answer


@pytest.mark.parametrize("route", READS, ids=lambda route: route.id)
def test_a_denied_object_is_told_at_no_route(denied: Denied, route: Route):
    if about(route) in PEOPLE:
        pytest.skip("about people")
    case = case_of(route)
    ask = case.make(denied.story)
    seen = send(denied.story.owner, route, ask)
    assert seen.status_code in ask.status, "the request is one that finds something"
    denied.deny()
    answer = send(denied.client, route, ask)
    assert answer.status_code in {200, 403, 404}, answer.text[:300]
    told = own_words(route, answer.text, str(ask))
    assert HUSH not in told, f"{answer.status_code}: …{told[max(0, told.index(HUSH) - 150) :][:400]}"
    for secret in (denied.story.run, denied.story.model_id, denied.story.endpoint_id, denied.story.pipeline_run):
        if secret not in str(ask):
            assert secret not in answer.text


def test_most_routes_were_asked_for_something_denied(denied: Denied):
    """So that the test above can fail: without the denials the same answers tell it."""
    story = denied.story
    free = story.server.client(story.server.user("fred", "maintainer", "approver", "auditor"))
    told = 0
    for route in READS:
        answer = send(free, route, case_of(route).make(story))
        told += HUSH in answer.text
    assert told >= 25, told


@pytest.mark.parametrize("route", WRITES, ids=lambda route: route.id)
def test_nothing_denied_is_changed_at_any_route(denied: Denied, route: Route):
    ask = case_of(route).make(denied.story)
    denied.deny()
    before = denied.story.size()
    answer = send(denied.client, route, ask)
    assert answer.status_code in {403, 404}, answer.text[:300]
    told = own_words(route, answer.text, str(ask))
    assert HUSH not in told, told[:400]
    written = [entry for entry in denied.story.entries(before) if entry["actor"] == denied.id]
    assert written == []
