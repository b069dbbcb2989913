"""The same script of a library, unmodified, against stock MLflow and against us: both hold the same afterwards.

Compared are the runs by name with their params, tags, metrics and whole histories, data sets, logged models and
artifacts. Numbers that a library measures (times, the machine's load) are compared by their keys alone.
"""

import os
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from bench.peers import environment
from tests.compat.twins import Side

SCRIPTS = Path(__file__).parent / "scripts"
CLASSIC = ("scikit-learn", "xgboost-cpu", "lightgbm", "statsmodels", "optuna", "keras", "jax", "matplotlib", "psutil")
DEEP = ("torch", "lightning", "transformers[torch]", "keras", "psutil")
# What differs between two runs of the same script on the same server.
MEASURED = re.compile(
    r"^system/|runtime|samples_per_second|steps_per_second|_time$|total_flos|epoch_duration|estimated_"
)
VARYING = {
    "mlflow.source.name",
    "mlflow.parentRunId",
    "mlflow.log-model.history",
    "mlflow.runName",
    "mlflow.source.git.commit",
}


def python_of(group: str) -> Path:
    """The environment of a group of libraries; where it can't be made here, the test says so."""
    name, packages = {"classic": ("autolog", CLASSIC), "deep": ("deep", DEEP)}[group]
    try:
        return environment(name, "mlflow==3.17.2", *packages)
    except SystemExit as problem:
        pytest.skip(f"can't be installed here: {problem}")


def run_script(python: Path, script: Path, url: str, folder: Path) -> None:
    """Runs a script as a user would: only the address is set."""
    folder.mkdir(parents=True)
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "OPENBLAS_CORETYPE") if name in os.environ}
    told = {"MLFLOW_TRACKING_URI": url, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [str(python), str(script)],
        env=keep | told,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]


def held(url: str) -> dict[str, list[Any]]:
    """What a server holds of the experiment, without ids and times; the next script finds the name free."""
    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("compat")
    assert experiment is not None
    try:
        runs = client.search_runs([experiment.experiment_id], max_results=5000)
        found: dict[str, list[Any]] = {}
        for run in runs:
            found.setdefault(_name(run), []).append(_run(client, run))
        models = client.search_logged_models([experiment.experiment_id])
    finally:
        client.rename_experiment(experiment.experiment_id, f"compat-{uuid.uuid4().hex}")
    found["logged models"] = [[m.name, str(m.status), sorted(m.params.items()), len(m.metrics or [])] for m in models]
    ids = {run.info.run_id: "RUN" for run in runs} | {m.model_id: "MODEL" for m in models}
    ids |= {experiment.experiment_id: "EXPERIMENT"}
    return {name: sorted((_named(x, ids) for x in items), key=repr) for name, items in found.items()}


def _name(run: Run) -> str:
    """The run's name; the server makes one up where the script gives none."""
    name = run.info.run_name or ""
    return "made up" if re.fullmatch(r"[a-z]+-[a-z]+-\d+", name) else name


def _named(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        for identity, name in ids.items():
            value = value.replace(identity, name) if len(identity) > 4 else value
        return value
    if isinstance(value, list | tuple):
        return [_named(item, ids) for item in value]
    return {k: _named(v, ids) for k, v in value.items()} if isinstance(value, dict) else value


def _run(client: MlflowClient, run: Run) -> dict[str, Any]:
    histories: dict[str, Any] = dict.fromkeys(run.data.metrics, "measured")
    for key in run.data.metrics:
        if not MEASURED.search(key):
            points = client.get_metric_history(run.info.run_id, key)
            histories[key] = sorted((p.step, repr(p.value)) for p in points)
    return {
        "status": run.info.status,
        "params": dict(run.data.params),
        "tags": {k: v for k, v in run.data.tags.items() if k not in VARYING} | {"mlflow.runName": _name(run)},
        "metrics": histories,
        "data": sorted(
            (i.dataset.name, i.dataset.digest, *(tag.value for tag in i.tags)) for i in run.inputs.dataset_inputs
        ),
        "models out": len(run.outputs.model_outputs) if run.outputs else 0,
        "files": _files(client, run.info.run_id, ""),
    }


def _files(client: MlflowClient, run: str, path: str) -> list[str]:
    found = []
    for entry in client.list_artifacts(run, path or None):
        found += _files(client, run, entry.path) if entry.is_dir else [re.sub(r"[0-9a-f]{8,}", "ID", entry.path)]
    return sorted(found)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("group", "script"),
    [
        ("classic", "sklearn_autolog"),
        ("classic", "xgboost_autolog"),
        ("classic", "lightgbm_autolog"),
        ("classic", "statsmodels_autolog"),
        ("classic", "keras_autolog"),
        ("classic", "optuna_sweep"),
        ("classic", "evaluate"),
        ("classic", "system_metrics"),
        ("deep", "lightning_logger"),
        ("deep", "pytorch_autolog"),
        ("deep", "transformers_callback"),
    ],
)
def test_a_library_logs_the_same(sides: tuple[Side, Side], group: str, script: str, tmp_path: Path) -> None:
    python = python_of(group)
    results = []
    for side in sides:
        run_script(python, SCRIPTS / f"{script}.py", side.url, tmp_path / side.name)
        results.append(held(side.url))
    stock, ours = results
    assert len(stock) > 1
    for name in stock | ours:
        assert ours.get(name) == stock.get(name), name
