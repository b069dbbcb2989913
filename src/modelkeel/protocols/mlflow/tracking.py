"""Routes of experiments and runs."""

from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.protocols.mlflow import answers
from modelkeel.protocols.mlflow import messages as m
from modelkeel.protocols.mlflow.endpoint import endpoint, require
from modelkeel.tracking.models import ArtifactOwner, DatasetInput, Metric, ModelOutput
from modelkeel.tracking.rules import BATCH_BYTES, check_unique_params, missing
from modelkeel.tracking.service import Tracking

SEARCH_DEFAULT = 1000
SEARCH_MOST = 50_000
HISTORY_MOST = 25_000


def experiment_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """`/mlflow/experiments/…`."""

    async def create(principal: Principal, asked: m.CreateExperiment) -> answers.ExperimentCreated:
        require(name=asked.name)
        identity = await tracking.create_experiment(principal, asked.name, m.pairs(asked.tags), asked.artifact_location)
        return answers.ExperimentCreated(identity)

    async def get(principal: Principal, asked: m.ExperimentId) -> answers.OneExperiment:
        require(experiment_id=asked.experiment_id)
        return answers.OneExperiment(answers.experiment(await tracking.experiment(principal, asked.experiment_id)))

    async def by_name(principal: Principal, asked: m.ExperimentName) -> answers.OneExperiment:
        require(experiment_name=asked.experiment_name)
        found = await tracking.experiment_named(principal, asked.experiment_name)
        return answers.OneExperiment(answers.experiment(found))

    async def search(principal: Principal, asked: m.Search) -> answers.ManyExperiments:
        found, token = await tracking.search_experiments(
            principal,
            lifecycles=m.lifecycles(asked.view_type),
            filter=asked.filter,
            order_by=asked.order_by,
            limit=m.page_size(asked.max_results, SEARCH_DEFAULT, SEARCH_MOST),
            token=asked.page_token,
        )
        return answers.ManyExperiments([answers.experiment(e) for e in found], token)

    async def delete(principal: Principal, asked: m.ExperimentId) -> None:
        require(experiment_id=asked.experiment_id)
        await tracking.delete_experiment(principal, asked.experiment_id)

    async def restore(principal: Principal, asked: m.ExperimentId) -> None:
        require(experiment_id=asked.experiment_id)
        await tracking.restore_experiment(principal, asked.experiment_id)

    async def update(principal: Principal, asked: m.UpdateExperiment) -> None:
        require(experiment_id=asked.experiment_id, new_name=asked.new_name)
        await tracking.rename_experiment(principal, asked.experiment_id, asked.new_name)

    async def set_tag(principal: Principal, asked: m.ExperimentTag) -> None:
        require(experiment_id=asked.experiment_id, key=asked.key)
        await tracking.set_experiment_tag(principal, asked.experiment_id, asked.key, asked.value)

    async def delete_tag(principal: Principal, asked: m.ExperimentTag) -> None:
        require(experiment_id=asked.experiment_id, key=asked.key)
        await tracking.delete_experiment_tag(principal, asked.experiment_id, asked.key)

    async def datasets(principal: Principal, asked: m.SearchDatasets) -> answers.ManyDatasetUses:
        return answers.ManyDatasetUses(await tracking.dataset_uses(principal, asked.experiment_ids))

    at = "/mlflow/experiments"
    return [
        endpoint("POST", f"{at}/create", m.CreateExperiment, create, writes="record"),
        endpoint("GET", f"{at}/get", m.ExperimentId, get),
        endpoint("GET", f"{at}/get-by-name", m.ExperimentName, by_name),
        endpoint("GET", f"{at}/search", m.Search, search),
        endpoint("POST", f"{at}/search", m.Search, search),
        endpoint("POST", f"{at}/search-datasets", m.SearchDatasets, datasets, writes="nothing"),
        endpoint("POST", f"{at}/delete", m.ExperimentId, delete, writes="record"),
        endpoint("POST", f"{at}/restore", m.ExperimentId, restore, writes="record"),
        endpoint("POST", f"{at}/update", m.UpdateExperiment, update, writes="record"),
        endpoint("POST", f"{at}/set-experiment-tag", m.ExperimentTag, set_tag, writes="record"),
        endpoint("POST", f"{at}/delete-experiment-tag", m.ExperimentTag, delete_tag, writes="record"),
    ]


def run_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """`/mlflow/runs/…`: a run's life."""

    async def create(principal: Principal, asked: m.CreateRun) -> answers.OneRun:
        run = await tracking.create_run(
            principal,
            asked.experiment_id,
            name=asked.run_name,
            started=asked.start_time,
            tags=m.tags(asked.tags),
            user=asked.user_id,
        )
        return answers.OneRun(answers.run(run))

    async def get(principal: Principal, asked: m.RunId) -> answers.OneRun:
        require(run_id=asked.id)
        return answers.OneRun(answers.run(await tracking.get_run(principal, asked.id)))

    async def update(principal: Principal, asked: m.UpdateRun) -> answers.OneRunInfo:
        require(run_id=asked.id)
        status = None if asked.status is None else m.run_status(asked.status)
        run = await tracking.update_run(principal, asked.id, status=status, ended=asked.end_time, name=asked.run_name)
        return answers.OneRunInfo(answers.run_info(run))

    async def search(principal: Principal, asked: m.SearchRuns) -> answers.ManyRuns:
        found, token = await tracking.list_runs(
            principal,
            asked.experiment_ids,
            asked.filter,
            asked.order_by,
            m.page_size(asked.max_results, SEARCH_DEFAULT, SEARCH_MOST),
            asked.page_token,
            lifecycles=m.lifecycles(asked.run_view_type),
        )
        return answers.ManyRuns([answers.run(run) for run in found], token)

    async def delete(principal: Principal, asked: m.RunId) -> None:
        require(run_id=asked.id)
        await tracking.delete_run(principal, asked.id)

    async def restore(principal: Principal, asked: m.RunId) -> None:
        require(run_id=asked.id)
        await tracking.restore_run(principal, asked.id)

    async def log_model(principal: Principal, asked: m.LogModel) -> None:
        require(run_id=asked.id, model_json=asked.model_json)
        await tracking.add_model_json(principal, asked.id, _model_tags(asked.model_json))

    async def set_tag(principal: Principal, asked: m.RunKeyValue) -> None:
        require(run_id=asked.id, key=asked.key)
        await tracking.set_tags(principal, asked.id, m.tags([m.KeyValue(asked.key, asked.value)]))

    async def delete_tag(principal: Principal, asked: m.RunKeyValue) -> None:
        require(run_id=asked.id, key=asked.key)
        await tracking.delete_tag(principal, asked.id, asked.key)

    async def log_inputs(principal: Principal, asked: m.LogInputs) -> None:
        require(run_id=asked.id)
        data = [_dataset(item) for item in asked.datasets]
        await tracking.log_inputs(principal, asked.id, data, [model.model_id for model in asked.models])

    async def log_outputs(principal: Principal, asked: m.LogOutputs) -> None:
        require(run_id=asked.id)
        await tracking.log_outputs(principal, asked.id, [ModelOutput(x.model_id, x.step) for x in asked.models])

    at = "/mlflow/runs"
    return [
        endpoint("POST", f"{at}/create", m.CreateRun, create, writes="record"),
        endpoint("GET", f"{at}/get", m.RunId, get),
        endpoint("POST", f"{at}/update", m.UpdateRun, update, writes="record"),
        endpoint("POST", f"{at}/search", m.SearchRuns, search),
        endpoint("POST", f"{at}/delete", m.RunId, delete, writes="record"),
        endpoint("POST", f"{at}/restore", m.RunId, restore, writes="record"),
        endpoint("POST", f"{at}/set-tag", m.RunKeyValue, set_tag, writes="record"),
        endpoint("POST", f"{at}/delete-tag", m.RunKeyValue, delete_tag, writes="record"),
        endpoint("POST", f"{at}/log-model", m.LogModel, log_model, writes="record"),
        endpoint("POST", f"{at}/log-inputs", m.LogInputs, log_inputs, writes="record"),
        endpoint("POST", f"{at}/outputs", m.LogOutputs, log_outputs, writes="record"),
    ]


def series_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """Metrics, params, histories and a run's list of artifacts."""

    async def log_metric(principal: Principal, asked: m.LogMetric) -> None:
        require(run_id=asked.id, key=asked.key)
        if asked.value is None or asked.timestamp is None:
            raise missing("value" if asked.value is None else "timestamp")
        model, name, digest = asked.model_id or None, asked.dataset_name or None, asked.dataset_digest or None
        point = Metric(asked.key, asked.value, asked.timestamp, asked.step, model, name, digest)
        await tracking.log_batch(principal, asked.id, [point])

    async def log_param(principal: Principal, asked: m.RunKeyValue) -> None:
        require(run_id=asked.id, key=asked.key)
        await tracking.log_batch(principal, asked.id, params=m.params([m.KeyValue(asked.key, asked.value)]))

    async def log_batch(principal: Principal, asked: m.LogBatch) -> None:
        require(run_id=asked.id)
        check_unique_params(param.key for param in asked.params)
        await tracking.log_batch(principal, asked.id, asked.metrics, m.params(asked.params), m.tags(asked.tags))

    async def history(principal: Principal, asked: m.MetricHistory) -> answers.ManyMetrics:
        require(run_id=asked.id, metric_key=asked.metric_key)
        limit = asked.max_results if asked.max_results is None else min(asked.max_results, HISTORY_MOST)
        points, token = await tracking.metric_history(
            principal, asked.id, asked.metric_key, limit=limit, token=asked.page_token
        )
        return answers.ManyMetrics([answers.metric(point) for point in points], token)

    async def list_artifacts(principal: Principal, asked: m.ListArtifacts) -> answers.ManyFiles:
        require(run_id=asked.id)
        run = await tracking.get_run(principal, asked.id)
        listed = await tracking.list_folder(principal, ArtifactOwner.run(run.id), asked.path)
        return answers.files(listed, run.artifact_uri)

    return [
        endpoint("POST", "/mlflow/runs/log-metric", m.LogMetric, log_metric, writes="measurement"),
        endpoint("POST", "/mlflow/runs/log-parameter", m.RunKeyValue, log_param, writes="measurement"),
        endpoint("POST", "/mlflow/runs/log-batch", m.LogBatch, log_batch, writes="measurement", largest=BATCH_BYTES),
        endpoint("GET", "/mlflow/metrics/get-history", m.MetricHistory, history),
        endpoint("GET", "/mlflow/artifacts/list", m.ListArtifacts, list_artifacts),
    ]


def _dataset(item: m.WireDatasetInput) -> DatasetInput:
    data = item.dataset
    if data is None:
        raise InvalidInput("Dataset cannot be None")
    require(name=data.name, digest=data.digest, source_type=data.source_type, source=data.source)
    return DatasetInput(
        data.name, data.digest, data.source_type, data.source, data.schema, data.profile, m.pairs(item.tags)
    )


def _model_tags(text: str) -> dict[str, Any]:
    """What of a model's description stands in the tag: where it lies, when it was made, and its flavors."""
    try:
        model = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise InvalidInput(f"Malformed model info. \n {text[:200]} \n is not a valid JSON.") from None
    missing = sorted({"artifact_path", "flavors", "utc_time_created", "run_id"} - set(model))
    if missing:
        raise InvalidInput(f"Model json is missing mandatory fields: {missing}")
    flavors = model["flavors"] if isinstance(model["flavors"], dict) else {}
    kept: dict[str, Any] = {
        key: model[key] for key in ("run_id", "utc_time_created", "artifact_path", "model_uuid") if key in model
    }
    plain = {
        name: {key: value for key, value in about.items() if key != "config"} if isinstance(about, dict) else about
        for name, about in flavors.items()
    }
    return {**kept, "flavors": plain}
