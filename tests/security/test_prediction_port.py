"""The prediction port, an application of its own: its every address, and what was published against such servers."""

import itertools
import json
import pickle
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from modelkeel.runtime.access import Uses
from modelkeel.runtime.app import _COMMON
from modelkeel.runtime.metrics import Registry
from modelkeel.runtime.routing import build
from modelkeel.runtime.server import read_table
from tests.conftest import Server, start_server
from tests.security.attack_kit import CANARY, Answer, listener, raw
from tests.security.test_published_content import Bomb

# What answers without a key, and why. `kind` of the address; the rest want a key of the endpoint.
OPEN_KINDS = {
    "server": "the protocol's greeting: a name and a version",
    "live": "supervisors and load balancers ask it",
    "server-ready": "as above",
    "ping": "as above",
    "version": "the protocol's version",
}
OPEN_COMMON = {
    "/v2": "the protocol's greeting", "/v2/": "as above", "/v2/health/live": "supervisors ask it",
    "/v2/health/ready": "as above", "/ping": "as above", "/health": "as above", "/version": "the protocol's version",
    "/metrics": "Prometheus on this machine scrapes it; on any other address it wants a key",
}  # fmt: skip
BODY = {"dataframe_split": {"columns": ["x"], "data": [[2.0]]}}
JSON = ("Content-Type", "application/json")


@dataclass
class Port:
    """A served model, its address, who may ask it, and a file beside the home."""

    server: Server
    url: str
    path: str
    key: str
    canary: Path

    def ask(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        *,
        key: bool = True,
    ) -> Answer:
        shown = [("Authorization", f"Bearer {self.key}")] if key else []
        return raw(self.url, method, target, [*shown, *(headers or [])], body)

    def predict(self, headers: list[tuple[str, str]], body: bytes, *, key: bool = True) -> Answer:
        return self.ask("POST", f"{self.path}/invocations", headers, body, key=key)


def _log_model(owner: httpx.Client) -> None:
    """A real model, through the protocol: its pickle is loaded by a confined child only."""
    with tempfile.TemporaryDirectory() as folder:
        made = np.random.default_rng(0).normal(size=(100, 1)).astype("float32")
        frame = pd.DataFrame(made, columns=["x"])
        fitted = LogisticRegression().fit(frame, (frame["x"] > 0).astype(int))
        signature = mlflow.models.infer_signature(frame, fitted.predict(frame))
        saved = Path(folder) / "m"
        mlflow.sklearn.save_model(
            fitted, saved, signature=signature, input_example=frame.head(9), serialization_format="cloudpickle"
        )
        v2 = "/api/2.0/mlflow"
        experiment = owner.post(f"{v2}/experiments/create", json={"name": "e"}).json()["experiment_id"]
        run = owner.post(f"{v2}/runs/create", json={"experiment_id": experiment}).json()["run"]["info"]["run_id"]
        for file in saved.rglob("*"):
            if file.is_file():
                at = f"{experiment}/{run}/artifacts/model/{file.relative_to(saved)}"
                owner.put(f"/api/2.0/mlflow-artifacts/artifacts/{at}", content=file.read_bytes()).raise_for_status()
        owner.post(f"{v2}/registered-models/create", json={"name": "churn"}).raise_for_status()
        source = {"name": "churn", "source": f"runs:/{run}/model", "run_id": run}
        owner.post(f"{v2}/model-versions/create", json=source).raise_for_status()


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    folder = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(folder / "home", "--no-anonymous")
    try:
        canary = folder / "canary.txt"
        canary.write_text(CANARY)
        with server.client(server.token) as owner:
            _log_model(owner)
            owner.put("/api/v1/endpoints/churn", json={"model": "churn/1"}).raise_for_status()
            deadline = time.monotonic() + 120
            while (at := owner.get("/api/v1/endpoints/churn").json())["rollout"]["state"] != "completed":
                assert time.monotonic() < deadline, at
                assert at["rollout"]["state"] != "aborted", at
                time.sleep(0.1)
        address = httpx.URL(at["url"])
        found = Port(server, f"http://{address.host}:{address.port}", address.path, server.token, canary)
        while found.predict([JSON], json.dumps(BODY).encode()).status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield found
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _still_answers(port: Port) -> Iterator[None]:
    yield
    assert port.predict([JSON], json.dumps(BODY).encode()).status == 200
    assert port.canary.read_text() == CANARY


def test_every_address_wants_a_key_or_is_pinned(port: Port):
    table = read_table(port.server.home / "serving")
    targets = build(table, {}, {}, Registry(), Uses()).targets
    assert len(targets) > 10
    for path, target in targets.items():
        for method in ("GET", "POST"):
            answer = port.ask(method, path, [JSON], json.dumps(BODY).encode() if method == "POST" else b"", key=False)
            if target.kind in OPEN_KINDS:
                assert answer.status in {200, 405}, path
            else:
                assert answer.status in {401, 405}, (
                    f"{method} {path} of kind {target.kind} needs no key: pin it or guard it"
                )
            assert port.ask(method, path, [("Authorization", "Bearer mk_wrong")], key=False).status in {200, 401, 405}
        assert {port.ask(m, path, key=False).status for m in ("PUT", "DELETE", "PATCH", "OPTIONS")} == {405}, path
    assert {"invoke", "infer", "metadata", "ready"} <= {target.kind for target in targets.values()}


def test_what_is_common_to_all_endpoints_is_pinned(port: Port):
    assert set(_COMMON) | {"/metrics"} == set(OPEN_COMMON)
    for path in OPEN_COMMON:
        answer = port.ask("GET", path, key=False)
        assert answer.status == 200, path
        assert port.key not in answer.text
        assert port.ask("POST", path, key=False).status == 405


def test_no_routes_of_the_control_plane_answer_here(port: Port):
    for path in ("/api/v1/me", "/api/2.0/mlflow/experiments/search", "/", "/api/v1/openapi", "/login"):
        assert port.ask("GET", path).status == 404


UP = "../" * 10
PATHS = {
    "CVE-2023-1177-plain": f"/{UP}{{file}}",
    "CVE-2023-6020-static": f"/static/{UP}{{file}}",
    "CVE-2024-1561-file": "/file={file}",
    "CVE-2023-51449-file": f"/file/{UP}{{file}}",
    "CVE-2024-1560-encoded": "/" + "%252e%252e%252f" * 10 + "{file}",
    "CVE-2023-6831-encoded": "/" + "%2e%2e%2f" * 10 + "{file}",
    "endpoint": f"/default/{UP}{{file}}/invocations",
    "model": f"/v2/models/{UP}{{file}}",
    "version": f"/v2/models/churn/versions/{UP}{{file}}",
    "repository": "/v2/repository/index",
    "CVE-2023-31036-load": "/v2/repository/models/..%2f..%2f/load",
    "CVE-2023-43654-register": "/models?url=file:///{file}",
    "CVE-2025-23319-shared-memory": "/v2/systemsharedmemory/region/x/register",
    "CVE-2025-23320-cuda": "/v2/cudasharedmemory/status",
    "CVE-2023-6021-logs": "/api/v0/logs/file?node_id=x&filename={file}",
    "trace": "/v2/trace/setting",
    "nul": "/default/churn%00/invocations",
}


@pytest.mark.parametrize(("case", "method"), list(itertools.product(PATHS, ("GET", "POST"))))
def test_no_path_leads_to_a_file_or_a_repository(port: Port, case: str, method: str):
    target = PATHS[case].format(file=str(port.canary).lstrip("/"))
    answer = port.ask(
        method, target, [JSON], json.dumps({"key": str(port.canary)}).encode() if method == "POST" else b""
    )
    assert CANARY not in answer.text
    assert answer.status in {400, 404, 405}, answer.text[:200]


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.bentoml+pickle",  # CVE-2025-27520
        "application/octet-stream",
        "application/x-pickle",
        "application/python-pickle",
        "application/json",
        "multipart/form-data; boundary=x",
        "",  # CVE-2025-32375: a body that reached a loader because the header was absent
    ],
)
def test_no_body_is_unpickled(port: Port, tmp_path: Path, kind: str):
    mark = tmp_path / "unpickled"
    answer = port.predict([("Content-Type", kind)] if kind else [], pickle.dumps(Bomb(mark)))
    assert answer.status == 400, answer.text
    more = [("Payload-Container", "NdarrayContainer"), ("Payload-Meta", '{"format":"default"}'), ("Args-Number", "1")]
    assert port.predict([*more, ("Content-Type", kind or "x/y")], pickle.dumps(Bomb(mark))).status == 400
    assert not mark.exists()


def test_no_address_in_a_body_is_called(port: Port):
    """CVE-2025-54381: a file's place in a multipart form or a JSON body was fetched by the server."""
    with listener() as (trap, heard):
        bodies = [
            ([JSON], json.dumps({"inputs": {"x": [f"{trap}/a"]}}).encode()),
            ([JSON], json.dumps({"dataframe_split": {"columns": ["x"], "data": [[f"{trap}/a"]]}}).encode()),
            (
                [("Content-Type", "multipart/form-data; boundary=x")],
                f'--x\r\nContent-Disposition: form-data; name="x"\r\n\r\n{trap}/a\r\n--x--\r\n'.encode(),
            ),
        ]
        for headers, body in bodies:
            assert port.predict(headers, body).status == 400
        time.sleep(0.05)
        assert heard == []


BODIES = {
    "empty": b"",
    "nesting": b'{"inputs":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "keys": json.dumps({"inputs": {f"k{n}": [1] for n in range(50_000)}}).encode(),
    "same-keys": b'{"inputs":{' + b'"x":[1],' * 100_000 + b'"y":[1]}}',
    "ragged": b'{"inputs":{"x":[[1,2],[3]]}}',
    "nan": b'{"inputs":{"x":[NaN]}}',
    "overflow": b'{"inputs":{"x":[1e999]}}',
    "big-integer": b'{"inputs":{"x":[' + b"9" * 100_000 + b"]}}",
    "negative-shape": json.dumps({"inputs": [{"name": "x", "shape": [-1], "datatype": "FP32", "data": [1]}]}).encode(),
    "huge-shape": json.dumps({"inputs": [{"name": "x", "shape": [2**62], "datatype": "FP32", "data": [1]}]}).encode(),
    "wrapped-shape": json.dumps(
        {"inputs": [{"name": "x", "shape": [2**32, 2**32], "datatype": "FP32", "data": [1]}]}
    ).encode(),
    "datatype": json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "OBJECT", "data": [1]}]}).encode(),
    "CVE-2025-23319-region": json.dumps(
        {
            "inputs": [
                {
                    "name": "x",
                    "shape": [1],
                    "datatype": "FP32",
                    "parameters": {"shared_memory_region": "r", "shared_memory_byte_size": 2**63},
                }
            ]
        }
    ).encode(),
    "surrogates": b'{"inputs":{"x":["\\ud800"]}}',
    "not-utf8": b'{"inputs":{"x":["\xff"]}}',
}


@pytest.mark.parametrize("case", BODIES)
@pytest.mark.parametrize("at", ["/invocations", "/v2/models/churn/infer"])
def test_a_body_made_to_break_is_refused_quickly(port: Port, case: str, at: str):
    target = f"{port.path}{at}" if at == "/invocations" else at
    start = time.monotonic()
    answer = port.ask("POST", target, [JSON], BODIES[case])
    assert time.monotonic() - start < 3
    assert answer.status == 400 or (case == "same-keys" and answer.status == 200), answer.text[:300]
    assert len(answer.body) < 20_000
    assert not re.search(r'Traceback|File "|site-packages', answer.text)
    assert str(port.server.home) not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Encoding", "gzip")],
        [("Content-Encoding", "deflate, gzip")],
        [("Inference-Header-Content-Length", "10")],
        [("Content-Length", str(1 << 40))],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],  # CVE-2025-23310 and smuggling
    ],
    ids=["gzip", "twice", "binary", "huge", "both-lengths"],
)
def test_bodies_in_other_forms_are_refused(port: Port, headers: list[tuple[str, str]]):
    answer = port.predict([JSON, *headers], b"0\r\n\r\n" + b"\x1f\x8b" * 10)
    assert answer.status in {0, 400, 413}, answer.text


@pytest.mark.parametrize(
    "host", [["evil.example"], ["evil.example", "{host}"], ["{host}", "evil.example"], ["a@127.0.0.1"], [""]]
)
def test_a_foreign_name_is_refused(port: Port, host: list[str]):
    """CVE-2025-14279: DNS rebinding; two names in one request deceive whoever reads the other."""
    ours = port.url.removeprefix("http://")
    hosts = [("Host", name.format(host=ours)) for name in host]
    answer = port.predict([JSON, *hosts], json.dumps(BODY).encode())
    assert answer.status in {400, 403}, answer.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
def test_a_foreign_page_gets_no_prediction(port: Port, origin: str):
    answer = port.predict([("Content-Type", "text/plain"), ("Origin", origin)], json.dumps(BODY).encode())
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
