"""Traces as the unmodified `mlflow` client logs, finds, judges and deletes them, and as plain OTLP sends them."""

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import mlflow
import pytest
from mlflow.entities import AssessmentSource, Trace
from mlflow.exceptions import MlflowException
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import Server

_TRACE = "0af7651916cd43dd8448eb211c8031"


@pytest.fixture
def experiment(shared_server: Server) -> Iterator[str]:
    mlflow.set_tracking_uri(shared_server.url)
    made = mlflow.create_experiment(f"traces {time.time_ns()}")
    mlflow.set_experiment(experiment_id=made)
    yield made
    mlflow.set_experiment(experiment_id="0")


def _traced(question: str, *, fails: bool = False, name: str = "answer", **tags: str) -> str:
    try:
        with mlflow.start_span(name=name, span_type="CHAIN") as root:
            root.set_inputs({"question": question})
            mlflow.update_current_trace(tags=tags, metadata={"session": question})
            with mlflow.start_span(name="look up", span_type="RETRIEVER") as child:
                child.set_attribute("rows", 3)
                if fails:
                    raise ValueError(question)
            root.set_outputs({"answer": question.upper()})
    except ValueError:
        pass
    mlflow.flush_trace_async_logging()
    found = mlflow.get_last_active_trace_id()
    assert found
    return str(found)


def _ids(experiment: str, text: str | None = None, **more: Any) -> list[str]:
    found: list[Trace] = mlflow.search_traces(
        locations=[experiment], filter_string=text, return_type="list", include_spans=False, **more
    )
    return [trace.info.trace_id for trace in found]


def test_a_trace_comes_back_as_it_was(experiment: str) -> None:
    made = _traced("what", team="a")
    found = mlflow.get_trace(made)
    assert found is not None
    assert (found.info.experiment_id, found.info.state, found.info.tags["team"]) == (experiment, "OK", "a")
    assert found.info.trace_metadata["session"] == "what"
    root, child = sorted(found.data.spans, key=lambda span: span.start_time_ns)
    assert (root.name, root.span_type, root.inputs, root.outputs) == (
        "answer",
        "CHAIN",
        {"question": "what"},
        {"answer": "WHAT"},
    )
    assert (child.name, child.parent_id, child.get_attribute("rows")) == ("look up", root.span_id, 3)
    assert json.loads(found.info.request_preview or "") == {"question": "what"}
    assert found.info.execution_duration is not None
    [whole] = mlflow.search_traces(locations=[experiment], return_type="list")
    assert [span.name for span in whole.data.spans] == ["answer", "look up"]


def test_search(experiment: str) -> None:
    first, second, third = _traced("one", team="a"), _traced("two", fails=True), _traced("three", name="other")
    assert _ids(experiment) == [third, second, first]
    for text, wanted in {
        "attributes.status = 'ERROR'": [second],
        "trace.status = 'OK'": [third, first],
        "tags.team = 'a'": [first],
        "tags.team IS NULL": [third, second],
        "attributes.name = 'other'": [third],
        "name LIKE 'ans%' AND status = 'OK'": [first],
        "metadata.session = 'two'": [second],
        "timestamp_ms > 0": [third, second, first],
        "timestamp_ms < 5": [],
        "span.type = 'RETRIEVER' AND span.status = 'ERROR'": [second],
        f"request_id IN ('{first}', '{third}')": [third, first],
    }.items():
        assert _ids(experiment, text) == wanted, text
    assert _ids(experiment, order_by=["timestamp_ms ASC"]) == [first, second, third]
    client = mlflow.MlflowClient()
    page = client.search_traces(locations=[experiment], max_results=2)
    rest = client.search_traces(locations=[experiment], max_results=2, page_token=page.token)
    assert [t.info.trace_id for t in [*page, *rest]] == [third, second, first]
    assert rest.token is None
    for wrong in (
        "nonsense",
        "metrics.x > 1",
        "timestamp_ms = 'a'",
        "span.colour = 'a'",
        "tags.a RLIKE 'b'",
        "trace.text LIKE 'b'",
    ):
        with pytest.raises(MlflowException, match="INVALID_PARAMETER_VALUE"):
            _ids(experiment, wrong)


def test_traces_of_a_run(experiment: str) -> None:
    with mlflow.start_run() as run:
        inside = _traced("inside")
    outside = _traced("outside")
    assert _ids(experiment, f"run_id = '{run.info.run_id}'") == [inside]
    mlflow.MlflowClient().link_traces_to_run([outside], run.info.run_id)
    assert _ids(experiment, f"attributes.run_id = '{run.info.run_id}'") == [outside, inside]


def test_tags_and_deletion(experiment: str) -> None:
    made, other = _traced("one"), _traced("two")
    mlflow.set_trace_tag(made, "judged", "yes")
    assert _ids(experiment, "tags.judged = 'yes'") == [made]
    mlflow.delete_trace_tag(made, "judged")
    assert _ids(experiment, "tags.judged = 'yes'") == []
    client = mlflow.MlflowClient()
    assert client.delete_traces(experiment, trace_ids=[made]) == 1
    assert _ids(experiment) == [other]
    assert client.delete_traces(experiment, max_timestamp_millis=int(time.time() * 1000) + 1000) == 1
    assert mlflow.get_trace(made) is None


def test_assessments(experiment: str) -> None:
    made = _traced("one")
    human = AssessmentSource(source_type="HUMAN", source_id="ann")
    good = mlflow.log_feedback(trace_id=made, name="good", value=0.75, source=human, rationale="short")
    mlflow.log_expectation(trace_id=made, name="answer", value={"text": "ONE"}, source=human)
    found = mlflow.get_trace(made)
    assert found is not None
    assert [(a.name, a.value) for a in found.info.assessments] == [("good", 0.75), ("answer", {"text": "ONE"})]
    assert _ids(experiment, "feedback.good > 0.5") == [made]
    assert _ids(experiment, "feedback.good > 0.9") == []
    assert good.assessment_id
    changed = mlflow.entities.Feedback(name="good", value=0.95, source=human)
    mlflow.update_assessment(trace_id=made, assessment_id=good.assessment_id, assessment=changed)
    assert mlflow.get_assessment(made, good.assessment_id).value == 0.95
    assert _ids(experiment, "feedback.good > 0.9") == [made]
    mlflow.delete_assessment(trace_id=made, assessment_id=good.assessment_id)
    with pytest.raises(MlflowException, match="not found"):
        mlflow.get_assessment(made, good.assessment_id)


def _otlp(trace: str, **more: Any) -> dict[str, Any]:
    span: dict[str, Any] = {
        "traceId": trace,
        "spanId": "b7ad6b7169203331",
        "name": "GET /",
        "startTimeUnixNano": "1700000000000000000",
    }
    span |= {"endTimeUnixNano": "1700000000250000000", "kind": 2, **more}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def test_plain_opentelemetry(experiment: str, shared_server: Server) -> None:
    headers = {"x-mlflow-experiment-id": experiment}
    with shared_server.client() as client:
        client.post("/v1/traces", json=_otlp(f"{_TRACE}01"), headers=headers).raise_for_status()
        client.post("/v1/traces", json=_otlp(f"{_TRACE}05")).raise_for_status()  # to Default
        asked = ExportTraceServiceRequest()
        span = asked.resource_spans.add().scope_spans.add().spans.add()
        span.trace_id, span.span_id, span.name = bytes.fromhex(f"{_TRACE}02"), b"12345678", "packed"
        span.start_time_unix_nano = 1_700_000_001_000_000_000
        span.attributes.add(key="input.value").value.string_value = "hello"
        kind = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        sent = client.post("/v1/traces", content=gzip.compress(asked.SerializeToString()), headers=headers | kind)
        assert (sent.status_code, sent.content) == (200, b"")
    assert _ids(experiment) == [f"tr-{_TRACE}02", f"tr-{_TRACE}01"]
    assert f"tr-{_TRACE}05" in _ids("0")
    done, running = mlflow.get_trace(f"tr-{_TRACE}01"), mlflow.get_trace(f"tr-{_TRACE}02")
    assert done is not None
    assert running is not None
    assert (done.info.state, done.info.execution_duration, done.data.spans[0].name) == ("OK", 250, "GET /")
    assert (running.info.state, running.info.request_preview) == ("IN_PROGRESS", "hello")


def test_what_is_wrong_is_said(experiment: str, shared_server: Server) -> None:
    headers = {"x-mlflow-experiment-id": experiment}
    protobuf = headers | {"content-type": "application/x-protobuf"}

    def refused(client: httpx.Client, **more: Any) -> str:
        answer = client.post("/v1/traces", **more)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["message"])

    with shared_server.client() as client:
        assert "ExportTraceServiceRequest" in refused(client, content=b"\xff\xff", headers=protobuf)
        assert "not gzip" in refused(client, content=b"plain", headers=protobuf | {"content-encoding": "gzip"})
        cut = gzip.compress(b"a" * 1000)[:-9]
        assert "cut off" in refused(client, content=cut, headers=protobuf | {"content-encoding": "gzip"})
        assert "got 'text/plain'" in refused(client, content=b"", headers=headers | {"content-type": "text/plain"})
        assert "hexadecimal" in refused(client, json=_otlp("xyz"), headers=headers)
        assert "16 bytes" in refused(client, json=_otlp("00ff"), headers=headers)
        nowhere = client.post("/v1/traces", json=_otlp(f"{_TRACE}03"), headers={"x-mlflow-experiment-id": "17"})
        assert nowhere.status_code == 404
        elsewhere = mlflow.create_experiment(f"elsewhere {time.time_ns()}")
        client.post("/v1/traces", json=_otlp(f"{_TRACE}04"), headers=headers).raise_for_status()
        other = {"x-mlflow-experiment-id": elsewhere}
        assert "another experiment" in refused(client, json=_otlp(f"{_TRACE}04"), headers=other)
        judged = {"assessment_name": "a", "feedback": {"value": 1}, "metadata": 5}
        at = f"/api/3.0/mlflow/traces/tr-{_TRACE}04/assessments"
        for wrong in (judged, {"feedback": {"value": 1}}, {"assessment_name": "a"}):
            assert client.post(at, json={"assessment": wrong}).status_code == 400
    with pytest.raises(MlflowException, match="8000"):
        mlflow.set_trace_tag(f"tr-{_TRACE}04", "k", "v" * 8001)
