"""A valid request to every route of our own API. Add a line here for each new route."""

from typing import Any
from uuid import uuid4

from tests.security.cases_datasets import DATASETS
from tests.security.cases_triggers import TRIGGERS
from tests.security.routes_kit import Ask, Case
from tests.security.story import ABC, HUSH, MONITOR, Story

_OWN = "it names no object, so it is about the caller's own workspace"
_SELF = "it is about the caller"
_PEOPLE = "people's names are the installation's, and whom an admin lets into their own workspace is theirs to say"
_AHEAD = "a name may be spoken of in a workspace before it exists there"
_NONE = "what is not there has none"


def _read(make: Any, own: str = "") -> Case:
    return Case(make, viewer=(200,), own=own)


def _user(s: Story, **more: str) -> dict[str, str]:
    return {"user": s.new_user()[1], **more}


def _disabled(s: Story) -> dict[str, str]:
    user = s.new_user()[1]
    s.api("PUT", f"users/{user}/disabled")
    return {"user": user}


def _auditor(s: Story) -> str:
    user = s.new_user()[0]
    s.api("PUT", f"installation/users/{user}/roles/auditor")
    return user


def _member(s: Story) -> dict[str, str]:
    return dict(zip(("name", "user"), s.new_group(), strict=True))


def _session(s: Story) -> str:
    """Id of a session of the owner's."""
    with s.server.client() as page:
        page.post("/api/v1/sessions", json={"code": s.api("POST", "page-codes")["code"]}).raise_for_status()
    return str(s.api("GET", "sessions")[0]["id"])


def _trace(s: Story) -> str:
    identity = f"tr-{uuid4().hex}"
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": s.experiment}}
    info = {"trace_id": identity, "trace_location": place, "request_time": "2026-01-01T00:00:00Z", "state": "OK"}
    s.owner.post("/api/3.0/mlflow/traces", json={"trace": {"trace_info": info}}).raise_for_status()
    return identity


def _dataset(s: Story) -> dict[str, str]:
    asked = {"name": s.name(), "experiment_ids": [s.experiment]}
    made = s.owner.post("/api/3.0/mlflow/datasets/create", json=asked).raise_for_status()
    return {"dataset_id": str(made.json()["dataset"]["dataset_id"])}


def _run(s: Story) -> dict[str, str]:
    return {"run_id": s.new_pipeline_run()}


def _waiting(s: Story) -> dict[str, str]:
    """A run with a step that waits for a person."""
    run = s.new_pipeline_run()
    step = {"index": 0, "name": "ask", "status": "waiting", "approval": {"question": "Go on?"}}
    s.api("POST", f"pipelines/runs/{run}/steps", json={"steps": [step]})
    return {"run_id": run, "index": "0"}


def _new_endpoint(s: Story) -> dict[str, str]:
    name = s.name()
    s.deploy(name)
    return {"name": name}


def _monitored(s: Story) -> dict[str, str]:
    name = _new_endpoint(s)["name"]
    s.api("PUT", f"monitors/{name}", json=MONITOR)
    return {"endpoint": name}


def webhook(s: Story) -> dict[str, Any]:
    """A webhook that hears of nothing that the tests do."""
    return {"name": f"hook-{s.number()}", "url": "https://receiver.invalid/", "events": ["bill.made"]}


def new_webhook(s: Story) -> str:
    """The id of a new webhook."""
    return str(s.api("POST", "webhooks", json=webhook(s))["id"])


def _ask(s: Story) -> dict[str, Any]:
    model, version = s.new_gated()
    return {"model": model, "version": int(version), "alias": "champion", "automatic": False}


def _standing(s: Story) -> dict[str, Any]:
    return {"model": s.new_gated()[0], "metric": "auc", "min": 0.5, "code": ABC}


_STEP = {"steps": [{"index": 0, "name": "load", "status": "failed", "error": "x"}]}
_PASSWORD = "correct horse battery staple 7"

_IDENTITY = {
    "GET me": _read(lambda _: Ask(), _SELF),
    "GET users": _read(lambda _: Ask(), _OWN),
    "POST users": Case(
        lambda s: Ask(json={"name": s.name(), "roles": ["viewer"]}), ("user.created", "role.granted"), own=_OWN
    ),
    "PUT users/{user:str}/password": Case(
        lambda s: Ask(path=_user(s), json={"password": _PASSWORD}), ("user.updated",), by="owner"
    ),
    "PUT users/{user:str}/disabled": Case(lambda s: Ask(path=_user(s)), ("user.disabled",), by="owner"),
    "DELETE users/{user:str}/disabled": Case(lambda s: Ask(path=_disabled(s)), ("user.enabled",), by="owner"),
    "GET tokens": _read(lambda _: Ask(), _SELF),
    "POST tokens": Case(lambda _: Ask(json={"name": "mine"}), ("token.minted",), viewer=(201,), own=_SELF),
    "DELETE tokens/{token:str}": Case(
        lambda s: Ask(path={"token": s.new_token(s.admin)}), ("token.revoked",), viewer=(404,)
    ),
    "GET workspaces": _read(lambda _: Ask(), _SELF),
    "POST workspaces": Case(
        lambda s: Ask(json={"name": s.name().replace(HUSH, "w")}), ("workspace.created", "role.granted"), by="owner"
    ),
    "GET sessions": _read(lambda _: Ask(), _SELF),
    "DELETE sessions/{session:str}": Case(
        lambda s: Ask(path={"session": _session(s)}), ("session.ended",), by="owner", viewer=(404,)
    ),
    "POST page-codes": Case(lambda _: Ask(), by="owner"),
    "GET grants": _read(lambda _: Ask(), _OWN),
    "PUT grants": Case(
        lambda s: Ask(json={"to": s.new_user()[0], "kind": "experiment", "id": s.experiment, "permissions": ["read"]}),
        ("grant.set",),
        own=_PEOPLE,
    ),
    "DELETE grants": Case(lambda s: Ask(params=s.new_grant()), ("grant.removed",), own=_PEOPLE),
    "GET groups": _read(lambda _: Ask(), _OWN),
    "PUT groups/{name:str}/members/{user:str}": Case(
        lambda s: Ask(path={"name": s.new_group()[0], "user": s.new_user()[0]}), ("group.joined",), own=_PEOPLE
    ),
    "DELETE groups/{name:str}/members/{user:str}": Case(lambda s: Ask(path=_member(s)), ("group.left",), own=_PEOPLE),
    "PUT groups/{name:str}/roles/{role:str}": Case(
        lambda s: Ask(path={"name": s.new_group()[0], "role": "contributor"}), ("role.granted",), own=_PEOPLE
    ),
    "DELETE groups/{name:str}/roles/{role:str}": Case(
        lambda s: Ask(path={"name": s.new_group()[0], "role": "viewer"}), ("role.revoked",), own=_PEOPLE
    ),
    "PUT users/{user:str}/roles/{role:str}": Case(
        lambda s: Ask(path={"user": s.new_user()[0], "role": "contributor"}), ("role.granted",), own=_PEOPLE
    ),
    "DELETE users/{user:str}/roles/{role:str}": Case(
        lambda s: Ask(path={"user": s.new_user()[0], "role": "viewer"}), ("role.revoked",), own=_PEOPLE
    ),
    "PUT installation/users/{user:str}/roles/{role:str}": Case(
        lambda s: Ask(path={"user": s.new_user()[0], "role": "auditor"}), ("role.granted",), by="owner"
    ),
    "DELETE installation/users/{user:str}/roles/{role:str}": Case(
        lambda s: Ask(path={"user": _auditor(s), "role": "auditor"}), ("role.revoked",), by="owner"
    ),
}
_LEDGER = {
    "GET ledger/entries": _read(lambda _: Ask(params={"limit": 1000}), _OWN),
    "GET ledger/entries/{index:int}/proof": _read(lambda _: Ask(path={"index": "0"})),
    "GET ledger/checkpoint": _read(lambda _: Ask(), "the signed head of the whole log: a hash and a size"),
    "POST ledger/export": Case(lambda _: Ask(), ("export.made",), own=_OWN),
}


def _code(s: Story) -> Ask:
    """A capture of code whose run and content are there."""
    word = uuid4().hex
    s.post("runs/set-tag", run_id=s.new_run(), key="modelkeel.capture", value=word)
    stored = s.admin.put("/api/v1/blobs", content=b"no tar, but nobody looks").raise_for_status().json()
    snapshot = {"digest": stored["digest"], "files": 1, "size": stored["size"]}
    return Ask(path={"word": word}, json={"snapshot": snapshot})


_TRACKING = {
    "GET runs/{run_id:str}/openlineage": _read(lambda s: Ask(path={"run_id": s.run})),
    "PUT captures/{word:str}": Case(_code, ("run.captured",)),
    "GET experiments": _read(lambda _: Ask(), _OWN),
    "GET runs": _read(lambda s: Ask(params={"experiment": s.experiment}), "what is not there is not found"),
    "GET runs/{run_id:str}": _read(lambda s: Ask(path={"run_id": s.run})),
    "GET runs/{run_id:str}/metric-buckets": _read(lambda s: Ask(path={"run_id": s.run}, params={"key": "auc"})),
    "GET runs/{run_id:str}/metric-points": _read(lambda s: Ask(path={"run_id": s.run}, params={"key": "auc"})),
    "GET runs/{run_id:str}/metric-events": _read(lambda s: Ask(path={"run_id": s.run})),
    "GET runs/{run_id:str}/artifacts": _read(lambda s: Ask(path={"run_id": s.run})),
    "GET runs/{run_id:str}/artifacts/{path:path}": _read(
        lambda s: Ask(path={"run_id": s.run, "path": "model/MLmodel"})
    ),
    "GET runs/{run_id:str}/versions": _read(lambda s: Ask(path={"run_id": s.run}), _NONE),
    "GET logged-models/{model_id:str}": _read(lambda s: Ask(path={"model_id": s.logged_model})),
    "GET logged-models/{model_id:str}/artifacts": _read(lambda s: Ask(path={"model_id": s.logged_model})),
    "GET logged-models/{model_id:str}/artifacts/{path:path}": _read(
        lambda s: Ask(path={"model_id": s.logged_model, "path": "MLmodel"})
    ),
    "GET models": _read(lambda _: Ask(), _OWN),
    "GET models/{name:str}": _read(lambda s: Ask(path={"name": s.model})),
    "GET models/{name:str}/versions/{version:int}": _read(lambda s: Ask(path={"name": s.model, "version": "1"})),
    "GET models/{name:str}/versions/{version:int}/files/{path:path}": _read(
        lambda s: Ask(path={"name": s.model, "version": "1", "path": "MLmodel"})
    ),
}
_PIPELINES = {
    "PUT blobs": Case(lambda _: Ask(content=b"content"), own="blobs are kept by workspace"),
    "POST blobs/held": _read(lambda _: Ask(json={"digests": [ABC]}), "blobs are kept by workspace"),
    "GET blobs/{digest:str}": _read(lambda s: Ask(path={"digest": s.capture()["snapshot"]["digest"]})),
    "POST pipelines/runs": Case(lambda s: Ask(json=s.pipeline_start()), ("run.created", "pipeline.started"), own=_OWN),
    "POST pipelines/{pipeline:str}/launch": Case(
        lambda s: Ask(path={"pipeline": s.pipeline}, json={"params": {}}),
        ("run.created", "pipeline.started", "token.minted"),
        actor="service",
    ),
    "GET pipelines/runs": _read(lambda _: Ask(), _OWN),
    "GET pipelines/runs/{run_id:str}": _read(lambda s: Ask(path={"run_id": s.pipeline_run})),
    "POST pipelines/runs/{run_id:str}/steps": Case(
        lambda s: Ask(path=_run(s), json=_STEP), ("step.ended",), by="owner"
    ),
    "PUT pipelines/runs/{run_id:str}/capture": Case(
        lambda s: Ask(path=_run(s), json=s.capture()), ("snapshot.stored",), by="owner"
    ),
    "POST pipelines/runs/{run_id:str}/end": Case(
        lambda s: Ask(path=_run(s), json={"status": "finished"}), ("pipeline.ended", "run.ended"), by="owner"
    ),
    "POST pipelines/runs/{run_id:str}/cancel": Case(
        lambda s: Ask(path=_run(s), json={}), ("pipeline.ended", "run.ended")
    ),
    "GET pipelines/runs/{run_id:str}/steps/{index:int}": _read(lambda s: Ask(path=_waiting(s))),
    "GET pipelines/runs/{run_id:str}/steps/{index:int}/log": _read(lambda s: Ask(path=_waiting(s))),
    "POST pipelines/runs/{run_id:str}/steps/{index:int}/decide": Case(
        lambda s: Ask(path=_waiting(s), json={"approve": True}), ("step.approved",)
    ),
    "POST pipelines/cache": _read(lambda _: Ask(json={"keys": [ABC]}), _OWN),
    "GET pipelines/savings": _read(lambda _: Ask(), _OWN),
    "POST reproductions": Case(lambda s: Ask(json=s.verdict()), ("reproduction.recorded",)),
    "GET reproductions": _read(lambda _: Ask(), _OWN),
}
_SERVING = {
    "GET endpoints": _read(lambda _: Ask(), _OWN),
    "GET endpoints/{name:str}": _read(lambda s: Ask(path={"name": s.endpoint})),
    "GET endpoints/{name:str}/traffic": _read(lambda s: Ask(path={"name": s.endpoint})),
    "PUT endpoints/{name:str}": Case(
        lambda s: Ask(path={"name": s.name()}, json={"model": f"{s.model}/1"}),
        ("endpoint.created", "revision.created", "rollout.started"),
    ),
    "POST endpoints/{name:str}/rollback": Case(lambda s: Ask(path={"name": s.watched}), ("traffic.shifted",)),
    "GET endpoints/{name:str}/keys": Case(lambda s: Ask(path={"name": s.endpoint})),
    "POST endpoints/{name:str}/keys": Case(
        lambda s: Ask(path={"name": s.endpoint}, json={"name": s.name()}), ("endpoint_key.created",)
    ),
    "DELETE endpoints/{name:str}/keys/{key:str}": Case(
        lambda s: Ask(path={"name": s.endpoint, "key": s.new_key()}), ("endpoint_key.revoked",)
    ),
    "POST endpoints/{name:str}/abort": Case(
        lambda s: Ask(path=_new_endpoint(s), json={"reason": "no"}), ("rollout.aborted",)
    ),
    "PUT rollouts/policy/{name:str}": Case(
        lambda s: Ask(path=_new_endpoint(s), json={"shadow_rows": 5}), ("policy.set",), own=_AHEAD
    ),
}
_MONITORING = {
    "GET predictions/{prediction_id:str}": _read(lambda s: Ask(path={"prediction_id": s.predictions[0]})),
    "POST labels": Case(
        lambda s: Ask(json=[{"prediction_id": s.predictions[0], "label": 1}]), own="unknown predictions wait for theirs"
    ),
    "GET monitors": _read(lambda _: Ask(), _OWN),
    "GET monitors/{endpoint:str}": _read(lambda s: Ask(path={"endpoint": s.watched})),
    "PUT monitors/{endpoint:str}": Case(
        lambda s: Ask(path={"endpoint": _new_endpoint(s)["name"]}, json=MONITOR), ("monitor.created",), own=_AHEAD
    ),
    "DELETE monitors/{endpoint:str}": Case(lambda s: Ask(path=_monitored(s)), ("monitor.deleted",)),
    "PUT monitors/{endpoint:str}/reference": Case(
        lambda s: Ask(path=_monitored(s), content=s.reference), ("monitor.updated",)
    ),
    "POST monitors/{endpoint:str}/advance": Case(
        lambda s: Ask(path=_monitored(s), json={"until": "2013-01-01T00:00:00Z"})
    ),
    "GET monitors/{endpoint:str}/traffic": _read(lambda s: Ask(path={"endpoint": s.watched}), _NONE),
    "GET monitors/{endpoint:str}/windows": _read(lambda s: Ask(path={"endpoint": s.watched})),
    "GET monitors/{endpoint:str}/histograms": _read(
        lambda s: Ask(path={"endpoint": s.watched}, params={"start": s.window, "revision": "r1"})
    ),
    "GET monitors/{endpoint:str}/compare": _read(
        lambda s: Ask(path={"endpoint": s.watched}, params={"a": "r1", "b": "r2"}), _NONE
    ),
    "GET alerts": _read(lambda _: Ask(), _OWN),
    "GET alerts/{alert_id:str}": _read(lambda s: Ask(path={"alert_id": s.alert})),
    "POST alerts/{alert_id:str}/acknowledge": Case(
        lambda s: Ask(path={"alert_id": s.alert}, json={"note": "seen"}), ("alert.acknowledged",)
    ),
    "GET incidents": _read(lambda _: Ask(), _OWN),
    "GET incidents/{incident_id:str}": _read(lambda s: Ask(path={"incident_id": s.incident})),
}
_GOVERNANCE = {
    "GET policies": _read(lambda _: Ask(), _OWN),
    "GET policies/{model:str}": _read(lambda s: Ask(path={"model": s.gated})),
    "PUT policies/{model:str}": Case(
        lambda s: Ask(path={"model": s.new_model()}, json={"alias": "champion", "approvals": 1}),
        ("policy.set",),
        own=_AHEAD,
    ),
    "GET promotions": _read(lambda _: Ask(), _OWN),
    "POST promotions": Case(lambda s: Ask(json=_ask(s)), ("promotion.evaluated", "approval.requested"), own=_AHEAD),
    "GET promotions/{identity:str}": _read(lambda s: Ask(path={"identity": s.promotion})),
    "POST promotions/{identity:str}/approve": Case(
        lambda s: Ask(path={"identity": s.new_promotion()}, json={}), ("approval.given",)
    ),
    "POST promotions/{identity:str}/reject": Case(
        lambda s: Ask(path={"identity": s.new_promotion()}, json={"reason": "no"}), ("approval.rejected",)
    ),
    "POST promotions/{identity:str}/commit": Case(
        lambda s: Ask(path={"identity": s.new_promotion("approved")}),
        ("promotion.committed", "alias.moved"),
        actor="service",
    ),
    "GET standing-approvals": _read(lambda _: Ask(), _OWN),
    "POST standing-approvals": Case(lambda s: Ask(json=_standing(s)), ("standing_approval.given",)),
    "POST standing-approvals/{identity:str}/revoke": Case(
        lambda s: Ask(path={"identity": s.new_standing()}), ("standing_approval.revoked",)
    ),
    "GET trace/predictions/{identity:str}": _read(lambda s: Ask(path={"identity": s.predictions[0]})),
    "GET trace/versions/{model:str}/{version:int}": _read(lambda s: Ask(path={"model": s.model, "version": "1"})),
    "GET served/{endpoint:str}": _read(
        lambda s: Ask(path={"endpoint": s.watched}, params={"event_time": "2013-01-01T00:00:00Z"})
    ),
    "GET prices": _read(lambda _: Ask(), _OWN),
    "PUT prices": Case(lambda s: Ask(json={"cpu_hour": 0.01 + s.number() / 1000}), ("price.set",), own=_OWN),
    "GET costs": _read(lambda _: Ask(), _OWN),
    "GET costs/runs/{run_id:str}": _read(lambda s: Ask(path={"run_id": s.pipeline_run})),
}


def _under(cases: dict[str, Case]) -> dict[str, Case]:
    named = ((key.partition(" "), case) for key, case in cases.items())
    return {f"{method} /api/v1/{path}": case for (method, _, path), case in named}


_KEEPING = {
    "GET holds": Case(lambda s: Ask(headers={"x-told": s.new_hold()}), viewer=(403,), own=_OWN),
    "POST holds": Case(
        lambda s: Ask(json={"kind": "run", "object": s.new_run(), "reason": f"case {HUSH}"}), ("hold.placed",)
    ),
    "DELETE holds/{hold:str}": Case(lambda s: Ask(path={"hold": s.new_hold()}), ("hold.released",)),
    "GET gc": Case(lambda _: Ask(), by="owner"),
    "POST gc": Case(lambda _: Ask(json={}), ("gc.ended",), by="owner"),
}
_WEBHOOKS = {
    "GET webhooks": Case(lambda _: Ask(), viewer=(403,), own=_OWN),
    "POST webhooks": Case(lambda s: Ask(json=webhook(s)), ("webhook.created",), own=_OWN),
    "DELETE webhooks/{webhook:str}": Case(lambda s: Ask(path={"webhook": new_webhook(s)}), ("webhook.deleted",)),
    "GET webhooks/{webhook:str}/deliveries": Case(lambda s: Ask(path={"webhook": new_webhook(s)}), viewer=(403,)),
    "POST webhooks/{webhook:str}/deliveries/{delivery:str}/redeliver": Case(
        lambda s: Ask(path={"webhook": new_webhook(s), "delivery": "none"}, status=(404,))
    ),
}
_MOVING = {
    "GET imports": Case(lambda _: Ask(), own=_OWN),
    "POST imports": Case(
        lambda s: Ask(json={"peer": f"peer-{s.number()}", "kind": "mlflow", "source": "x"}),
        ("import.started",),
        own=_OWN,
    ),
    "GET imports/{identity:str}": Case(lambda s: Ask(path={"identity": s.new_import()})),
    "POST imports/{identity:str}/items": Case(
        lambda s: Ask(path={"identity": s.new_import()}, json={"items": [{"item": "model", "name": s.name()}]}),
        ("model.created",),
    ),
    "POST imports/{identity:str}/known": Case(
        lambda s: Ask(path={"identity": s.new_import()}, json={"kind": "run", "marks": {s.run: ABC}})
    ),
    "POST imports/{identity:str}/end": Case(
        lambda s: Ask(path={"identity": s.new_import()}, json={"complete": True, "counts": {"runs": 1}}),
        ("import.ended",),
    ),
    "POST imports/agreed": Case(
        lambda _: Ask(json={"peer": "laptop", "items": [], "here": []}),
        own="it notes what another server says of the caller's own workspace",
    ),
    "GET exports/here": _read(lambda _: Ask(), _OWN),
    "GET exports/experiments": _read(lambda _: Ask(), _OWN),
    "GET exports/runs": _read(lambda s: Ask(params={"experiment": s.experiment})),
    "GET exports/runs/{run_id:str}/points": _read(lambda s: Ask(path={"run_id": s.run}, params={"key": "m"})),
    "GET exports/logged-models": _read(lambda s: Ask(params={"experiment": s.experiment})),
    "GET exports/models": _read(lambda _: Ask(), _OWN),
    "GET exports/traces": _read(lambda s: Ask(params={"experiment": s.experiment})),
    "GET exports/traces/{trace_id:str}/spans": _read(lambda s: Ask(path={"trace_id": _trace(s)})),
    "GET exports/evaluation-datasets": _read(lambda _: Ask(), _OWN),
    "GET exports/evaluation-datasets/{dataset_id:str}/records": _read(lambda s: Ask(path=_dataset(s))),
}

CASES: dict[str, Case] = _under(
    _IDENTITY
    | _LEDGER
    | _TRACKING
    | _PIPELINES
    | _SERVING
    | _MONITORING
    | _GOVERNANCE
    | _KEEPING
    | _MOVING
    | _WEBHOOKS
    | TRIGGERS
    | DATASETS
)
