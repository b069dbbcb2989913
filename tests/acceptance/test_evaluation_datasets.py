"""Evaluation data sets as the unmodified `mlflow` client makes, fills, finds and deletes them."""

import json
import time
from typing import Any

import httpx
import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import EvaluationDataset
from mlflow.exceptions import MlflowException
from mlflow.genai import datasets

from tests.conftest import Server

_ROOT = "/api/3.0/mlflow/datasets"


@pytest.fixture
def client(shared_server: Server) -> MlflowClient:
    mlflow.set_tracking_uri(shared_server.url)
    return MlflowClient(shared_server.url)


@pytest.fixture
def experiment(client: MlflowClient) -> str:
    return client.create_experiment(f"evaluation {time.time_ns()}")


def _records(client: MlflowClient, dataset: Any, **more: Any) -> list[Any]:
    found, _ = client._tracking_client.store._load_dataset_records(dataset.dataset_id, **more)
    return list(found)


def _put(client: MlflowClient, dataset: Any, records: list[dict[str, Any]]) -> dict[str, int]:
    return dict(client._tracking_client.store.upsert_dataset_records(dataset.dataset_id, records))


def _ids(found: Any) -> list[str]:
    return [one.dataset_id for one in found]


def test_a_data_set_comes_back_as_it_was_made(client: MlflowClient, experiment: str) -> None:
    made = client.create_dataset(name="questions", experiment_id=experiment, tags={"team": "a", "mlflow.user": "ann"})
    found = client.get_dataset(made.dataset_id)
    assert isinstance(found, EvaluationDataset)
    assert (found.name, found.tags, found.created_by) == ("questions", {"team": "a", "mlflow.user": "ann"}, "ann")
    assert found.experiment_ids == [experiment]
    assert (found.schema, found.profile, found.digest) == (None, None, made.digest)


def test_records_with_the_same_inputs_are_one(client: MlflowClient, experiment: str) -> None:
    made = client.create_dataset(name="questions", experiment_id=experiment)
    first = [
        {"inputs": {"q": 1, "r": [1.5]}, "outputs": "one", "expectations": {"a": True}, "tags": {"k": "v"}},
        {"inputs": {"q": 2}, "source": {"source_type": "trace", "source_data": {"trace_id": "tr-1"}}},
    ]
    assert _put(client, made, first) == {"inserted": 2, "updated": 0}
    again = [{"inputs": {"r": [1.5], "q": 1}, "outputs": {"x": 2}, "expectations": {"b": None}, "tags": {"k": "w"}}]
    assert _put(client, made, [*again, {"inputs": {"q": 3}}]) == {"inserted": 1, "updated": 1}
    one, two, three = _records(client, made)
    assert (one.inputs, one.outputs) == ({"q": 1, "r": [1.5]}, {"x": 2})
    assert (one.expectations, one.tags) == ({"a": True, "b": None}, {"k": "w"})
    assert (two.source_type, two.source_id, two.source.source_data) == ("TRACE", "tr-1", {"trace_id": "tr-1"})
    assert three.inputs == {"q": 3}
    found = client.get_dataset(made.dataset_id)
    assert json.loads(found.profile) == {"num_records": 3}
    schema = json.loads(found.schema)
    assert schema["inputs"] == {"q": "integer", "r": "array"}
    assert schema["expectations"] == {"a": "boolean", "b": "null"}
    assert found.digest != made.digest


def test_the_digest_is_of_the_records_and_not_of_the_time(client: MlflowClient, experiment: str) -> None:
    made = [client.create_dataset(name=name, experiment_id=experiment) for name in ("a", "b")]
    _put(client, made[0], [{"inputs": {"q": 1}}, {"inputs": {"q": 2}}])
    _put(client, made[1], [{"inputs": {"q": 2}}])
    _put(client, made[1], [{"inputs": {"q": 1}}])
    one, two = (client.get_dataset(each.dataset_id) for each in made)
    assert one.digest == two.digest


def test_records_are_read_in_pages_and_deleted_by_id(client: MlflowClient, experiment: str) -> None:
    made = client.create_dataset(name="many", experiment_id=experiment)
    _put(client, made, [{"inputs": {"q": n}} for n in range(1205)])
    found = _records(client, made)
    assert [record.inputs["q"] for record in found] == list(range(1205)), "in the order in which they came"
    some = [record.dataset_record_id for record in found[:5]]
    store = client._tracking_client.store
    assert store.delete_dataset_records(made.dataset_id, [*some, "dr-none"]) == 5
    assert len(_records(client, made)) == 1200
    assert json.loads(client.get_dataset(made.dataset_id).profile) == {"num_records": 1200}


def test_data_sets_are_found_by_experiment_name_and_tag(client: MlflowClient, experiment: str) -> None:
    other = client.create_experiment(f"other {time.time_ns()}")
    one = client.create_dataset(name="one's own", experiment_id=experiment, tags={"team": "a"})
    two = client.create_dataset(name="two", experiment_id=[experiment, other], tags={"team": "b"})
    mine: dict[str, Any] = {"experiment_ids": [experiment]}
    assert _ids(client.search_datasets(**mine)) == [two.dataset_id, one.dataset_id], "newest first"
    assert _ids(client.search_datasets(experiment_ids=[other])) == [two.dataset_id]
    for text, wanted in {
        "name = 'one''s own'": [one],
        "name LIKE 't%'": [two],
        "name ILIKE 'TWO'": [two],
        "name IN ('two', 'three')": [two],
        "tags.team = 'a'": [one],
        "tags.team != 'a'": [two],
        f"created_time >= {one.created_time} AND name = 'two'": [two],
        "created_by = 'nobody'": [],
    }.items():
        assert _ids(client.search_datasets(**mine, filter_string=text)) == _ids(wanted), text
    by_name = client.search_datasets(**mine, order_by=["name ASC"], max_results=1)
    assert _ids(by_name) == [one.dataset_id]
    assert _ids(client.search_datasets(**mine, order_by=["name ASC"], max_results=1, page_token=by_name.token)) == [
        two.dataset_id
    ]
    for wrong in ("nonsense = 'x'", "params.a = 'x'", "name > 'x'", "created_time = 'x'"):
        with pytest.raises(MlflowException) as refused:
            client.search_datasets(**mine, filter_string=wrong)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_tags_experiments_and_deletion(client: MlflowClient, experiment: str) -> None:
    other = client.create_experiment(f"other {time.time_ns()}")
    made = client.create_dataset(name="n", experiment_id=experiment, tags={"a": "1"})
    client.set_dataset_tags(made.dataset_id, {"a": "2", "b": "3"})
    client.delete_dataset_tag(made.dataset_id, "b")
    client.delete_dataset_tag(made.dataset_id, "never")
    tags = client.get_dataset(made.dataset_id).tags
    assert (tags["a"], set(tags)) == ("2", {"a", "mlflow.user"})
    assert set(client.add_dataset_to_experiments(made.dataset_id, [other]).experiment_ids) == {experiment, other}
    assert client.remove_dataset_from_experiments(made.dataset_id, [experiment]).experiment_ids == [other]
    client.delete_dataset(made.dataset_id)
    client.delete_dataset(made.dataset_id)
    with pytest.raises(MlflowException) as gone:
        client.get_dataset(made.dataset_id)
    assert gone.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_the_calls_of_mlflow_genai_work(client: MlflowClient, experiment: str) -> None:
    made = datasets.create_dataset(name="by genai", experiment_id=experiment)
    made.merge_records([{"inputs": {"q": "a"}, "expectations": {"e": 1}}])
    assert datasets.get_dataset(dataset_id=made.dataset_id).to_dict()["records"][0]["inputs"] == {"q": "a"}
    assert _ids(datasets.search_datasets(experiment_ids=[experiment])) == [made.dataset_id]
    datasets.delete_dataset(dataset_id=made.dataset_id)


@pytest.mark.parametrize(
    "records",
    [
        "no json",
        '{"inputs": {}}',
        "[1]",
        "[{}]",
        '[{"inputs": null}]',
        '[{"inputs": {"q": NaN}}]',
        '[{"inputs": {}, "tags": 1}]',
        '[{"inputs": {}, "expectations": []}]',
        '[{"inputs": {}, "source": {"source_type": "SPELL"}}]',
        '[{"inputs": {}, "source": 1}]',
    ],
)
def test_wrong_records_are_refused_and_nothing_is_stored(
    client: MlflowClient, shared_server: Server, experiment: str, records: str
) -> None:
    made = client.create_dataset(name="n", experiment_id=experiment)
    good = '{"inputs": {"q": 1}}'
    sent = records if not records.startswith("[") else f"[{good}, {records[1:]}"
    answer = httpx.post(f"{shared_server.url}{_ROOT}/{made.dataset_id}/records", json={"records": sent})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text
    assert _records(client, made) == []


def test_what_is_missing_or_wrong_is_said(client: MlflowClient, shared_server: Server, experiment: str) -> None:
    url = f"{shared_server.url}{_ROOT}"
    for body in ({}, {"name": "x" * 256}, {"name": "n", "tags": "[]"}, {"name": "n", "tags": "{"}):
        assert httpx.post(f"{url}/create", json=body).status_code == 400, body
    assert httpx.post(f"{url}/create", json={"name": "n", "experiment_ids": ["404"]}).status_code == 404
    assert httpx.get(f"{url}/d-none").status_code == 404
    assert httpx.get(f"{url}/d-none/records").status_code == 404
    made = client.create_dataset(name="n", experiment_id=experiment)
    for query in ("max_results=-1", "max_results=50001", "page_token=x"):
        assert httpx.get(f"{url}/{made.dataset_id}/records?{query}").status_code == 400, query
