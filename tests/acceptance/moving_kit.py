"""What the tests of moving move: an MLflow with a bit of everything, made by the real client, and how to look at it."""

import hashlib
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from mlflow.tracking._tracking_service import utils as tracking

from tests.acceptance.moving_forks import fork, surroundings
from tests.acceptance.moving_traces_kit import fill_datasets, fill_traces, trace, traces_of

os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")


def command(*words: str, home: Path | None = None, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs `modelkeel …` against the server of a home."""
    running = fork(words, surroundings(home, **more))
    code = running.wait()
    assert not check or code == 0, running.err[-3000:] + running.out[-1000:]
    return subprocess.CompletedProcess(words, code, running.out, running.err)


def fill(uri: str, files: Path) -> MlflowClient:
    """A bit of everything: odd values, gaps, deletions, several experiments."""
    mlflow.set_tracking_uri(uri)  # MLflow resolves models:/m-… by the global one
    client = MlflowClient(uri)
    root = {} if uri.startswith("http") else {"artifact_location": str(files / "one")}
    one = client.create_experiment("churn", tags={"team": "risk"}, **root)
    gone = client.create_experiment("forgotten")
    client.create_run("0", run_name="in the default one")
    for number in range(3):
        run = client.create_run(one, run_name=f"run {number}", start_time=1_700_000_000_000 + number).info.run_id
        points = [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(50)]
        points += [Metric("odd", float("nan"), 5, 1), Metric("odd", float("inf"), 6, 2), Metric("odd", -1.5, 7, 2)]
        points += [Metric("a/b", 1.0, 1, -3), Metric("a/b", 2.0, 1, -3)]
        client.log_batch(run, points, [Param("lr", "0.1"), Param("depth", str(number))], [RunTag("note", "ü" * 300)])
        client.log_text(run, f"content {number}", "notes/a.txt")
        client.log_text(run, "the same in each", "notes/b.txt")
        client.log_text(run, "flavors: {}", "model/MLmodel")
        data = Dataset("flights", f"d{number}", "http", '{"url": "http://x"}', '{"a": 1}', None)
        client.log_inputs(run, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
        model = client.create_logged_model(one, f"model-{number}", run, {"kind": "tree"}, {"p": "1"}, "tree")
        client.log_model_artifacts(model.model_id, str(_folder(files / f"m{number}", number)))
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run, [LoggedModelOutput(model.model_id, 3)])
        client.log_metric(run, "auc", 0.5 + number, timestamp=9, step=1, model_id=model.model_id)
        client.set_terminated(run, "FAILED" if number == 1 else "FINISHED", 1_700_000_100_000)
        if number == 2:
            client.delete_run(run)
        name = "churn"
        if number == 0:
            client.create_registered_model(name, {"owner": "ada"}, "who leaves")
        root_uri = client.get_run(run).info.artifact_uri
        source = f"models:/{model.model_id}" if number else f"{root_uri}/model"
        more = {"model_id": model.model_id} if number else {}  # a stock server asks for it
        client.create_model_version(name, source, run, {"n": str(number)}, description=f"the {number}th", **more)
    client.transition_model_version_stage("churn", "1", "Archived")
    client.transition_model_version_stage("churn", "3", "Production")
    client.delete_model_version("churn", "2")
    client.set_registered_model_alias("churn", "champion", "3")
    fill_traces(client, one, client.search_runs([one], order_by=["start_time ASC"])[0].info.run_id)
    fill_datasets(client, one)
    trace(gone, "gone")
    client.delete_experiment(gone)
    return client


def _folder(path: Path, number: int) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "MLmodel").write_text(f"flavors: {{}}  # {number}")
    (path / "weights.bin").write_bytes(bytes(range(256)) * 100)
    return path


def picture(
    client: MlflowClient, names: tuple[str, ...] = ("churn", "Default", "forgotten"), files: Path | None = None
) -> dict[str, Any]:
    """All that an MLflow shows, in a form in which two of them can be compared.

    Where `files` is named, artifacts are read from that folder, as its server would.
    """
    shown: dict[str, Any] = {}
    for experiment in client.search_experiments(ViewType.ALL):
        if experiment.name not in names:
            continue
        runs = client.search_runs([experiment.experiment_id], "", ViewType.ALL, 1000)
        models = client.search_logged_models([experiment.experiment_id])
        shown[experiment.name] = {
            "stage": experiment.lifecycle_stage,
            "tags": experiment.tags,
            "created": experiment.creation_time if experiment.name != "Default" else 0,  # each has its own
            "runs": {run.info.run_id: _run(client, run, files) for run in runs},
            "models": {model.model_id: _model(client, model, files) for model in models},
            "traces": traces_of(client, experiment.experiment_id),
        }
    return shown


def registry(client: MlflowClient) -> dict[str, Any]:
    """All registered models with their versions."""
    found = {}
    for model in client.search_registered_models():
        versions = client.search_model_versions(f"name='{model.name}'")
        found[model.name] = {
            "description": model.description,
            "tags": model.tags,
            "aliases": {alias: int(number) for alias, number in model.aliases.items()},
            "created": model.creation_timestamp,
            "versions": {
                int(v.version): (v.run_id, v.current_stage, v.description or "", v.tags, v.creation_timestamp)
                for v in versions
            },
        }
    return found


def _run(client: MlflowClient, run: Any, folder: Path | None) -> dict[str, Any]:
    info = run.info
    inputs = run.inputs.dataset_inputs if run.inputs else []
    outputs = run.outputs.model_outputs if run.outputs else []
    history = {}
    for key in run.data.metrics:
        points = {(m.step, m.timestamp, repr(_finite(m.value))) for m in client.get_metric_history(info.run_id, key)}
        history[key] = sorted(points)
    return {
        "name": info.run_name,
        "status": info.status,
        "times": (info.start_time, info.end_time),
        "user": info.user_id,
        "stage": info.lifecycle_stage,
        "params": run.data.params,
        "tags": dict(run.data.tags),
        "metrics": {key: repr(_finite(value)) for key, value in run.data.metrics.items()},
        "history": history,
        "inputs": sorted((i.dataset.name, i.dataset.digest, i.dataset.source) for i in inputs),
        "outputs": sorted((o.model_id, o.step) for o in outputs),
        "files": _files(client, info.run_id, "run")
        if folder is None
        else _local(folder, info.experiment_id, info.run_id),
    }


def _model(client: MlflowClient, model: Any, folder: Path | None) -> dict[str, Any]:
    place = (model.experiment_id, f"models/{model.model_id}")
    return {
        "files": _files(client, model.model_id, "logged_model") if folder is None else _local(folder, *place),
        "name": model.name,
        "status": str(model.status),
        "run": model.source_run_id,
        "type": model.model_type,
        "params": model.params,
        "tags": dict(model.tags),
        "created": model.creation_timestamp,
        "metrics": sorted((m.key, m.value, m.step) for m in model.metrics or []),
    }


def forget_repositories() -> None:
    """Makes the client look anew where the files of a run are: it remembers that by the run's id, for all servers."""
    tracking._artifact_repos_cache.clear()


def _files(client: MlflowClient, identity: str, kind: str) -> dict[str, str]:
    forget_repositories()
    repository = client._tracking_client._get_artifact_repo(identity, resource=kind)  # type: ignore[arg-type]
    found: dict[str, str] = {}
    folders = [""]
    while folders:
        for one in repository.list_artifacts(folders.pop() or None):
            if one.is_dir:
                folders.append(one.path)
            else:
                content = Path(repository.download_artifacts(one.path)).read_bytes()
                found[one.path] = hashlib.sha256(content).hexdigest()
    return found


def _finite(value: float) -> float:
    return max(min(value, 1.7976931348623157e308), -1.7976931348623157e308) if not math.isnan(value) else value


def _local(folder: Path, experiment: str, owner: str) -> dict[str, str]:
    root = folder / experiment / owner / "artifacts"
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
