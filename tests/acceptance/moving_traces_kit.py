"""Traces and evaluation data sets for the tests of moving: made by the real client, and how to look at them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlflow
from google.protobuf.json_format import MessageToDict
from mlflow import MlflowClient
from mlflow.entities import AssessmentSource


def fill_traces(client: MlflowClient, experiment: str, run: str) -> list[str]:
    """Three traces below an experiment: judged, failed and linked to a run; returns their ids.

    The tracking URI has to be the client's.
    """
    first, second, third = (trace(experiment, question) for question in ("what", "why", "who"))
    by = AssessmentSource("HUMAN", "ada")
    old = mlflow.log_feedback(trace_id=first, name="good", value=0.5, source=by, rationale="it is so so")
    mlflow.override_feedback(trace_id=first, assessment_id=old.assessment_id, value=True, source=by)
    mlflow.log_expectation(trace_id=first, name="answer", value={"said": "WHAT"}, source=by)
    mlflow.log_feedback(trace_id=second, name="good", value="ü" * 300, metadata={"k": "v"})
    client.set_trace_tag(third, "note", "ü" * 300)
    if not _folder(client):
        client.link_traces_to_run([third], run)
    return [first, second, third]


def fill_datasets(client: MlflowClient, experiment: str) -> str:
    """An evaluation data set with records of all kinds; returns its id."""
    made = client.create_dataset(name="questions", experiment_id=experiment, tags={"team": "a", "mlflow.user": "ann"})
    records = [
        {"inputs": {"q": n, "r": [1.5]}, "outputs": f"o{n}", "expectations": {"a": True}, "tags": {"k": "v"}}
        for n in range(3)
    ]
    more = [{"inputs": {"q": "ü"}, "source": {"source_type": "TRACE", "source_data": {"trace_id": "tr-1"}}}]
    client._tracking_client.store.upsert_dataset_records(made.dataset_id, [*records, *more])
    return str(made.dataset_id)


def traces_of(client: MlflowClient, experiment: str) -> dict[str, Any]:
    """All that an MLflow shows of an experiment's traces."""
    found = client.search_traces(locations=[experiment], include_spans=False, max_results=500)
    store = client._tracking_client.store
    shown = {}
    for info in (trace.info for trace in found):
        whole = client.get_trace(info.trace_id)
        linked = []
        for run in client.search_runs([experiment], "", 3):
            query = f"attributes.run_id = '{run.info.run_id}'"
            try:
                page, _ = store.search_traces(locations=[experiment], filter_string=query)
            except mlflow.MlflowException:
                continue  # a folder knows no links
            linked += [run.info.run_id for one in page if one.trace_id == info.trace_id]
        shown[info.trace_id] = {
            "state": info.state.value,
            "times": (info.request_time, info.execution_duration),
            "previews": (info.request_preview, info.response_preview),
            "metadata": info.trace_metadata,
            "tags": {k: v for k, v in info.tags.items() if k not in {"mlflow.artifactLocation", _PLACE}},
            "assessments": sorted((_assessment(one) for one in info.assessments), key=str),
            "spans": sorted((_span(span) for span in whole.data.spans), key=str),
            "linked": linked,
        }
    return shown


def datasets_of(client: MlflowClient) -> dict[str, Any]:
    """All that an MLflow shows of its evaluation data sets; the digest is each server's own."""
    store = client._tracking_client.store
    shown = {}
    for one in client.search_datasets():
        records, _ = store._load_dataset_records(one.dataset_id, max_results=1000)
        shown[one.dataset_id] = {
            "name": one.name,
            "tags": one.tags,
            "schema": one.schema,
            "profile": one.profile,
            "times": (one.created_time, one.last_update_time),
            "by": (one.created_by, one.last_updated_by),
            "experiments": store.get_dataset_experiment_ids(one.dataset_id),
            "records": sorted((record.to_dict() for record in records), key=str),
        }
    return shown


_PLACE = "mlflow.trace.spansLocation"


def trace(experiment: str, question: str) -> str:
    """One trace with two spans below an experiment; asked why, it fails."""
    mlflow.set_experiment(experiment_id=experiment)
    try:
        with _at_once(), mlflow.start_span(name="answer", span_type="CHAIN") as root:
            root.set_inputs({"question": question})
            mlflow.update_current_trace(tags={"team": "a"}, metadata={"session": question})
            with mlflow.start_span(name="look up", span_type="RETRIEVER") as child:
                child.set_attribute("rows", 3)
                child.set_attribute("odd", [1.5, None, {"ü": "x"}])
                if question == "why":
                    raise ValueError(question)
            root.set_outputs({"answer": question.upper()})
    except ValueError:
        pass
    mlflow.set_experiment(experiment_id="0")
    found = mlflow.get_last_active_trace_id()
    assert found
    return str(found)


@contextmanager
def _at_once() -> Iterator[None]:
    """Traces are logged when they end; by default the client sends them about once a second."""
    name, before = "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", os.environ.get("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING")
    os.environ[name] = "false"
    mlflow.tracing.reset()  # what sends them is made with the next span
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before
        mlflow.tracing.reset()


def _folder(client: MlflowClient) -> bool:
    return "FileStore" in type(client._tracking_client.store).__name__


def _assessment(one: Any) -> dict[str, Any]:
    told = dict(MessageToDict(one.to_proto(), preserving_proto_field_name=True))
    return {key: value for key, value in told.items() if (key, value) != ("valid", True)}  # read by HTTP, it is unset


def _span(span: Any) -> dict[str, Any]:
    return dict(MessageToDict(span.to_otel_proto(), preserving_proto_field_name=True))
