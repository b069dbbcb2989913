"""Every endpoint that the unmodified client knows is served, or says 501 and is on the list of what is left out."""

import re
from pathlib import Path

import pytest
from mlflow.protos import databricks_pb2, mlflow_artifacts_pb2, model_registry_pb2, service_pb2, webhooks_pb2

from modelkeel.protocols.mlflow.not_served import LEFT, left_out
from tests.conftest import Server

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "not-served.md"
_SERVICES = (
    service_pb2.MlflowService,
    model_registry_pb2.ModelRegistryService,
    mlflow_artifacts_pb2.MlflowArtifactsService,
    webhooks_pb2.WebhookService,
)


def _endpoints() -> list[tuple[str, str]]:
    found = set()
    for service in _SERVICES:
        for method in service.DESCRIPTOR.methods:
            for endpoint in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                path = re.sub(r"[{<][^}>]*[}>]", "x", endpoint.path.lstrip("/"))
                found.add((endpoint.method, f"/api/{endpoint.since.major}.0/{path}"))
    return sorted(found)


def test_every_endpoint_of_the_client(shared_server: Server) -> None:
    wanted = _endpoints()
    assert len(wanted) > 150
    wrong = []
    with shared_server.client() as client:
        for method, path in [*wanted, ("POST", "/graphql")]:
            answer = client.request(method, path, json=None if method == "GET" else {})
            code = answer.json().get("error_code") if "json" in answer.headers.get("content-type", "") else None
            listed = answer.status_code == 501 and code == "NOT_IMPLEMENTED" and left_out(path) is not None
            served = answer.is_success or (answer.status_code < 500 and code not in {None, "ENDPOINT_NOT_FOUND"})
            if not (listed or served):
                wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:100]}")
    assert not wrong, "\n".join(wrong)


def test_the_list_names_each_part() -> None:
    text = PAGE.read_text()
    assert [left.path for left in LEFT if f"`{left.path.rstrip('$')}`" not in text] == []


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("/api/3.0/mlflow/scorers/list", True),
        ("/ajax-api/2.0/mlflow/traces", True),
        ("/api/2.0/mlflow/users/create", False),
        ("/api/2.0/mlflow/registered-models/permissions/get", True),
        ("/api/2.0/mlflow/traces-of-mine", False),
        ("/api/2.0/mlflow/gatewayed", False),
        ("/api/2.0/mlflow/nothing/here", False),
    ],
)
def test_what_is_left_out(path: str, out: bool) -> None:
    assert (left_out(path) is not None) is out
