"""What comes over from MLflow is the same here, whatever was here before."""

import json
import os
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from tests.acceptance.moving_kit import command, fill, picture, registry
from tests.acceptance.moving_traces_kit import datasets_of, trace, traces_of
from tests.conftest import Server


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("stock")
    uri = f"sqlite:///{folder}/mlflow.db"
    fill(uri, folder)
    return uri


@pytest.fixture(scope="module")
def imported(shared_server: Server, database: str) -> dict[str, Any]:
    before = Path(database.removeprefix("sqlite:///")).read_bytes()
    report = _imported(shared_server, database)
    assert Path(database.removeprefix("sqlite:///")).read_bytes() == before  # a source is only read
    return report


def _imported(server: Server, source: str, *more: str, **variables: str) -> dict[str, Any]:
    done = command("import", "mlflow", source, "--json", *more, home=server.home, **variables)
    return dict(json.loads(done.stdout)["report"])


def _entries(server: Server) -> list[dict[str, Any]]:
    with server.client(server.token) as client:
        return list(client.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"])


def test_a_database_comes_over_whole_with_its_ids(shared_server: Server, database: str, imported: dict[str, Any]):
    assert imported["differences"] == []
    assert imported["complete"]
    assert list(imported["ids"]) == ["experiment 0"]
    counts = imported["counts"]
    assert [counts[name] for name in ("traces", "spans", "evaluation_datasets", "records")] == [4, 8, 1, 4]
    assert counts["verified"] == 4 + 3 + 4 + 1  # runs, logged models, traces and data sets
    stock, ours = MlflowClient(database), MlflowClient(shared_server.url)
    assert picture(ours) == picture(stock)
    assert registry(ours) == registry(stock)
    assert datasets_of(ours) == datasets_of(stock)


def test_each_thing_made_is_one_entry_and_a_repeat_makes_none(
    shared_server: Server, database: str, imported: dict[str, Any]
):
    before = [entry for entry in _entries(shared_server) if entry["type"] != "run.sealed"]
    made = [entry["type"] for entry in before if "import" in entry["data"]]
    assert made.count("run.created") == 4
    assert made.count("version.created") == 2
    assert made.count("trace.imported") == 4
    assert made.count("evaluation_dataset.created") == 1
    again = _imported(shared_server, database, "--again")
    assert again["differences"] == []
    assert again["counts"].get("made", 0) == again["counts"].get("changed", 0) == 0
    more = [entry for entry in _entries(shared_server) if entry["type"] != "run.sealed"][: -len(before) or None]
    assert sorted(entry["type"] for entry in more) == ["import.ended", "import.started"]


def test_stock_to_ours_to_stock_is_the_same(
    shared_server: Server, database: str, imported: dict[str, Any], tmp_path: Path
):
    target, files = f"sqlite:///{tmp_path}/new.db", tmp_path / "files"
    done = command("export", "mlflow", target, "--artifacts", str(files), "--json", home=shared_server.home)
    assert json.loads(done.stdout)["counts"]["runs"] == 4
    stock, back = MlflowClient(database), MlflowClient(target)
    assert registry(back) == registry(stock)
    assert picture(back, files=files) == picture(stock)
    assert datasets_of(back) == datasets_of(stock)
    refused = command("export", "mlflow", target, home=shared_server.home, check=False)
    assert refused.returncode != 0
    assert "nothing is written over" in refused.stderr


def test_what_another_workspace_has_gets_new_ids(shared_server: Server, database: str, imported: dict[str, Any]):
    with shared_server.client(shared_server.token) as owner:
        owner.post("/api/v1/workspaces", json={"name": "second"}).raise_for_status()
    report = _imported(shared_server, database, MODELKEEL_WORKSPACE="second")
    assert report["differences"] == []
    kinds = {name.partition(" ")[0] for name in report["ids"]}
    assert kinds == {"experiment", "run", "logged_model", "evaluation_dataset"}  # a trace's id is a workspace's own
    again = _imported(shared_server, database, "--again", MODELKEEL_WORKSPACE="second")
    assert again["ids"] == report["ids"]
    assert again["counts"].get("made", 0) == 0


def test_a_folder_comes_over_beside_what_is_here(shared_server: Server, imported: dict[str, Any], tmp_path: Path):
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    folder = tmp_path / "mlruns"
    stock = MlflowClient(str(folder))
    experiment = stock.create_experiment("from a folder")
    run = stock.create_run(experiment, start_time=77).info.run_id
    for step in range(3):
        stock.log_metric(run, "loss", float(step), step=step, timestamp=5)
    stock.log_metric(run, "odd", float("-inf"), step=1, timestamp=1)
    stock.log_text(run, "flavors: {}", "model/MLmodel")
    mlflow.set_tracking_uri(str(folder))
    trace(experiment, "who")
    stock.create_registered_model("churn")
    stock.create_model_version("churn", f"{stock.get_run(run).info.artifact_uri}/model", run)
    stock.set_registered_model_alias("churn", "champion", "1")
    stock.set_registered_model_alias("churn", "fresh", "1")
    report = _imported(shared_server, str(folder), "--experiment", "from a folder")
    # the name, the number and one alias are taken here; nothing that was here is changed
    assert report["ids"] == {"version churn/1": "4"}
    (difference,) = report["differences"]
    assert "churn@champion" in difference
    ours = MlflowClient(shared_server.url)
    assert [m.value for m in ours.get_metric_history(run, "loss")] == [0.0, 1.0, 2.0]
    assert traces_of(ours, experiment) == traces_of(stock, experiment)
    assert ours.get_run(run).info.start_time == 77
    assert ours.get_run(run).info.experiment_id == experiment
    assert ours.get_model_version_by_alias("churn", "champion").version == "3"
    assert ours.get_model_version_by_alias("churn", "fresh").version == "4"


def test_a_protected_alias_is_not_moved_by_an_import(shared_server: Server, tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/p.db"
    stock = MlflowClient(uri)
    run = stock.create_run(stock.create_experiment("p", artifact_location=str(tmp_path / "p"))).info.run_id
    stock.log_text(run, "flavors: {}", "model/MLmodel")
    stock.create_registered_model("guarded")
    stock.create_model_version("guarded", f"{stock.get_run(run).info.artifact_uri}/model", run)
    stock.set_registered_model_alias("guarded", "champion", "1")
    with shared_server.client(shared_server.token) as owner:
        gate = {"alias": "champion", "approvals": 1}
        owner.put("/api/v1/policies/guarded", json=gate).raise_for_status()
    report = _imported(shared_server, uri, "--experiment", "p")
    (difference,) = report["differences"]
    assert "guarded@champion" in difference
    assert MlflowClient(shared_server.url).get_registered_model("guarded").aliases == {}


def test_a_protected_stage_is_not_entered_by_an_import_but_noted(shared_server: Server, tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/s.db"
    stock = MlflowClient(uri)
    run = stock.create_run(stock.create_experiment("s", artifact_location=str(tmp_path / "s"))).info.run_id
    stock.log_text(run, "flavors: {}", "model/MLmodel")
    stock.create_registered_model("staged")
    for stage in ("Production", "Staging"):
        made = stock.create_model_version("staged", f"{stock.get_run(run).info.artifact_uri}/model", run)
        stock.transition_model_version_stage("staged", made.version, stage)
    with shared_server.client(shared_server.token) as owner:
        gate = {"alias": "production", "approvals": 1}
        owner.put("/api/v1/policies/staged", json=gate).raise_for_status()
        ours = MlflowClient(shared_server.url)
        for _ in range(2):  # said again by each import until somebody decides
            (difference,) = _imported(shared_server, uri, "--experiment", "s")["differences"]
            assert "staged/1" in difference
            assert "modelkeel.import.stage" in difference
            held = {v.version: (v.current_stage, v.tags) for v in ours.search_model_versions("name='staged'")}
            assert held == {"1": ("None", {"modelkeel.import.stage": "Production"}), "2": ("Staging", {})}
        owner.put("/api/v1/policies/staged", json={"alias": "champion", "approvals": 1}).raise_for_status()
    assert _imported(shared_server, uri, "--experiment", "s")["differences"] == []
    version = ours.get_model_version("staged", "1")
    assert (version.current_stage, version.tags) == ("Production", {})


def test_only_a_maintainer_imports(shared_server: Server, database: str, imported: dict[str, Any]):
    token = shared_server.user("carl", "contributor")
    done = command("import", "mlflow", database, check=False, MODELKEEL_URL=shared_server.url, MODELKEEL_TOKEN=token)
    assert done.returncode != 0
    assert "policy" in done.stderr + done.stdout
