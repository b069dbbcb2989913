"""The wire form of MLflow's protocol: error bodies, statuses, numbers, limits, paging, the artifact proxy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Server

V2 = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def client(shared_server: Server) -> Iterator[httpx.Client]:
    with shared_server.client() as made:
        yield made


@pytest.fixture
def run(client: httpx.Client) -> dict[str, Any]:
    made: dict[str, Any] = client.post(f"{V2}/runs/create", json={"experiment_id": "0", "start_time": 5}).json()["run"]
    return made


def error(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"error_code", "message"}
    assert body["message"]
    return response.status_code, body["error_code"]


MISSING, INVALID, TAKEN = (
    (404, "RESOURCE_DOES_NOT_EXIST"),
    (400, "INVALID_PARAMETER_VALUE"),
    (400, "RESOURCE_ALREADY_EXISTS"),
)


def test_an_unknown_experiment_is_answered_as_the_client_expects(client: httpx.Client) -> None:
    found = client.get(f"{V2}/experiments/get-by-name", params={"experiment_name": "nobody made this"})
    assert error(found) == MISSING
    assert found.json()["message"] == "Could not find experiment with name 'nobody made this'"
    assert error(client.get(f"{V2}/experiments/get", params={"experiment_id": "17"})) == MISSING
    assert error(client.get(f"{V2}/runs/get", params={"run_id": "0" * 32})) == MISSING
    assert (
        client.get(f"{V2}/runs/get", params={"run_id": "0" * 32}).json()["message"]
        == f"Run with id={'0' * 32} not found"
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("experiments/create", {}),
        ("experiments/create", {"name": ""}),
        ("experiments/create", {"name": 7}),
        ("experiments/create", {"name": "x" * 501}),
        ("experiments/create", {"name": "x", "artifact_location": "s3://bucket"}),
        ("experiments/search", {"max_results": 50001}),
        ("experiments/search", {"max_results": 0}),
        ("experiments/search", {"page_token": "nonsense"}),
        ("experiments/search", {"filter": "metrics.a > 1"}),
        ("experiments/search", {"view_type": "SOME"}),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 50001}),
        ("runs/search", {"experiment_ids": ["0"], "filter": "a OR b"}),
        ("runs/search", {"experiment_ids": ["0"], "order_by": ["x y z"]}),
        ("runs/search", {"experiment_ids": "0"}),
        ("runs/update", {}),
        ("runs/log-metric", {"run_id": "RUN", "key": "a", "timestamp": 1}),
        ("runs/log-metric", {"run_id": "RUN", "key": "a", "value": 1}),
        ("runs/log-metric", {"run_id": "RUN", "key": "a", "value": "x", "timestamp": 1}),
        ("runs/log-metric", {"run_id": "RUN", "key": "", "value": 1, "timestamp": 1}),
        ("runs/log-metric", {"run_id": "RUN", "key": "a", "value": 1, "timestamp": 1, "step": 2**63}),
        ("runs/log-parameter", {"run_id": "RUN", "key": "k" * 251, "value": "x"}),
        ("runs/set-tag", {"run_id": "RUN", "key": "../k", "value": "x"}),
        ("runs/log-batch", {"run_id": "RUN", "params": [{"key": "a", "value": "1"}, {"key": "a", "value": "1"}]}),
        ("runs/log-batch", {"run_id": "RUN", "metrics": [{"key": "a", "value": 1, "timestamp": 1}] * 1001}),
        ("runs/log-batch", {"run_id": "RUN", "tags": [{"key": f"k{n}", "value": "v"} for n in range(101)]}),
        ("runs/update", {"run_id": "RUN", "status": "SLEEPING"}),
        ("runs/log-inputs", {"run_id": "RUN", "datasets": [{"tags": []}]}),
        ("runs/log-inputs", {"run_id": "RUN", "datasets": [{"dataset": {"name": "x"}}]}),
        ("logged-models/search", {}),
        ("registered-models/create", {"name": "a/b"}),
        ("registered-models/alias", {"name": "x", "alias": "latest", "version": "1"}),
        ("model-versions/create", {"name": "x"}),
        ("model-versions/transition-stage", {"name": "x"}),
    ],
)
def test_mistakes_are_400_and_never_tried_again(
    client: httpx.Client, run: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    named = json.loads(json.dumps(body).replace('"RUN"', json.dumps(run["info"]["run_id"])))
    assert error(client.post(f"{V2}/{path}", json=named)) == INVALID


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"run_id": 1}', b"\xff\xfe"])
def test_bodies_that_are_no_request_are_400(client: httpx.Client, body: bytes) -> None:
    for path in ("runs/log-batch", "runs/create-nothing", "experiments/create", "runs/update"):
        answer = client.post(f"{V2}/{path}", content=body)
        assert answer.status_code == (404 if "nothing" in path else 400)
        assert "error_code" in answer.json() or "nothing" in path


def test_a_bare_nan_is_no_json_and_stores_nothing(client: httpx.Client, run: dict[str, Any]) -> None:
    body = b'{"run_id": "%s", "key": "a", "value": NaN, "timestamp": 1}' % run["info"]["run_id"].encode()
    assert error(client.post(f"{V2}/runs/log-metric", content=body)) == INVALID
    assert "metrics" not in client.get(f"{V2}/runs/get", params={"run_id": run["info"]["run_id"]}).json()["run"]["data"]


def test_numbers_in_both_forms_in_and_plain_out(client: httpx.Client, run: dict[str, Any]) -> None:
    run_id = run["info"]["run_id"]
    metrics = [
        {"key": "n", "value": "NaN", "timestamp": "7", "step": "3"},
        {"key": "p", "value": "Infinity", "timestamp": 7},
        {"key": "m", "value": "-Infinity", "timestamp": 7, "unknown": {"x": 1}},
        {"key": "i", "value": 1, "timestamp": 7, "step": -4},
    ]
    assert client.post(f"{V2}/runs/log-batch", json={"run_id": run_id, "metrics": metrics}).json() == {}
    found = client.get(f"{V2}/runs/get", params={"run_id": run_id}).json()["run"]["data"]["metrics"]
    assert sorted(found, key=lambda m: str(m["key"])) == [
        {"key": "i", "value": 1.0, "timestamp": 7, "step": -4},
        {"key": "m", "value": -1.7976931348623157e308, "timestamp": 7, "step": 0},
        {"key": "n", "value": "NaN", "timestamp": 7, "step": 3},
        {"key": "p", "value": 1.7976931348623157e308, "timestamp": 7, "step": 0},
    ]


def test_a_run_on_the_wire(client: httpx.Client, run: dict[str, Any]) -> None:
    info = run["info"]
    assert info["run_uuid"] == info["run_id"]
    assert info["user_id"] == "anonymous"  # none was named
    assert info["status"] == "RUNNING"
    assert (info["start_time"], info["lifecycle_stage"]) == (5, "active")
    assert "end_time" not in info
    assert info["artifact_uri"] == f"mlflow-artifacts:/{info['experiment_id']}/{info['run_id']}/artifacts"
    assert run["data"]["tags"] == [{"key": "mlflow.runName", "value": info["run_name"]}]
    assert (run["inputs"], run["outputs"]) == ({}, {})
    for root in ("api", "ajax-api"):
        same = client.get(f"/{root}/2.0/mlflow/runs/get", params={"run_uuid": info["run_id"]}).json()["run"]
        assert same["info"] == info
    ended = client.post(f"{V2}/runs/update", json={"run_id": info["run_id"], "status": 3, "end_time": "9"}).json()
    assert (ended["run_info"]["status"], ended["run_info"]["end_time"]) == ("FINISHED", 9)


def test_nulls_and_other_spellings(client: httpx.Client) -> None:
    experiment = client.post(f"{V2}/experiments/create", json={"name": "spelling"}).json()["experiment_id"]
    made = client.post(f"{V2}/runs/create", json={"experimentId": experiment, "runName": "camel", "tags": None})
    info = made.raise_for_status().json()["run"]["info"]
    assert (info["experiment_id"], info["run_name"]) == (experiment, "camel")
    point = {"key": "null", "value": 1, "timestamp": 1, "step": None, "modelId": None}
    client.post(f"{V2}/runs/log-batch", json={"runId": info["run_id"], "metrics": [point]}).raise_for_status()
    found = client.post(f"{V2}/runs/search", json={"experimentIds": [experiment], "maxResults": "1", "filter": None})
    assert found.json()["runs"][0]["data"]["metrics"][0]["key"] == "null"
    assert error(client.post(f"{V2}/runs/log-batch", json={"runId": 7})) == INVALID
    assert (
        error(client.post(f"{V2}/runs/log-metric", json={"runId": info["run_id"], "key": "a", "value": None}))
        == INVALID
    )


def test_keys_are_not_judged_where_something_is_made(client: httpx.Client) -> None:
    tags = [{"key": "../x", "value": "1"}, {"key": "a//b", "value": "2"}]
    experiment = client.post(f"{V2}/experiments/create", json={"name": "keys"}).json()["experiment_id"]
    run = client.post(f"{V2}/runs/create", json={"experiment_id": experiment, "tags": tags}).raise_for_status().json()
    assert all(tag in run["run"]["data"]["tags"] for tag in tags)
    body = {"experiment_id": experiment, "name": "m", "tags": tags, "params": tags}
    made = client.post(f"{V2}/logged-models", json=body).raise_for_status().json()["model"]["info"]["model_id"]
    for key, status in {"../y": 200, "": 200, "k" * 251: 400}.items():
        tagged = {"tags": [{"key": key, "value": "1"}]}
        assert client.patch(f"{V2}/logged-models/{made}/tags", json=tagged).status_code == status
    long = {"experiment_id": experiment, "tags": [{"key": "k" * 251, "value": "v"}]}
    assert error(client.post(f"{V2}/runs/create", json=long)) == INVALID


def test_what_stock_answers_otherwise(client: httpx.Client) -> None:
    """Found by sending random programs to both; each stands in docs/reference/differences.md."""
    assert client.post(f"{V2}/experiments/search", json={}).status_code == 200
    ask = {"experiment_ids": ["0"]}
    assert error(client.post(f"{V2}/runs/search", json=ask | {"filter": "tags.a = 'x' AND"})) == INVALID
    assert error(client.post(f"{V2}/runs/search", json=ask | {"order_by": ["params.a", "params.a"]})) == INVALID
    assert error(client.post(f"{V2}/logged-models/search", json=ask | {"filter": "metrics.a < 'x'"})) == INVALID
    assert client.post(f"{V2}/logged-models/search", json=ask | {"filter": "params.a IS NOT NULL"}).status_code == 200
    for size in (0, -1):
        assert error(client.get(f"{V2}/registered-models/search", params={"max_results": size})) == INVALID
    for size in (0, -1, 1001, 10**9):
        assert error(client.post(f"{V2}/logged-models/search", json=ask | {"max_results": size})) == INVALID
    assert error(client.post(f"{V2}/experiments/search", json={"order_by": ["name", "name"]})) == INVALID
    assert client.post(f"{V2}/runs/search", json=ask | {"order_by": ["`run name`"]}).status_code == 200
    for at, order in (("registered-models", "creation_timestamp"), ("model-versions", "timestamp")):
        assert client.get(f"{V2}/{at}/search", params={"order_by": order}).status_code == 200
    by_name = ask | {"order_by": [{"field_name": "attributes.name"}]}
    assert client.post(f"{V2}/logged-models/search", json=by_name).status_code == 200
    untag = {"name": "nobody", "key": "../x"}
    assert error(client.request("DELETE", f"{V2}/registered-models/delete-tag", json=untag)) == INVALID
    model = client.post(f"{V2}/logged-models", json={"experiment_id": "0", "name": "m"}).json()["model"]["info"]
    assert error(client.patch(f"{V2}/logged-models/{model['model_id']}", json={"status": "NO"})) == INVALID
    assert client.post(f"{V2}/registered-models/get-latest-versions", json={"name": "nobody"}).status_code == 404


def test_names_are_taken_once(client: httpx.Client) -> None:
    assert client.post(f"{V2}/experiments/create", json={"name": "once"}).status_code == 200
    assert error(client.post(f"{V2}/experiments/create", json={"name": "once"})) == TAKEN
    assert client.post(f"{V2}/registered-models/create", json={"name": "once"}).status_code == 200
    assert error(client.post(f"{V2}/registered-models/create", json={"name": "once"})) == TAKEN


def test_long_values_are_cut_as_stock_servers_do(client: httpx.Client, run: dict[str, Any]) -> None:
    run_id = run["info"]["run_id"]
    for _ in range(2):
        client.post(
            f"{V2}/runs/log-parameter", json={"run_id": run_id, "key": "p", "value": "x" * 6001}
        ).raise_for_status()
    client.post(f"{V2}/runs/set-tag", json={"run_id": run_id, "key": "t", "value": "y" * 8001}).raise_for_status()
    data = client.get(f"{V2}/runs/get", params={"run_id": run_id}).json()["run"]["data"]
    assert data["params"] == [{"key": "p", "value": "x" * 6000}]
    assert {"key": "t", "value": "y" * 8000} in data["tags"]


def test_files_of_a_deleted_run(client: httpx.Client, run: dict[str, Any]) -> None:
    info = run["info"]
    client.post(f"{V2}/runs/delete", json={"run_id": info["run_id"]}).raise_for_status()
    place = f"/api/2.0/mlflow-artifacts/artifacts/{info['experiment_id']}/{info['run_id']}/artifacts/x"
    assert error(client.put(place, content=b"x")) == INVALID


def test_params_of_a_logged_model_are_cut(client: httpx.Client) -> None:
    body = {"experiment_id": "0", "name": "long", "params": [{"key": "p", "value": "x" * 6001}]}
    made = client.post(f"{V2}/logged-models", json=body).raise_for_status().json()["model"]
    assert made["data"]["params"] == [{"key": "p", "value": "x" * 6000}]


def test_a_deleted_run_refuses_writes_in_mlflows_words(client: httpx.Client, run: dict[str, Any]) -> None:
    run_id = run["info"]["run_id"]
    client.post(f"{V2}/runs/delete", json={"run_id": run_id}).raise_for_status()
    answer = client.post(f"{V2}/runs/log-metric", json={"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})
    assert error(answer) == INVALID
    assert "must be in the 'active' state" in answer.json()["message"]
    client.post(f"{V2}/runs/restore", json={"run_id": run_id}).raise_for_status()
    assert client.get(f"{V2}/runs/get", params={"run_id": run_id}).json()["run"]["info"]["lifecycle_stage"] == "active"


def test_an_end_of_zero_is_none(client: httpx.Client, run: dict[str, Any]) -> None:
    body = {"run_id": run["info"]["run_id"], "status": "FINISHED", "end_time": 0}
    assert "end_time" not in client.post(f"{V2}/runs/update", json=body).raise_for_status().json()["run_info"]
    client.post(f"{V2}/runs/update", json=body | {"end_time": 7}).raise_for_status()
    client.post(f"{V2}/runs/update", json={"run_id": body["run_id"], "status": "RUNNING"}).raise_for_status()
    assert client.get(f"{V2}/runs/get", params=body).json()["run"]["info"]["end_time"] == 7
    client.post(f"{V2}/runs/update", json=body).raise_for_status()
    assert "end_time" not in client.get(f"{V2}/runs/get", params=body).json()["run"]["info"]


def test_repeated_query_parameters_are_lists_and_pages_have_tokens(client: httpx.Client) -> None:
    for name in ("page-a", "page-b", "page-c"):
        client.post(f"{V2}/experiments/create", json={"name": name}).raise_for_status()
    query: list[tuple[str, str]] = [
        ("filter", "name LIKE 'page-%'"),
        ("order_by", "name DESC"),
        ("order_by", "experiment_id"),
    ]
    first = client.get(f"{V2}/experiments/search", params=[*query, ("max_results", "2")]).json()
    assert [e["name"] for e in first["experiments"]] == ["page-c", "page-b"]
    more = [*query, ("max_results", "2"), ("page_token", first["next_page_token"])]
    last = client.get(f"{V2}/experiments/search", params=more).json()
    assert [e["name"] for e in last["experiments"]] == ["page-a"]
    assert "next_page_token" not in last


def test_a_body_above_the_limit_is_refused(client: httpx.Client, run: dict[str, Any]) -> None:
    tags = [{"key": f"k{n}", "value": "x" * 8000} for n in range(100)]
    params = [{"key": f"p{n}", "value": "x" * 6000} for n in range(50)]
    body = {"run_id": run["info"]["run_id"], "tags": tags, "params": params}
    answer = client.post(f"{V2}/runs/log-batch", json=body)
    assert error(answer) == INVALID
    assert "at most 1000000 bytes" in answer.json()["message"]


@pytest.mark.parametrize(
    "path",
    [
        "EXP/RUN/artifacts/%2e%2e/x",
        "EXP/RUN/artifacts/..%2f..%2fx",
        "EXP/RUN/artifacts/%252e%252e%252fx",
        "EXP/RUN/artifacts/a%5cb",
        "EXP/RUN/artifacts/a%00b",
        "EXP/RUN/artifacts//etc/passwd",
        "EXP/RUN/artifacts/%2fetc%2fpasswd",
        "EXP/RUN/artifacts/C:/x",
        "EXP/RUN/other/x",
        "EXP",
        "RUN/artifacts/x",
        "workspaces/other/EXP/RUN/artifacts/x",
        "EXP/models/m-1/artifacts/x",
    ],
)
def test_addresses_that_are_refused(client: httpx.Client, run: dict[str, Any], path: str) -> None:
    address = path.replace("EXP", run["info"]["experiment_id"]).replace("RUN", run["info"]["run_id"])
    for method in ("PUT", "GET", "DELETE"):
        answer = client.request(
            method, f"/api/2.0/mlflow-artifacts/artifacts/{address}", content=b"x" if method == "PUT" else None
        )
        assert answer.status_code in {400, 404}, (method, answer.text)
        assert answer.status_code != 500
    root = f"{run['info']['experiment_id']}/{run['info']['run_id']}/artifacts"
    assert client.get("/api/2.0/mlflow-artifacts/artifacts", params={"path": root}).json() == {}


def test_files_through_the_proxy(client: httpx.Client, run: dict[str, Any]) -> None:
    root = f"{run['info']['experiment_id']}/{run['info']['run_id']}/artifacts"
    at = "/api/2.0/mlflow-artifacts/artifacts"
    content = bytes(range(256)) * 30_000  # two chunks
    names = {"a b.html": "a%20b.html", "ünï/c%d.txt": "%C3%BCn%C3%AF/c%25d.txt"}
    for quoted in names.values():
        assert client.put(f"{at}/{root}/{quoted}", content=content).json() == {}
        answer = client.get(f"{at}/{root}/{quoted}")
        assert answer.content == content
        assert answer.headers["content-length"] == str(len(content))
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.headers["content-disposition"].startswith("attachment")
    listed = client.get(at, params={"path": root}).json()["files"]
    assert listed == [{"path": "a b.html", "is_dir": False, "file_size": len(content)}, {"path": "ünï", "is_dir": True}]
    below = client.get(at, params={"path": f"{root}/ünï"}).json()["files"]
    assert below == [{"path": "c%d.txt", "is_dir": False, "file_size": len(content)}]
    of_run = client.get(f"{V2}/artifacts/list", params={"run_id": run["info"]["run_id"], "path": "ünï"}).json()
    assert of_run["files"][0]["path"] == "ünï/c%d.txt"
    assert of_run["root_uri"] == run["info"]["artifact_uri"]
    assert client.delete(f"{at}/{root}/{names['a b.html']}").json() == {}
    assert error(client.get(f"{at}/{root}/a%20b.html")) == MISSING
    wrong = root.replace(run["info"]["experiment_id"], "1" * 18)
    assert error(client.get(f"{at}/{wrong}/{names['ünï/c%d.txt']}")) == MISSING


@pytest.mark.parametrize("path", ["/api/2.0/mlflow/nothing", "/api/3.0/mlflow/x/y", "/ajax-api/2.0/mlflow/x"])
def test_what_is_not_served_says_so(client: httpx.Client, path: str) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE"):
        answer = client.request(method, path)
        assert error(answer) == (404, "ENDPOINT_NOT_FOUND")
        assert f"does not serve {method} {path}" in answer.json()["message"]


def test_what_the_client_asks_about_the_server(client: httpx.Client) -> None:
    info = client.get("/api/3.0/mlflow/server-info").json()
    assert info["multipart_uploads_enabled"] is False
    assert info["workspaces_enabled"] is False
    assert client.get("/version").text == "3.17.2"


def test_a_viewer_is_told_403_and_a_wrong_token_401(server: Server) -> None:
    token = server.user("vera", "viewer")
    with server.client(token) as viewer:
        assert viewer.post(f"{V2}/experiments/search", json={}).status_code == 200
        assert error(viewer.post(f"{V2}/experiments/create", json={"name": "x"})) == (403, "PERMISSION_DENIED")
        put = viewer.put(f"/api/2.0/mlflow-artifacts/artifacts/1/{'0' * 32}/artifacts/x", content=b"")
        assert error(put)[0] in {403, 404}
    with server.client("mk_wrong") as nobody:
        assert error(nobody.post(f"{V2}/experiments/search", json={})) == (401, "UNAUTHENTICATED")


def test_every_listed_difference_has_its_test() -> None:
    root = Path(__file__).parents[2]
    named = set(re.findall(r"`(test_\w+)`", (root / "docs/reference/differences.md").read_text()))
    defined = {name for file in root.glob("tests/**/*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert len(named) > 20
    assert named <= defined


def test_models_of_older_clients_are_listed_in_a_tag_of_their_run(client: httpx.Client) -> None:
    run = client.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    model = {"run_id": run, "artifact_path": "m", "utc_time_created": "2020-01-01", "model_uuid": "u", "extra": 1}
    model["flavors"] = {"python_function": {"config": {"a": 1}, "env": "e"}}
    for path in ("m", "n"):
        sent = {"run_id": run, "model_json": json.dumps({**model, "artifact_path": path})}
        assert client.post("/api/2.0/mlflow/runs/log-model", json=sent).json() == {}
    found = client.get("/api/2.0/mlflow/runs/get", params={"run_id": run}).json()["run"]["data"]["tags"]
    history = json.loads(next(tag["value"] for tag in found if tag["key"] == "mlflow.log-model.history"))
    assert [one["artifact_path"] for one in history] == ["m", "n"]
    assert history[0]["flavors"] == {"python_function": {"env": "e"}}
    assert "extra" not in history[0]
    for wrong in ("{", "[]", json.dumps({"run_id": run})):
        answer = client.post("/api/2.0/mlflow/runs/log-model", json={"run_id": run, "model_json": wrong})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), wrong
