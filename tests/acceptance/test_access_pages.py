"""Pages of lists in which every other object is denied: each is full, and none tells how many are hidden."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Server

MLFLOW = "/api/2.0/mlflow"
PAIRS = 4
Page = tuple[list[Any], str | None]


def _post(client: httpx.Client, path: str, **body: Any) -> Any:
    return client.post(f"{MLFLOW}/{path}", json=body).raise_for_status().json()


def _make(owner: httpx.Client, number: int, word: str) -> str:
    """An experiment with a run, a logged model, a pipeline run and a registered version; returns the experiment."""
    experiment = str(_post(owner, "experiments/create", name=f"{word}-{number}")["experiment_id"])
    run = _post(owner, "runs/create", experiment_id=experiment, run_name=f"{word}-{number}")["run"]["info"]["run_id"]
    _post(owner, "logged-models", experiment_id=experiment, name=f"{word}-{number}")
    _post(owner, "registered-models/create", name=f"{word}-{number}")
    path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/model/MLmodel"
    owner.put(path, content=b"flavors: {}").raise_for_status()
    _post(owner, "model-versions/create", name=f"{word}-{number}", source=f"runs:/{run}/model", run_id=run)
    start = {"pipeline": f"{word}-{number}", "project": word, "target": "a.py:b", "experiment": f"{word}-{number}"}
    nothing = {"params": {}, "seed": 0, "paths": [], "code": "0" * 64, "environment": "0" * 64, "python": "3.11.7"}
    owner.post("/api/v1/pipelines/runs", json=start | nothing).raise_for_status()
    policy = {"alias": "champion", "approvals": 1}
    owner.put(f"/api/v1/policies/{word}-{number}", json=policy).raise_for_status()
    wanted = {"model": f"{word}-{number}", "version": 1, "alias": "champion", "automatic": False}
    owner.post("/api/v1/promotions", json=wanted).raise_for_status()
    return experiment


@pytest.fixture(scope="module")
def pia(shared_server: Server) -> Iterator[httpx.Client]:
    """Somebody with every reading role, who is denied what has `secret` in its name."""
    token = shared_server.user("pia", "maintainer", "approver", "auditor")
    with shared_server.client(shared_server.token) as owner, shared_server.client(token) as pia:
        hidden = []
        for number in range(PAIRS):
            _make(owner, number, "open")
            hidden.append(("experiment", _make(owner, number, "secret")))
        query = {"types": "model.created", "limit": 1000}
        made = owner.get("/api/v1/ledger/entries", params=query).json()["entries"]
        hidden += [("model", entry["subject"]["model"]) for entry in made if "secret" in str(entry)]
        assert len(hidden) == 2 * PAIRS
        for kind, identity in hidden:
            body = {"to": "pia", "kind": kind, "id": identity, "permissions": ["read"], "effect": "deny"}
            owner.put("/api/v1/grants", json=body).raise_for_status()
        yield pia


def _searched(path: str, key: str, **body: Any) -> Callable[[httpx.Client, int, str | None], Page]:
    def page(client: httpx.Client, size: int, token: str | None) -> Page:
        got = _post(client, path, max_results=size, page_token=token or "", **body)
        return got.get(key, []), got.get("next_page_token") or None

    return page


def _asked(path: str, key: str) -> Callable[[httpx.Client, int, str | None], Page]:
    def page(client: httpx.Client, size: int, token: str | None) -> Page:
        query = {"max_results": str(size), **({"page_token": token} if token else {})}
        got = client.get(f"{MLFLOW}/{path}", params=query).raise_for_status().json()
        return got.get(key, []), got.get("next_page_token") or None

    return page


def _pages(client: httpx.Client, ask: Callable[[httpx.Client, int, str | None], Page], size: int) -> list[list[Any]]:
    found, token = [], None
    while not found or token is not None:
        page, token = ask(client, size, token)
        found.append(page)
        assert len(found) < 50
    return found


LISTS = {
    "experiments": (_searched("experiments/search", "experiments"), PAIRS + 1),  # the default one too
    "models": (_asked("registered-models/search", "registered_models"), PAIRS),
    "versions": (_asked("model-versions/search", "model_versions"), PAIRS),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_page_is_full(pia: httpx.Client, name: str, size: int):
    ask, count = LISTS[name]
    pages = _pages(pia, ask, size)
    assert "secret" not in str(pages)
    assert [len(page) for page in pages] == _full(count, size)


@pytest.mark.parametrize("what", ["runs", "logged-models"])
@pytest.mark.parametrize("size", [1, 3])
def test_every_page_of_a_search_over_all_experiments_is_full(
    shared_server: Server, pia: httpx.Client, what: str, size: int
):
    with shared_server.client(shared_server.token) as owner:
        every = [e["experiment_id"] for e in _post(owner, "experiments/search", max_results=100)["experiments"]]
    key = "runs" if what == "runs" else "models"
    pages = _pages(pia, _searched(f"{what}/search", key, experiment_ids=every), size)
    assert "secret" not in str(pages)
    count = 2 * PAIRS if what == "runs" else PAIRS  # of each experiment: its run, and its pipeline's
    assert [len(page) for page in pages] == _full(count, size)


@pytest.mark.parametrize("path", ["pipelines/runs", "promotions"])
def test_a_short_list_is_full(pia: httpx.Client, path: str):
    for size in range(1, PAIRS + 2):
        found = pia.get(f"/api/v1/{path}", params={"limit": size}).raise_for_status().json()
        assert len(found) == min(size, PAIRS)
        assert "secret" not in str(found)


def test_the_ledger_is_full_page_by_page(shared_server: Server, pia: httpx.Client):
    with shared_server.client(shared_server.token) as owner:
        shown = owner.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"]
        hidden = [entry["index"] for entry in shown if "secret" in str(entry)]
    assert hidden
    whole = pia.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"]
    assert "secret" not in str(whole)
    assert not {entry["index"] for entry in whole} & set(hidden)
    pages, before = [], {}
    while before is not None:
        got = pia.get("/api/v1/ledger/entries", params={"limit": 7, **before}).raise_for_status().json()
        pages.append([entry["index"] for entry in got["entries"]])
        before = None if got.get("next") is None else {"before": got["next"]}
    last = whole[0]["index"]
    listed = [index for page in pages for index in page if index <= last]
    assert listed == [entry["index"] for entry in whole]
    assert all(len(page) == 7 for page in pages[:-1])


def _full(count: int, size: int) -> list[int]:
    """The lengths of pages of so many objects."""
    return [min(size, count - at) for at in range(0, count, size)]
