"""Who answers: keys, weights, sticky entities, shadows, log policies, simulated time, models in their own process."""

import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import mlflow.pyfunc
import mlflow.sklearn
import msgspec
import numpy as np
import pandas as pd
import psutil
import pytest
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Refused
from modelkeel.wire.serving import Column, Key, ModelSchema, Revision, Route, RoutingTable, Sample, Tensor
from tests.integration.runtime_fixtures import Serving, logged, supervised
from tests.integration.runtime_models import body, table, write_onnx

INFER = "/v2/models/late/infer"
ROW = [[0.3, -0.2, 0.1]]


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with supervised(1) as running:
        yield running


@pytest.fixture(scope="module")
def revisions(serving: Serving) -> list[Revision]:
    return [write_onnx(serving.folder, f"r{i}", seed=i, version=i) for i in (1, 2)]


def apply(serving: Serving, *revisions: Revision, **settings: object) -> None:
    serving.control.apply(table(serving.control.status().generation + 1, *revisions, **settings))


def test_keys_open_an_endpoint_until_they_expire(serving: Serving, revisions: list[Revision]):
    keys = tuple(
        Key(hashlib.sha256(token).hexdigest(), expires)
        for token, expires in ((b"good", None), (b"fresh", now_ms() + 60_000), (b"stale", now_ms() - 1))
    )
    apply(serving, revisions[0], anonymous=False, keys=keys)
    with serving.http as http:
        for token, status in (("good", 200), ("fresh", 200), ("stale", 401), ("bad", 401)):
            headers = {"Authorization": f"Bearer {token}"}
            assert http.post(INFER, json=body(ROW), headers=headers).status_code == status
            assert (
                http.post("/default/late/invocations", json={"instances": ROW}, headers=headers).status_code == status
            )
            assert http.get("/v2/models/late", headers=headers).status_code == status
        assert http.post(INFER, json=body(ROW)).headers["www-authenticate"] == "Bearer"
        assert http.get("/v2/health/ready").status_code == 200


def test_weights_share_the_traffic_and_an_entity_stays_where_it_is(serving: Serving, revisions: list[Revision]):
    def shares(weights: tuple[float, ...]) -> dict[int, str]:
        apply(serving, *revisions, weights=weights)
        with serving.http as http:
            return {
                entity: http.post(INFER, json=body(ROW, parameters={"entity": entity})).json()["model_version"]
                for entity in range(300)
            }

    few, more = shares((9, 1)), shares((3, 1))
    assert 10 <= Counter(few.values())["2"] <= 60
    assert 45 <= Counter(more.values())["2"] <= 110
    assert {e for e, v in few.items() if v == "2"} < {e for e, v in more.items() if v == "2"}
    with serving.http as http:
        chance = Counter(http.post(INFER, json=body(ROW)).json()["model_version"] for _ in range(300))
        assert 40 <= chance["2"] <= 115
        named = http.post("/v2/models/late/versions/2/infer", json=body(ROW)).json()
        assert named["model_version"] == "2"
    assert set(shares((1, 0)).values()) == {"1"}


def test_a_shadow_sees_what_was_answered_and_never_answers(serving: Serving, revisions: list[Revision]):
    apply(serving, *revisions, weights=(1.0,), shadow="r2")
    with serving.http as http:
        answers = [http.post(INFER, json=body(ROW, parameters={"entity": "x"})).json() for _ in range(20)]
    assert {answer["model_version"] for answer in answers} == {"1"}
    ids = {answer["parameters"]["prediction_id"] + ".0" for answer in answers}
    rows = logged(serving, ids)
    for id_ in ids:
        assert sorted((row.variant, row.revision) for row in rows[id_]) == [("champion", "r1"), ("shadow", "r2")]
        assert rows[id_][0].inputs == rows[id_][1].inputs
        assert rows[id_][0].outputs["probabilities"] != rows[id_][1].outputs["probabilities"]


def test_before_answer_means_on_disk_when_answered(serving: Serving, revisions: list[Revision]):
    from modelkeel.wire.spool import read_blocks

    apply(serving, revisions[0], log="before-answer")
    with serving.http as http:
        id_ = http.post(INFER, json=body(ROW)).json()["parameters"]["prediction_id"]
    found = {
        request
        for path in (serving.folder / "spool").iterdir()
        if path.suffix in {".open", ".closed"}
        for block in read_blocks(path)
        for request in block.requests
    }
    assert id_ in found


def test_only_a_simulated_endpoint_takes_times_ahead(serving: Serving, revisions: list[Revision]):
    ahead = now_ms() + 86_400_000
    asked = body(ROW * 2, parameters={"event_times": [ahead, ahead + 1]})
    apply(serving, revisions[0])
    with serving.http as http:
        assert http.post(INFER, json=asked).status_code == 400
        apply(serving, revisions[0], simulated=True)
        request = http.post(INFER, json=asked).json()["parameters"]["prediction_id"]
    assert logged(serving, {f"{request}.1"})[f"{request}.1"][0].event_time == ahead + 1


def native_revision(folder: Path) -> tuple[Revision, pd.DataFrame, object]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"carrier": rng.choice(["AA", "UA", "B6"], 300), "delay": rng.normal(size=300)})
    target = ((frame["delay"] > 0) ^ (frame["carrier"] == "UA")).map({True: "late", False: "on time"})
    encoder = make_column_transformer((OneHotEncoder(), ["carrier"]), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression()).fit(frame, target)
    path = folder / "revisions" / "native"
    signature = infer_signature(frame, model.predict(frame))
    mlflow.sklearn.save_model(model, path, signature=signature, serialization_format="cloudpickle")
    head = frame.head(10)
    sample = Sample(
        [
            Tensor("carrier", "BYTES", (10, 1), head["carrier"].tolist()),
            Tensor("delay", "FP64", (10, 1), head["delay"].tolist()),
        ],
        [
            Tensor("label", "BYTES", (10,), model.predict(head).tolist()),
            Tensor("probabilities", "FP64", (10, 2), model.predict_proba(head).ravel().tolist()),
        ],
    )
    (path / "sample.json").write_bytes(msgspec.json.encode(sample))
    schema = ModelSchema(
        (Column("carrier", "BYTES"), Column("delay", "FP64")),
        (Column("label", "BYTES"), Column("probabilities", "FP64", (2,))),
    )
    revision = Revision(
        id="native",
        endpoint="e1",
        model="flights",
        version=3,
        digest="",
        kind="native",
        path="revisions/native",
        schema=schema,
        python=sys.executable,
        sample="revisions/native/sample.json",
        timeout_ms=5000,
    )
    return revision, frame, model


def test_a_native_model_answers_from_a_process_of_its_own(serving: Serving, revisions: list[Revision]):
    revision, frame, model = native_revision(serving.folder)
    os.environ["MODELKEEL_TOKEN"] = "secret"
    apply(serving, revision)
    asked = {"dataframe_split": {"columns": ["carrier", "delay"], "data": frame.to_numpy().tolist()}}
    with serving.http as http:
        answer = http.post("/default/late/invocations", json=asked).json()
        assert answer["predictions"] == model.predict(frame).tolist()  # type: ignore[attr-defined]
        unknown = {"dataframe_records": [{"carrier": "ZZ", "delay": 1.0}]}
        refused = http.post("/default/late/invocations", json=unknown)
        assert refused.status_code == 400
        assert "ZZ" in refused.json()["error"]
        (child,) = children(serving)
        assert "MODELKEEL_TOKEN" not in child.environ()
        child.kill()
        child.wait()
        deadline = time.monotonic() + 20
        statuses = []
        while time.monotonic() < deadline and 200 not in statuses:
            statuses.append(http.post("/default/late/invocations", json=asked).status_code)
            time.sleep(0.1)
        assert statuses[-1] == 200
        assert set(statuses) <= {200, 503}
    wrong = msgspec.structs.replace(revision, id="elsewhere", python="/nonexistent/python")
    with pytest.raises(Refused, match="can't be started"):
        apply(serving, wrong)
    apply(serving, revisions[0])
    deadline = time.monotonic() + 5
    while children(serving) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children(serving) == []


def test_a_native_model_that_hangs_or_dies_harms_nobody_else(serving: Serving, revisions: list[Revision]):
    class Fragile(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):  # noqa: ARG002 - as MLflow calls it
            if (model_input["delay"] > 100).any():
                time.sleep(60)
            if (model_input["delay"] < -100).any():
                os._exit(1)
            return (model_input["delay"] * 2).tolist()

    frame = pd.DataFrame({"delay": [1.0, 2.0]})
    path = serving.folder / "revisions" / "fragile"
    mlflow.pyfunc.save_model(path, python_model=Fragile(), signature=infer_signature(frame, [2.0, 4.0]))
    fragile = Revision(
        id="fragile",
        endpoint="e2",
        model="fragile",
        version=1,
        digest="",
        kind="native",
        path="revisions/fragile",
        schema=ModelSchema((Column("delay", "FP64"),), (Column("prediction", "FP64"),)),
        python=sys.executable,
        timeout_ms=500,
    )
    both = table(serving.control.status().generation + 1, revisions[0])
    second = msgspec.structs.replace(both.endpoints[0], id="e2", name="fragile", routes=(Route("fragile", 1),))
    serving.control.apply(RoutingTable(both.generation, (*both.endpoints, second), (*both.revisions, fragile)))

    def ask(value: float) -> httpx.Response:
        return http.post("/default/fragile/invocations", json={"inputs": {"delay": [value]}})

    with serving.http as http:
        for poison in (101.0, -101.0):
            assert ask(4.0).json()["predictions"] == [8.0]
            began = time.monotonic()
            assert ask(poison).status_code == 503
            assert time.monotonic() - began < 3
            assert http.post(INFER, json=body(ROW)).status_code == 200
            deadline = time.monotonic() + 20
            while ask(4.0).status_code == 503 and time.monotonic() < deadline:
                time.sleep(0.05)
        assert ask(5.0).json()["predictions"] == [10.0]
        assert serving.control.status().workers[0].restarts == 0
        errors = [line for line in http.get("/metrics").text.splitlines() if "errors_total{" in line]
        assert any('endpoint="fragile"' in line and 'status="503"' in line for line in errors)
    apply(serving, revisions[0])


def children(serving: Serving) -> list[psutil.Process]:
    runtime = psutil.Process(serving.control.status().workers[0].pid)
    return [child for child in runtime.children() if child.status() != psutil.STATUS_ZOMBIE]


def test_a_table_that_contradicts_itself_is_refused(serving: Serving, revisions: list[Revision]):
    generation = serving.control.status().generation + 1
    good = table(generation, revisions[0])
    for wrong, why in (
        (RoutingTable(generation, good.endpoints, ()), "is not in the table"),
        (table(generation, revisions[0], weights=(0.0,)), "no route has a weight"),
        (RoutingTable(generation, good.endpoints * 2, good.revisions), "same address"),
    ):
        with pytest.raises(Refused, match=why):
            serving.control.apply(wrong)
