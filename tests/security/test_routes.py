"""Every route there is, tried by nobody, by a stranger, by somebody who may only look, and by who may."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.security import cases_api, cases_mlflow
from tests.security.routes_kit import READING, Ask, Case, Route, every_route
from tests.security.story import HUSH, Story, start_story

# What answers without a token though the server was started with --no-anonymous. Each has to say why.
OPEN = {
    "GET /health": "load balancers and supervisors ask it; it tells a version and a count",
    "GET /version": "the mlflow client asks it before it signs in; it tells the protocol's version",
    "GET /api/v1/sign-in": "the page asks how one can sign in before anybody has",
    "POST /api/v1/setup": "makes the first account; it takes the one-time code that the server printed",
    "POST /api/v1/sessions": "it is how one signs in; it takes a password or a one-time code",
    "DELETE /api/v1/sessions/current": "drops the caller's own cookies, also those that are good no more",
    "GET /api/v1/oidc/start": "it is how one signs in: sends the browser to the provider",
    "GET /api/v1/oidc/callback": "the provider sends the browser back here with its proof",
    "GET /api/v1/openapi": "the description of this API: the same for everybody, no data",
    "GET /api/v1/openapi/openapi.json": "as above",
    "GET /api/v1/openapi/{path:str}": "as above; says that there is nothing else",
    "PUT /api/2.0/mlflow-artifacts/mpu/part/{ticket:str}": "the address is signed, for one part of one upload of a day",
    "GET /api/2.0/mlflow-artifacts/fetch/{ticket:str}": "the address is signed, for one file and five minutes",
    "POST /api/v1/hooks/{trigger:str}": "calls carry a signature by the trigger's own secret",
    "GET /": "the page's shell: the same for everybody, no data",
    "GET /assets/{name:str}": "the page's scripts and styles: the same for everybody, no data",
    "GET /favicon.svg": "as above",
    "GET /THIRD-PARTY-NOTICES.txt": "as above",
    **{
        f"GET /{section}{rest}": "an address of the page: answers with its shell"
        for section in [
            "experiments",
            "runs",
            "compare",
            "pipelines",
            "datasets",
            "models",
            "endpoints",
            "alerts",
            "approvals",
            "predictions",
            "ledger",
            "costs",
            "members",
            "tokens",
            "login",
        ]
        for rest in ("", "/{rest:path}")
    },
}
# These change something by GET, and why no other site can use it.
CHANGING_GETS = {
    "GET /api/v1/oidc/callback": "a redirect can only be a GET; it needs the provider's code and our cookie's state",
}
CASES = {**cases_mlflow.CASES, **cases_api.CASES}
GUARDED = [route for route in every_route() if route.key not in OPEN]
SECOND_WORKSPACE = {"X-MLflow-Workspace": "default"}


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    told = start_story(home)
    yield told
    told.close()
    told.server.stop()
    shutil.rmtree(home, ignore_errors=True)


def case_of(route: Route) -> Case:
    assert route.key in CASES, (
        f"{route.id} is new. Add a valid request for it to tests/security/cases_api.py (or cases_mlflow.py), with the "
        "types of the ledger entries that it writes; or, if it has to answer without a token, a line with the reason "
        "to OPEN in tests/security/test_routes.py."
    )
    return CASES[route.key]


def send(client: httpx.Client, route: Route, ask: Ask, headers: dict[str, str] | None = None) -> httpx.Response:
    body = {"content": ask.content} if ask.content is not None else {"json": ask.json} if ask.json is not None else {}
    return client.request(
        route.method,
        route.address(ask.path),
        params=ask.params,
        headers={**ask.headers, **(headers or {})},
        **body,  # type: ignore[arg-type]
    )


def renamed(ask: Ask) -> Ask:
    """The same without the names of the default workspace: what somebody would send for their own."""
    return msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(ask)).replace(HUSH, "theirs")), Ask, strict=False)


def test_the_tables_name_only_what_is_there():
    keys = {route.key for route in every_route()}
    assert set(OPEN) | set(CASES) | set(CHANGING_GETS) <= keys, "a route is gone: take its line out"


def test_no_route_is_both_open_and_tried_as_guarded():
    assert not set(OPEN) & set(CASES)


def test_what_is_open_says_so():
    assert {route.key for route in every_route() if route.open} == set(OPEN)


def test_every_mutating_route_says_what_it_writes():
    for route in every_route():
        reads = route.method in READING or route.key.endswith(("/search", "get-latest-versions"))
        assert route.writes or reads, f"{route.id} declares no writes="
        assert route.writes in {"", "record", "measurement", "nothing"}, route.id
        if route.writes in {"measurement", "record"} and route.method in READING:
            assert route.key in CHANGING_GETS, f"{route.id} changes something by {route.method}"


def test_what_is_declared_is_what_the_table_expects():
    for route in GUARDED:
        declared = f"{route.id} is declared writes={route.writes!r}"
        assert bool(case_of(route).entries) == (route.writes == "record"), declared


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.id)
def test_a_route_lets_in_only_who_may(story: Story, route: Route):
    case = case_of(route)
    ask = case.make(story)
    before = story.size()
    assert send(story.nobody, route, ask).status_code == 401, "nobody is let in without a token"
    wrong = {"Authorization": "Bearer mk_wrong"}
    assert send(story.nobody, route, ask, wrong).status_code == 401, "nobody is let in with a wrong token"
    crossed = send(story.outsider, route, ask, SECOND_WORKSPACE)
    assert crossed.status_code in {403, 404}, f"somebody of another workspace asked for ours: {crossed.text[:300]}"
    assert HUSH not in crossed.text or HUSH in str(ask), "the refusal tells what is there"
    strange = send(story.outsider, route, renamed(ask) if case.own else ask)
    if case.own:
        assert strange.status_code < 500 or strange.status_code in ask.status, (
            story.server.home / "server.log"
        ).read_text()[-5_000:]
        assert HUSH not in strange.text, "what is ours is told to another workspace"
    else:
        assert strange.status_code in {403, 404}, f"somebody of another workspace got: {strange.text[:300]}"
    looked = send(story.viewer, route, ask)
    assert looked.status_code in case.viewer, f"somebody who may only look got: {looked.text[:300]}"
    if route.method not in READING:
        forged = send(story.page, route, ask)
        assert forged.status_code == 403, f"a cookie alone was enough: {forged.text[:300]}"
    if route.writes and case.viewer == (403,):
        narrowed = send(story.reader, route, ask)
        assert narrowed.status_code == 403, f"a token narrowed to reading was enough: {narrowed.text[:300]}"
    strangers = {story.outsider_id} if 201 in case.viewer else {story.outsider_id, story.viewer_id}
    here = [e for e in story.entries(before) if e["workspace"] == story.workspace]
    senders = strangers | {story.owner_id, story.admin_id}
    assert [e for e in here if e["actor"] in senders] == [], "who was refused left something"
    before = story.size()
    done = send(story.owner if case.by == "owner" else story.admin, route, ask)
    assert done.status_code in ask.status, done.text[:500]
    sender = story.owner_id if case.by == "owner" else story.admin_id
    known = {"system", story.owner_id, story.admin_id, story.viewer_id, story.outsider_id}
    found = story.entries(before)
    entries = [e["type"] for e in found if (e["actor"] not in known if case.actor else e["actor"] == sender)]
    assert sorted(entries) == sorted(case.entries), "one entry per state change"


@pytest.mark.parametrize("key", sorted(OPEN))
def test_an_open_route_tells_nobody_what_is_there(story: Story, key: str):
    method, _, path = key.partition(" ")
    address = path.replace("{name:str}", "none.js").replace("{path:str}", "none").replace("{rest:path}", HUSH)
    if "oidc" in path:
        pytest.skip("needs a provider; tests/acceptance/test_oidc.py signs in by one")
    answer = story.nobody.request(method, address, json={} if method == "POST" else None)
    assert answer.status_code < 500
    assert HUSH not in answer.text
    assert story.experiment not in answer.text


def test_nothing_of_ours_was_changed_from_the_other_workspace(story: Story):
    actors = {e["actor"] for e in story.entries(0) if e["workspace"] == story.workspace}
    assert story.admin_id in actors
    assert story.outsider_id not in actors
