"""Runs as OpenLineage events (specification 2-0-2, https://openlineage.io/spec/2-0-2/OpenLineage.json). Pure."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from modelkeel.core.clock import rfc3339
from modelkeel.registry.models import ModelVersion
from modelkeel.tracking.models import DatasetInput, Run
from modelkeel.version import __version__
from modelkeel.wire.pipelines import PipelineRun, StepRun

PRODUCER = f"https://modelkeel.dev/{__version__}"
_SPEC = "https://openlineage.io/spec"
SCHEMA = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
MOST_STEPS = 200
Event = dict[str, Any]
_ENDS = {"FINISHED": "COMPLETE", "FAILED": "FAIL", "KILLED": "ABORT"}
_STEP_ENDS = {"finished": "COMPLETE", "cached": "COMPLETE", "failed": "FAIL"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is told of one run.

    Attributes:
        namespace: of jobs and of what lies in this installation: one for each workspace.
        run: as it was tracked.
        experiment: its name.
        pipeline: the pipeline run of the same id, if there is one.
        versions: registered versions that it is behind.
    """

    namespace: str
    run: Run
    experiment: str
    pipeline: PipelineRun | None = None
    versions: list[ModelVersion] = field(default_factory=list)


def namespace_of(workspace: str) -> str:
    """The namespace of a workspace."""
    return f"modelkeel://{workspace}"


def started(facts: Facts) -> Event:
    """The run began."""
    return _event(facts, "START", facts.run.started, [], [])


def ended(facts: Facts) -> list[Event]:
    """The run ended, after the steps of its pipeline, each a run of its own below it. Nothing if it goes on."""
    kind = _ENDS.get(str(facts.run.status))
    if kind is None:
        return []
    steps = facts.pipeline.steps[:MOST_STEPS] if facts.pipeline is not None else []
    told = [_step(facts, facts.pipeline, step) for step in steps if facts.pipeline and step.status in _STEP_ENDS]
    when = facts.run.ended or facts.run.started
    inputs = [_input(facts.namespace, one) for one in facts.run.inputs]
    return [*told, _event(facts, kind, when, inputs, _outputs(facts))]


def registered(facts: Facts, when: int) -> Event:
    """A version was registered from the run after it had ended."""
    return _event(facts, "OTHER", when, [], _outputs(facts))


def everything(facts: Facts) -> list[Event]:
    """All that there is to tell of a run by now."""
    return [started(facts), *ended(facts)]


def _event(facts: Facts, kind: str, when: int, inputs: list[Any], outputs: list[Any]) -> Event:
    run, pipeline = facts.run, facts.pipeline
    name = pipeline.pipeline if pipeline is not None else facts.experiment
    about: dict[str, Any] = {
        "processing_engine": _facet("ProcessingEngineRunFacet", "1-1-1", version=__version__, name="modelkeel")
    }
    parent = run.tags.get("mlflow.parentRunId", "")
    if len(parent) == 32:
        above = {"run": {"runId": _uuid(parent)}, "job": {"namespace": facts.namespace, "name": facts.experiment}}
        about["parent"] = _facet("ParentRunFacet", "1-0-1", **above)
    if kind == "FAIL" and pipeline is not None and pipeline.error:
        about["errorMessage"] = _facet(
            "ErrorMessageRunFacet", "1-0-1", message=pipeline.error, programmingLanguage="python"
        )
    job: dict[str, Any] = {"jobType": _job_type("PIPELINE" if pipeline is not None else "RUN")}
    if run.name:
        job["documentation"] = _facet("DocumentationJobFacet", "1-0-1", description=run.name)
    return {
        "eventType": kind,
        "eventTime": rfc3339(when),
        "run": {"runId": _uuid(run.id), "facets": about},
        "job": {"namespace": facts.namespace, "name": name, "facets": job},
        "inputs": inputs,
        "outputs": outputs,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    }


def _step(facts: Facts, pipeline: PipelineRun, step: StepRun) -> Event:
    above = {"run": {"runId": _uuid(facts.run.id)}, "job": {"namespace": facts.namespace, "name": pipeline.pipeline}}
    about = {"parent": _facet("ParentRunFacet", "1-0-1", **above)}
    if step.error:
        about["errorMessage"] = _facet(
            "ErrorMessageRunFacet", "1-0-1", message=step.error, programmingLanguage="python"
        )
    came = [edge.digest for edge in pipeline.edges if edge.target == step.index and edge.source >= 0]
    read = [{"namespace": facts.namespace, "name": f"artifacts/{digest}"} for digest in dict.fromkeys(came)]
    made = [{"namespace": facts.namespace, "name": f"artifacts/{step.output.digest}"}] if step.output else []
    return {
        "eventType": _STEP_ENDS[step.status],
        "eventTime": step.started,
        "run": {"runId": str(uuid.uuid5(uuid.UUID(_uuid(facts.run.id)), str(step.index))), "facets": about},
        "job": {
            "namespace": facts.namespace,
            "name": f"{pipeline.pipeline}.{step.name}",
            "facets": {"jobType": _job_type("STEP")},
        },
        "inputs": read,
        "outputs": made,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    }


def _input(namespace: str, given: DatasetInput) -> dict[str, Any]:
    """A data set that was read: named by its address where it has one, as OpenLineage names data sets."""
    source = _json(given.source)
    address = next((str(source[key]) for key in ("uri", "url", "path") if source.get(key)), "")
    parts = urlsplit(address)
    if parts.scheme and parts.netloc:
        place = {"namespace": f"{parts.scheme}://{parts.netloc}", "name": parts.path.lstrip("/") or "/"}
    elif address.startswith("/"):
        place = {"namespace": "file", "name": address}
    else:
        place = {"namespace": namespace, "name": f"datasets/{given.name}"}
    about: dict[str, Any] = {"version": _facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=given.digest)}
    fields = _fields(_json(given.schema or ""))
    if fields:
        about["schema"] = _facet("SchemaDatasetFacet", "1-1-1", fields=fields)
    return {**place, "facets": about}


def _outputs(facts: Facts) -> list[dict[str, Any]]:
    made = [
        {"namespace": facts.namespace, "name": f"logged-models/{one.model_id}", "facets": {}}
        for one in facts.run.model_outputs
    ]
    return made + [
        {
            "namespace": facts.namespace,
            "name": f"models/{one.name}",
            "facets": {"version": _facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=str(one.version))},
        }
        for one in facts.versions
    ]


def _fields(schema: dict[str, Any]) -> list[dict[str, str]]:
    columns = schema.get("mlflow_colspec")
    columns = columns.get("columns", columns.get("inputs")) if isinstance(columns, dict) else columns
    if not isinstance(columns, list):
        return []
    return [
        {"name": str(one["name"]), "type": str(one.get("type", ""))}
        for one in columns
        if isinstance(one, dict) and one.get("name")
    ]


def _job_type(kind: str) -> dict[str, Any]:
    return _facet("JobTypeJobFacet", "2-0-3", processingType="BATCH", integration="MODELKEEL", jobType=kind)


def _facet(kind: str, edition: str, /, **fields: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/facets/{edition}/{kind}.json#/$defs/{kind}", **fields}


def _uuid(run_id: str) -> str:
    try:
        return str(uuid.UUID(hex=run_id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"modelkeel:{run_id}"))


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
