"""A user's script that walks through the client's calls; each fact is asserted by the script itself."""

import json
import math
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Metric, Param, RunTag, ViewType


def refused(code: str, call: object, *arguments: object, **options: object) -> str:
    """The message of the error that a call must raise."""
    with pytest.raises(MlflowException) as error:
        call(*arguments, **options)  # type: ignore[operator]
    assert error.value.error_code == code
    return str(error.value.message)


def experiments(client: MlflowClient) -> None:
    identity = client.create_experiment("life", tags={"team": "ops"})
    assert "already exists" in refused("RESOURCE_ALREADY_EXISTS", client.create_experiment, "life")
    client.set_experiment_tag(identity, "stage", "early")
    client.delete_experiment_tag(identity, "team")
    found = client.get_experiment(identity)
    assert found.tags == {"stage": "early"}
    assert found.artifact_location == f"mlflow-artifacts:/{identity}"
    client.rename_experiment(identity, "life 2")
    assert client.get_experiment_by_name("life") is None
    client.delete_experiment(identity)
    assert client.get_experiment(identity).lifecycle_stage == "deleted"
    assert [e.name for e in client.search_experiments(ViewType.DELETED_ONLY)] == ["life 2"]
    client.restore_experiment(identity)
    assert [e.name for e in client.search_experiments(filter_string="tags.stage = 'early'")] == ["life 2"]
    assert client.get_experiment("0").name == "Default"
    refused("INVALID_PARAMETER_VALUE", client.create_experiment, "elsewhere", artifact_location="s3://bucket/x")


def runs(client: MlflowClient) -> None:
    mlflow.set_experiment("runs")
    with mlflow.start_run(run_name="parent", tags={"team": "ops"}, description="why") as parent:
        mlflow.log_params({"C": 0.5, "solver": "lbfgs"})
        mlflow.log_params({"C": 0.5})
        refused("INVALID_PARAMETER_VALUE", mlflow.log_param, "C", 2)
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"auc": 0.9, "nan": math.nan, "inf": math.inf})
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("auc", 0.7)
    run_id = parent.info.run_id
    found = client.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"C": "0.5", "solver": "lbfgs"}
    assert (found.data.metrics["loss"], found.data.metrics["auc"]) == (0.2, 0.9)
    assert math.isnan(found.data.metrics["nan"])
    assert found.data.metrics["inf"] == 1.7976931348623157e308
    assert [(m.step, m.value) for m in client.get_metric_history(run_id, "loss")] == [
        (step, 1 / (step + 1)) for step in range(5)
    ]
    frame = mlflow.search_runs(order_by=["metrics.auc DESC"])
    assert list(frame["tags.mlflow.runName"]) == ["parent", "child"]
    assert frame["tags.mlflow.parentRunId"][1] == run_id
    entities = {
        "metrics": [Metric("many", float(n), 1, n) for n in range(500)],
        "params": [Param(f"p{n}", str(n)) for n in range(100)],
        "tags": [RunTag(f"t{n}", str(n)) for n in range(100)],
    }
    client.log_batch(run_id, **entities)
    found = client.get_run(run_id)
    assert (found.data.metrics["many"], len(found.data.params), found.data.tags["t99"]) == (499.0, 102, "99")
    client.delete_tag(run_id, "t99")
    refused("RESOURCE_DOES_NOT_EXIST", client.delete_tag, run_id, "t99")
    client.update_run(run_id, name="renamed")
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "renamed"
    client.delete_run(run_id)
    assert "must be in the 'active' state" in refused("INVALID_PARAMETER_VALUE", client.log_metric, run_id, "x", 1)
    here = [parent.info.experiment_id]
    assert [r.info.run_name for r in client.search_runs(here, run_view_type=ViewType.DELETED_ONLY)] == ["renamed"]
    client.restore_run(run_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_run, "0" * 32)


def pages(client: MlflowClient) -> None:
    identity = client.create_experiment("pages")
    for n in range(7):
        client.log_metric(client.create_run(identity, run_name=f"r{n}").info.run_id, "n", n, synchronous=True)
    names: list[str] = []
    token = None
    while True:
        page = client.search_runs([identity], order_by=["metrics.n"], max_results=3, page_token=token)
        names += [run.info.run_name for run in page]
        token = page.token
        if not token:
            break
    assert names == [f"r{n}" for n in range(7)]


def inputs() -> None:
    mlflow.set_experiment("inputs")
    data = mlflow.data.from_pandas(pd.DataFrame({"x": [1, 2]}), source="/tmp/x.csv", name="train data")
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="training", tags={"part": "a"})
    found = mlflow.get_run(run.info.run_id).inputs.dataset_inputs[0]
    assert (found.dataset.name, found.dataset.digest) == ("train data", data.digest)
    assert {tag.key: tag.value for tag in found.tags} == {"mlflow.data.context": "training", "part": "a"}
    assert len(mlflow.search_runs(filter_string="dataset.name = 'train data' AND dataset.context = 'training'")) == 1


def artifacts(client: MlflowClient) -> None:
    mlflow.set_experiment("artifacts")
    Path("folder/deep").mkdir(parents=True)
    Path("folder/deep/a b.txt").write_text("hello")
    Path("folder/big.bin").write_bytes(np.random.default_rng(0).bytes(19 << 20))
    with mlflow.start_run() as run:
        mlflow.log_artifacts("folder", "kept")
        mlflow.log_dict({"a": 1}, "notes/x.json")
        mlflow.log_text("ünï", "notes/ü.txt")
        mlflow.log_table({"q": ["1"], "a": ["2"]}, "table.json")
    run_id = run.info.run_id
    assert [f.path for f in client.list_artifacts(run_id)] == ["kept", "notes", "table.json"]
    listed = {f.path: (f.is_dir, f.file_size) for f in client.list_artifacts(run_id, "kept")}
    assert listed == {"kept/deep": (True, None), "kept/big.bin": (False, 19 << 20)}
    local = Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/kept", dst_path="back"))
    assert (local / "deep/a b.txt").read_text() == "hello"
    assert (local / "big.bin").read_bytes() == Path("folder/big.bin").read_bytes()
    assert mlflow.artifacts.load_dict(f"runs:/{run_id}/notes/x.json") == {"a": 1}
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/ü.txt") == "ünï"
    mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/kept/big.bin", dst_path="again")


class Doubles(mlflow.pyfunc.PythonModel):
    """Doubles what it is given."""

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        return model_input * 2


def logged_models(client: MlflowClient) -> str:
    mlflow.set_experiment("models")
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    with mlflow.start_run() as run:
        info = mlflow.pyfunc.log_model(name="doubles", python_model=Doubles(), input_example=frame, params={"by": 2})
        mlflow.log_metric("auc", 0.8, model_id=info.model_id, step=2)
    model = mlflow.get_logged_model(info.model_id)
    assert (model.name, model.status, model.source_run_id) == ("doubles", "READY", run.info.run_id)
    assert model.params == {"by": "2"}
    assert [(m.key, m.value, m.run_id) for m in model.metrics] == [("auc", 0.8, run.info.run_id)]
    mlflow.set_logged_model_tags(info.model_id, {"kind": "toy"})
    client.delete_logged_model_tag(info.model_id, "kind")
    client.log_model_params(info.model_id, {"more": "1"})
    found = mlflow.search_logged_models(filter_string="params.more = '1' AND metrics.auc > 0.5", output_format="list")
    assert [m.model_id for m in found] == [info.model_id]
    assert (mlflow.pyfunc.load_model(f"models:/{info.model_id}").predict(frame)["x"] == [2.0, 4.0]).all()
    gone = mlflow.create_external_model(name="gone")
    client.delete_logged_model(gone.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_logged_model, gone.model_id)
    return str(info.model_uri)


def stages(client: MlflowClient) -> None:
    move = client.transition_model_version_stage
    assert move("doubles", "1", "production").current_stage == "Production"
    assert move("doubles", "2", "Production", archive_existing_versions=True).current_stage == "Production"
    assert client.get_model_version("doubles", "1").current_stage == "Archived"
    latest = client.get_latest_versions
    assert [(v.version, v.current_stage) for v in latest("doubles")] == [("1", "Archived"), ("2", "Production")]
    assert [v.version for v in latest("doubles", ["Production", "staging"])] == ["2"]
    assert latest("doubles", ["None"]) == []
    frame = pd.DataFrame({"x": [3.0]})
    assert mlflow.pyfunc.load_model("models:/doubles/Production").predict(frame)["x"][0] == 6.0
    assert client.copy_model_version("models:/doubles/production", "copied").current_stage == "None"
    assert [v.current_stage for v in client.get_registered_model("doubles").latest_versions] == [
        "Archived",
        "Production",
    ]
    assert "Value must be one of" in refused("INVALID_PARAMETER_VALUE", move, "doubles", "1", "live")
    assert "Value must be one of" in refused("INVALID_PARAMETER_VALUE", latest, "doubles", ["live"])
    assert "not an Active stage" in refused(
        "INVALID_PARAMETER_VALUE", lambda: move("doubles", "1", "Archived", archive_existing_versions=True)
    )


def registry(client: MlflowClient, uri: str) -> None:
    version = mlflow.register_model(uri, "doubles", tags={"from": "uri"})
    assert (version.version, version.status, version.current_stage) == ("1", "READY", "None")
    client.update_registered_model("doubles", description="twice")
    client.set_registered_model_tag("doubles", "team", "ops")
    client.set_model_version_tag("doubles", "1", "checked", "yes")
    client.update_model_version("doubles", "1", description="first")
    client.set_registered_model_alias("doubles", "champion", "1")
    copied = client.copy_model_version("models:/doubles@champion", "copied")
    assert copied.version == "1"
    client.create_model_version("doubles", uri)
    assert [v.version for v in client.search_model_versions("name = 'doubles'", order_by=["version_number ASC"])] == [
        "1",
        "2",
    ]
    assert [v.version for v in client.get_latest_versions("doubles")] == ["2"]
    model = client.get_registered_model("doubles")
    assert (model.description, model.tags, model.aliases) == ("twice", {"team": "ops"}, {"champion": "1"})
    found = client.get_model_version_by_alias("doubles", "champion")
    assert (found.description, found.tags) == ("first", {"from": "uri", "checked": "yes"})
    assert client.get_model_version_download_uri("doubles", "1").startswith("mlflow-artifacts:/")
    assert {m.name for m in client.search_registered_models()} == {"doubles", "copied"}
    assert [m.name for m in client.search_registered_models("tags.team = 'ops'")] == ["doubles"]
    client.delete_registered_model_alias("doubles", "champion")
    refused("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, "doubles", "champion")
    stages(client)
    client.delete_model_version_tag("doubles", "1", "checked")
    client.delete_registered_model_tag("doubles", "team")
    client.delete_model_version("doubles", "2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, "doubles", "2")
    client.rename_registered_model("doubles", "twice")
    frame = pd.DataFrame({"x": [3.0]})
    assert mlflow.pyfunc.load_model("models:/twice/1").predict(frame)["x"][0] == 6.0
    client.delete_registered_model("twice")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "twice")
    refused("INVALID_PARAMETER_VALUE", client.create_model_version, "copied", "s3://elsewhere/model")


def main() -> None:
    client = MlflowClient()
    experiments(client)
    runs(client)
    pages(client)
    inputs()
    artifacts(client)
    registry(client, logged_models(client))
    print("ANSWER" + json.dumps("done"))


if __name__ == "__main__":
    main()
