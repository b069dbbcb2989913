"""The prediction protocols over real HTTP: answers, refusals that name the field, access, variants, the log."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelkeel.core.clock import now_ms
from tests.integration.runtime_fixtures import Serving, logged, supervised
from tests.integration.runtime_models import body, table, trained, write_onnx

INFER = "/v2/models/late/infer"


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with supervised(1, "--max-body", "200000") as running:
        running.control.apply(table(1, write_onnx(running.folder, "r1", seed=3)))
        yield running


def test_answers_equal_the_native_model_and_are_logged_with_their_ids(serving: Serving):
    rows = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    asked = body(rows.astype(float).tolist(), id="mine", parameters={"event_time": "2026-01-02T03:04:05Z", "entity": 7})
    with serving.http as http:
        response = http.post(INFER, json=asked)
    answer = response.json()
    native = trained(3)
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert outputs["label"]["data"] == native.predict(rows).tolist()
    assert outputs["probabilities"]["shape"] == [5, 2]
    assert np.allclose(outputs["probabilities"]["data"], native.predict_proba(rows).ravel(), atol=1e-5)
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("mine", "late", "1")
    request = answer["parameters"]["prediction_id"]
    assert response.headers["modelkeel-prediction-id"] == request
    found = logged(serving, {f"{request}.4"})
    for i in range(5):
        (row,) = found[f"{request}.{i}"]
        assert (row.entity, row.event_time, row.variant, row.revision) == ("7", 1767323045000, "champion", "r1")
        assert row.inputs == {"distance": float(rows[i, 0]), "delay": float(rows[i, 1]), "hour": float(rows[i, 2])}
        assert row.outputs["label"] == outputs["label"]["data"][i]
        assert abs(row.time - now_ms()) < 60_000


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": ["hour", "delay", "distance"], "data": [[3, 2, 1], [6, 5, 4]]}},
        {
            "dataframe_records": [
                {"distance": 1, "delay": 2, "hour": 3, "other": "x"},
                {"distance": 4, "delay": 5, "hour": 6},
            ]
        },
        {"inputs": {"distance": [1, 4], "delay": [2, 5], "hour": [3, 6]}},
        {"instances": [[1, 2, 3], [4, 5, 6]]},
        {"instances": [{"distance": 1, "delay": 2, "hour": 3}, {"distance": 4, "delay": 5, "hour": 6}]},
    ],
)
def test_invocations_take_all_json_forms(serving: Serving, document: dict[str, object]):
    with serving.http as http:
        answer = http.post("/default/late/invocations", json=document).json()
    assert answer["predictions"] == trained(3).predict([[1, 2, 3], [4, 5, 6]]).tolist()


def test_metadata_health_and_addresses(serving: Serving):
    with serving.http as http:
        for prefix in ("", "/default/late"):
            assert http.get(prefix + "/v2").json()["name"] == "modelkeel"
            assert http.get(prefix + "/v2/health/live").json() == {"live": True}
            assert http.get(prefix + "/v2/health/ready").json() == {"ready": True, "live": True}
            meta = http.get(prefix + "/v2/models/late/versions/1").json()
            assert meta["inputs"][0] == {"name": "distance", "datatype": "FP64", "shape": [-1, 1]}
            assert meta["outputs"][1] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}
            assert http.get(prefix + "/v2/models/late/ready").json() == {"name": "late", "ready": True}
            assert http.post(f"{prefix}/v2/models/late/versions/1/infer", json=body([[1, 2, 3]])).status_code == 200
            assert http.get(prefix + "/ping").status_code == 200
        assert http.get("/v2/models/late/versions/2").status_code == 404
        assert http.post("/v2/models/none/infer", json=body([[1, 2, 3]])).status_code == 404
        assert http.get(INFER).status_code == 405
        metrics = http.get("/metrics").text
        assert 'modelkeel_prediction_rows_total{workspace="default",endpoint="late",revision="r1"' in metrics


def bad(change: object) -> dict[str, object]:
    document = json.loads(json.dumps(body([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])))
    change(document)  # type: ignore[operator]
    return document


MALFORMED = {
    "'delay' is missing": bad(lambda d: d["inputs"].pop(1)),
    "'nope' is unknown": bad(lambda d: d["inputs"][0].update(name="nope")),
    "'hour' is there twice": bad(lambda d: d["inputs"][0].update(name="hour")),
    "'distance' has shape": bad(lambda d: d["inputs"][0].update(shape=[1, 2])),
    "'hour' has shape": bad(lambda d: d["inputs"][2].update(shape=[3, 1])),
    "'delay' has 1 values": bad(lambda d: d["inputs"][1].update(data=[1.0])),
    "'delay' has datatype 'BYTES'": bad(lambda d: d["inputs"][1].update(datatype="BYTES")),
    "'delay' is FP64": bad(lambda d: d["inputs"][1].update(data=["a", "b"])),
    "missing required field `shape`": bad(lambda d: d["inputs"][1].pop("shape")),
    "no rows": bad(lambda d: [tensor.update(shape=[0, 1], data=[]) for tensor in d["inputs"]]),
    "'scores' is unknown": bad(lambda d: d.update(outputs=[{"name": "scores"}])),
    "5 minutes in the future": bad(lambda d: d.update(parameters={"event_time": now_ms() + 3_600_000})),
    "event_times has 1 entries": bad(lambda d: d.update(parameters={"event_times": [1]})),
    "parameters.event_time": bad(lambda d: d.update(parameters={"event_time": "yesterday"})),
    "entities has 3 entries": bad(lambda d: d.update(parameters={"entities": [1, 2, 3]})),
}


@pytest.mark.parametrize("message", list(MALFORMED))
def test_a_malformed_request_is_400_and_names_the_field(serving: Serving, message: str):
    with serving.http as http:
        response = http.post(INFER, json=MALFORMED[message])
    assert response.status_code == 400
    assert message in response.json()["error"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TENSOR = st.fixed_dictionaries(
    {"name": st.sampled_from(["distance", "delay", "hour", "x"])},
    optional={
        "datatype": st.sampled_from(["FP64", "FP32", "INT64", "BYTES", "BOOL", ""]) | JSON,
        "shape": st.lists(st.integers(-2, 2**70), max_size=3) | JSON,
        "data": st.lists(st.floats(width=32), max_size=3) | JSON,
    },
)
BODIES = (
    st.binary(max_size=40)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"inputs": st.lists(TENSOR, max_size=4) | JSON},
        optional={
            "id": JSON,
            "outputs": JSON,
            "instances": JSON,
            "dataframe_split": JSON,
            "dataframe_records": JSON,
            "parameters": st.fixed_dictionaries({}, optional={"event_time": JSON, "entities": JSON, "entity": JSON}),
        },
    ).map(lambda value: json.dumps(value).encode())
    | st.just(b"[" * 100_000)
    | st.just(b'{"inputs":' + b"[" * 50_000 + b"]" * 50_000 + b"}")
    | st.just(b'{"inputs":[{"name":"delay","datatype":"FP64","shape":[1],"data":["\\ud800"]}]}')
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=BODIES, address=st.sampled_from([INFER, "/default/late/invocations"]))
def test_no_body_makes_the_server_fail(serving: Serving, content: bytes, address: str):
    with serving.http as http:
        response = http.post(address, content=content)
    assert response.status_code in {200, 400}
    if response.status_code == 400:
        assert response.json()["error"]


def test_a_large_body_is_413_with_and_without_a_length(serving: Serving):
    with serving.http as http:
        assert http.post(INFER, content=b" " * 300_000).status_code == 413
        assert http.post(INFER, content=(b" " * 50_000 for _ in range(6))).status_code == 413
        assert http.post(INFER, json=body([[1, 2, 3]])).status_code == 200


def test_browsers_of_other_origins_and_foreign_hosts_are_refused(serving: Serving):
    with serving.http as http:
        good = {"Origin": f"http://127.0.0.1:{serving.port}"}
        assert http.post(INFER, json=body([[1, 2, 3]]), headers=good).status_code == 200
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
            assert http.post(INFER, json=body([[1, 2, 3]]), headers=headers).status_code == 403
            assert http.get("/v2/models/late", headers=headers).status_code == 403
