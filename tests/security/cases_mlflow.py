"""A valid request to every route of MLflow's protocol. Add a line here for each new route."""

from typing import Any

from tests.security.cases_api import new_webhook, webhook
from tests.security.cases_evaluation import CASES as EVALUATION
from tests.security.cases_traces import CASES as TRACES
from tests.security.cases_users import CASES as USERS
from tests.security.routes_kit import Ask, Case
from tests.security.story import MLMODEL, Story

_OWN = "it names no object, so it is about the caller's own workspace"


def _read(make: Any, own: str = "") -> Case:
    return Case(make, viewer=(200,), own=own)


def _at(story: Story, address: str, content: bytes | None = None) -> Ask:
    assert story
    return Ask(path={"path": address}, content=content)


def _model(s: Story) -> str:
    return s.new_model()


def _tagged_model(s: Story) -> dict[str, str]:
    name = s.new_model()
    s.post("registered-models/set-tag", name=name, key="k", value="v")
    return {"name": name, "key": "k"}


def _tagged_version(s: Story) -> dict[str, str]:
    name, version = s.new_version()
    s.post("model-versions/set-tag", name=name, version=version, key="k", value="v")
    return {"name": name, "version": version, "key": "k"}


def _alias(s: Story) -> dict[str, str]:
    name, version = s.new_version()
    s.post("registered-models/alias", name=name, alias="best", version=version)
    return {"name": name, "alias": "best"}


def _tagged_run(s: Story) -> dict[str, str]:
    run = s.new_run()
    s.post("runs/set-tag", run_id=run, key="k", value="v")
    return {"run_id": run, "key": "k"}


_MODEL_JSON = '{"run_id": "r", "artifact_path": "m", "utc_time_created": "2020-01-01", "flavors": {}}'


def _tagged_logged_model(s: Story) -> dict[str, str]:
    model = s.new_logged_model()
    tags = {"tags": [{"key": "k", "value": "v"}]}
    s.owner.patch(f"/api/2.0/mlflow/logged-models/{model}/tags", json=tags).raise_for_status()
    return {"model_id": model, "tag_key": "k"}


def _version(s: Story) -> dict[str, str]:
    return dict(zip(("name", "version"), s.new_version(), strict=True))


def _stored(s: Story) -> dict[str, str]:
    return {"name": s.model, "version": s.version}


def _batch(s: Story) -> dict[str, Any]:
    metric = {"key": "auc", "value": 0.5, "timestamp": 1, "step": 1}
    return {"run_id": s.new_run(), "metrics": [metric], "params": [{"key": "lr", "value": "1"}]}


def _dataset(s: Story) -> dict[str, Any]:
    found = {"name": "d", "digest": "d1", "source_type": "local", "source": "{}"}
    return {"run_id": s.new_run(), "datasets": [{"dataset": found, "tags": []}]}


_EXPERIMENTS = {
    "POST experiments/create": Case(lambda s: Ask(json={"name": s.name()}), ("experiment.created",), own=_OWN),
    "GET experiments/get": _read(lambda s: Ask(params={"experiment_id": s.experiment})),
    "GET experiments/get-by-name": _read(
        lambda s: Ask(
            params={
                "experiment_name": s.owner.get(f"{_V2}/experiments/get", params={"experiment_id": s.experiment}).json()[
                    "experiment"
                ]["name"]
            }
        )
    ),
    "GET experiments/search": _read(lambda _: Ask(params={"max_results": 100}), _OWN),
    "POST experiments/search": _read(lambda _: Ask(json={"max_results": 100}), _OWN),
    "POST experiments/search-datasets": _read(
        lambda s: Ask(json={"experiment_ids": [s.experiment]}), "what is not there is not found"
    ),
    "POST experiments/delete": Case(lambda s: Ask(json={"experiment_id": s.new_experiment()}), ("experiment.deleted",)),
    "POST experiments/restore": Case(
        lambda s: Ask(json={"experiment_id": s.deleted_experiment()}), ("experiment.restored",)
    ),
    "POST experiments/update": Case(
        lambda s: Ask(json={"experiment_id": s.new_experiment(), "new_name": s.name()}), ("experiment.updated",)
    ),
    "POST experiments/set-experiment-tag": Case(
        lambda s: Ask(json={"experiment_id": s.new_experiment(), "key": "k", "value": "v"}), ("experiment.tagged",)
    ),
    "POST experiments/delete-experiment-tag": Case(
        lambda s: Ask(json={"experiment_id": s.tagged_experiment(), "key": "k"}), ("experiment.tagged",)
    ),
}
_RUNS = {
    "POST runs/create": Case(lambda s: Ask(json={"experiment_id": s.experiment}), ("run.created",)),
    "GET runs/get": _read(lambda s: Ask(params={"run_id": s.run})),
    "POST runs/search": _read(lambda s: Ask(json={"experiment_ids": [s.experiment]}), "what is not there is not found"),
    "POST runs/update": Case(lambda s: Ask(json={"run_id": s.new_run(), "status": "FINISHED"}), ("run.ended",)),
    "POST runs/delete": Case(lambda s: Ask(json={"run_id": s.new_run()}), ("run.deleted",)),
    "POST runs/restore": Case(lambda s: Ask(json={"run_id": s.deleted_run()}), ("run.restored",)),
    "POST runs/set-tag": Case(lambda s: Ask(json={"run_id": s.new_run(), "key": "k", "value": "v"}), ("run.tagged",)),
    "POST runs/log-model": Case(
        lambda s: Ask(json={"run_id": s.new_run(), "model_json": _MODEL_JSON}), ("run.tagged",)
    ),
    "POST runs/delete-tag": Case(lambda s: Ask(json=_tagged_run(s)), ("run.tagged",)),
    "POST runs/log-metric": Case(
        lambda s: Ask(json={"run_id": s.new_run(), "key": "a", "value": 1, "timestamp": 1, "step": 1})
    ),
    "POST runs/log-parameter": Case(lambda s: Ask(json={"run_id": s.new_run(), "key": "a", "value": "1"})),
    "POST runs/log-batch": Case(lambda s: Ask(json=_batch(s))),
    "POST runs/log-inputs": Case(lambda s: Ask(json=_dataset(s)), ("inputs.logged",)),
    "POST runs/outputs": Case(
        lambda s: Ask(json={"run_id": s.new_run(), "models": [{"model_id": s.new_logged_model(), "step": 1}]}),
        ("run.updated",),
    ),
    "GET metrics/get-history": _read(lambda s: Ask(params={"run_id": s.run, "metric_key": "auc"})),
    "GET metrics/get-history-bulk": _read(lambda s: Ask(params={"run_id": [s.run], "metric_key": "auc"})),
    "GET metrics/get-history-bulk-interval": _read(lambda s: Ask(params={"run_ids": [s.run], "metric_key": "auc"})),
    "GET artifacts/list": _read(lambda s: Ask(params={"run_id": s.run})),
}
_LOGGED_MODELS = {
    "POST logged-models": Case(
        lambda s: Ask(json={"experiment_id": s.experiment, "name": s.name(), "source_run_id": s.run}),
        ("logged_model.created",),
    ),
    "POST logged-models/search": _read(
        lambda s: Ask(json={"experiment_ids": [s.experiment]}), "what is not there is not found"
    ),
    "GET logged-models/{model_id:str}": _read(lambda s: Ask(path={"model_id": s.logged_model})),
    "PATCH logged-models/{model_id:str}": Case(
        lambda s: Ask(path={"model_id": s.new_logged_model(ready=False)}, json={"status": "LOGGED_MODEL_READY"}),
        ("logged_model.finalized",),
    ),
    "DELETE logged-models/{model_id:str}": Case(
        lambda s: Ask(path={"model_id": s.new_logged_model()}), ("logged_model.deleted",)
    ),
    "GET logged-models/{model_id:str}/artifacts/directories": _read(lambda s: Ask(path={"model_id": s.logged_model})),
    "POST logged-models/{model_id:str}/params": Case(
        lambda s: Ask(path={"model_id": s.new_logged_model()}, json={"params": [{"key": "p", "value": "1"}]}),
        ("logged_model.updated",),
    ),
    "PATCH logged-models/{model_id:str}/tags": Case(
        lambda s: Ask(path={"model_id": s.new_logged_model()}, json={"tags": [{"key": "p", "value": "1"}]}),
        ("logged_model.tagged",),
    ),
    "DELETE logged-models/{model_id:str}/tags/{tag_key:str}": Case(
        lambda s: Ask(path=_tagged_logged_model(s)), ("logged_model.tagged",)
    ),
}
_MODELS = {
    "POST registered-models/create": Case(lambda s: Ask(json={"name": s.name()}), ("model.created",), own=_OWN),
    "GET registered-models/get": _read(lambda s: Ask(params={"name": s.model})),
    "POST registered-models/rename": Case(
        lambda s: Ask(json={"name": _model(s), "new_name": s.name()}), ("model.updated",)
    ),
    "PATCH registered-models/update": Case(
        lambda s: Ask(json={"name": _model(s), "description": "d"}), ("model.updated",)
    ),
    "DELETE registered-models/delete": Case(lambda s: Ask(json={"name": _model(s)}), ("model.deleted",)),
    "GET registered-models/search": _read(lambda _: Ask(), _OWN),
    "GET registered-models/get-latest-versions": _read(
        lambda s: Ask(params={"name": s.model}), "an unknown name has none"
    ),
    "POST registered-models/get-latest-versions": _read(
        lambda s: Ask(json={"name": s.model}), "an unknown name has none"
    ),
    "POST registered-models/set-tag": Case(
        lambda s: Ask(json={"name": _model(s), "key": "k", "value": "v"}), ("model.tagged",)
    ),
    "DELETE registered-models/delete-tag": Case(lambda s: Ask(json=_tagged_model(s)), ("model.tagged",)),
    "POST registered-models/alias": Case(lambda s: Ask(json={**_version(s), "alias": "best"}), ("alias.moved",)),
    "DELETE registered-models/alias": Case(lambda s: Ask(json=_alias(s)), ("alias.deleted",)),
    "GET registered-models/alias": _read(lambda s: Ask(params={"name": s.model, "alias": "champion"})),
}
_VERSIONS = {
    "POST model-versions/create": Case(
        lambda s: Ask(json={"name": _model(s), "source": f"models:/{s.logged_model}"}), ("version.created",)
    ),
    "GET model-versions/get": _read(lambda s: Ask(params=_stored(s))),
    "PATCH model-versions/update": Case(lambda s: Ask(json={**_version(s), "description": "d"}), ("version.updated",)),
    "POST model-versions/transition-stage": Case(
        lambda s: Ask(json={**_version(s), "stage": "Production"}), ("version.staged",)
    ),
    "DELETE model-versions/delete": Case(lambda s: Ask(json=_version(s)), ("version.deleted",)),
    "GET model-versions/search": _read(lambda _: Ask(), _OWN),
    "GET model-versions/get-download-uri": _read(lambda s: Ask(params=_stored(s))),
    "POST model-versions/set-tag": Case(
        lambda s: Ask(json={**_version(s), "key": "k", "value": "v"}), ("version.tagged",)
    ),
    "DELETE model-versions/delete-tag": Case(lambda s: Ask(json=_tagged_version(s)), ("version.tagged",)),
}


def _begun(s: Story, *, sent: bool) -> tuple[str, dict[str, Any]]:
    """Address and body by which the admin ends an upload of theirs."""
    place = f"{s.experiment}/{s.new_run()}/artifacts"
    asked = {"path": "a.bin", "num_parts": 1}
    begun = s.admin.post(f"{_PROXY}/mpu/create/{place}", json=asked).raise_for_status().json()
    body: dict[str, Any] = {"path": "a.bin", "upload_id": begun["upload_id"]}
    if sent:
        url = begun["credentials"][0]["url"]
        tag = s.nobody.put(url, content=b"content").raise_for_status().headers["etag"]
        body["parts"] = [{"part_number": 1, "etag": tag}]
    return place, body


def _end(s: Story, *, sent: bool) -> Ask:
    place, body = _begun(s, sent=sent)
    return Ask(path={"path": place}, json=body)


_V2 = "/api/2.0/mlflow"
_PROXY = "/api/2.0/mlflow-artifacts"
_UNSERVED = Case(lambda _: Ask(path={"rest": "nothing/here"}, status=(404,)), viewer=(404,), own="nothing is there")


def _under(root: str, cases: dict[str, Case]) -> dict[str, Case]:
    return {
        f"{method} {root}/{path}": case for (method, _, path), case in ((k.partition(" "), c) for k, c in cases.items())
    }


_EVENTS = [{"entity": "MODEL_VERSION", "action": "CREATED"}]
_WEBHOOKS = {
    "POST webhooks": Case(
        lambda s: Ask(json={**webhook(s), "events": _EVENTS}), ("webhook.created",), own="it names no object"
    ),
    "GET webhooks": Case(lambda _: Ask(), viewer=(403,), own="it names no object"),
    "GET webhooks/{webhook_id:str}": Case(lambda s: Ask(path={"webhook_id": new_webhook(s)}), viewer=(403,)),
    "PATCH webhooks/{webhook_id:str}": Case(
        lambda s: Ask(path={"webhook_id": new_webhook(s)}, json={"description": s.name()}), ("webhook.updated",)
    ),
    "DELETE webhooks/{webhook_id:str}": Case(lambda s: Ask(path={"webhook_id": new_webhook(s)}), ("webhook.deleted",)),
    "POST webhooks/{webhook_id:str}/test": Case(lambda s: Ask(path={"webhook_id": new_webhook(s)}, json={})),
}


CASES: dict[str, Case] = {
    **EVALUATION,
    **TRACES,
    **USERS,
    **{
        f"{method} {path}": Case(lambda _: Ask(status=(501,)), viewer=(501,), own="nothing is there")
        for path in (
            "/graphql",
            *(f"/api/3.0/mlflow/traces/{name}" for name in ("metrics", "calculate-filter-correlation")),
        )
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    **_under(_V2, _EXPERIMENTS | _RUNS | _LOGGED_MODELS | _MODELS | _VERSIONS | _WEBHOOKS),
    "GET /api/3.0/mlflow/server-info": _read(lambda _: Ask(), "it says what the server can do"),
    f"GET {_PROXY}/artifacts": _read(lambda s: Ask(params={"path": f"{s.experiment}/{s.run}/artifacts"})),
    f"GET {_PROXY}/artifacts/{{path:path}}": _read(lambda s: _at(s, f"{s.experiment}/{s.run}/artifacts/model/MLmodel")),
    f"PUT {_PROXY}/artifacts/{{path:path}}": Case(
        lambda s: _at(s, f"{s.experiment}/{s.new_run()}/artifacts/a.txt", MLMODEL), ("artifact.logged",)
    ),
    f"DELETE {_PROXY}/artifacts/{{path:path}}": Case(
        lambda s: _at(s, s.put_artifact(s.new_run(), "a.txt")), ("artifact.deleted",)
    ),
    f"POST {_PROXY}/mpu/create/{{path:path}}": Case(
        lambda s: Ask(path={"path": f"{s.experiment}/{s.new_run()}/artifacts"}, json={"path": "a", "num_parts": 2})
    ),
    f"POST {_PROXY}/mpu/complete/{{path:path}}": Case(lambda s: _end(s, sent=True), ("artifact.logged",)),
    f"POST {_PROXY}/mpu/abort/{{path:path}}": Case(lambda s: _end(s, sent=False)),
    f"GET {_PROXY}/presigned/{{path:path}}": _read(lambda s: _at(s, f"{s.experiment}/{s.run}/artifacts/model/MLmodel")),
    **{
        f"POST {_V2}/artifacts/presigned-{way}-url": Case(
            lambda s: Ask(json={"run_id": s.run, "path": "a"}, status=(400,)), viewer=(400,), own="it is never done"
        )
        for way in ("upload", "download")
    },
    **{
        f"{method} {root}/{{rest:path}}": _UNSERVED
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        for root in (_V2, "/api/3.0/mlflow", _PROXY)
    },
}
