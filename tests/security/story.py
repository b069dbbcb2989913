"""One server that lets nobody in without a token, with something of every kind in its default workspace."""

import asyncio
import io
import itertools
import json
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from modelkeel.app import Keel, Settings
from modelkeel.core.ids import uuid7
from modelkeel.runtime.spool import Spool
from modelkeel.serving import store
from modelkeel.storage.transaction import Tx
from tests.conftest import Server, start_server
from tests.integration.monitoring_kit import DAY, START, make_rows, owner, reference_of, stream, write_rows
from tests.integration.promotion_kit import version

V2 = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
HUSH = "hushhush"
"""Part of every name in the default workspace: nobody of another workspace may ever read it."""
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
MLMODEL = b"""flavors: {}
signature:
  inputs: '[{"name": "distance", "type": "double"}]'
  outputs: '[{"type": "double"}]'
"""
MONITOR = {"window": "7d", "lateness": "1d", "drift": {"min_rows": 500, "persist": 1}, "quality": None}


class Story:
    """What there is, and makers of more.

    Attributes:
        owner: admin of the installation; prepares everything.
        admin: holds every role of the default workspace, and none above it.
        viewer: may look.
        outsider: admin of another workspace.
        nobody: shows no token.
        page: shows the owner's session, but not what proves that the page sent the request.
        reader: the admin, by a token narrowed to reading.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._numbers = itertools.count()
        self.owner = server.client(server.token)
        self.nobody = server.client()
        self.admin = server.client(server.user("adam", "admin"))
        self.viewer = server.client(server.user("vic", "viewer"))
        self.owner.post("/api/v1/workspaces", json={"name": "other"}).raise_for_status()
        there = {"X-MLflow-Workspace": "other"}
        self.owner.post("/api/v1/users", json={"name": "otto", "roles": ["admin"]}, headers=there).raise_for_status()
        minted = self.owner.post("/api/v1/tokens", json={"user": "otto"}, headers=there).raise_for_status().json()
        self.outsider = server.client(minted["secret"])
        self.workspace = self.owner.get("/api/v1/me").json()["workspace"]["id"]
        self.page = server.client()
        self.page.cookies.update(server.session())
        narrow = self.admin.post("/api/v1/tokens", json={"permissions": ["read"]}).raise_for_status().json()
        self.reader = server.client(narrow["secret"])
        self.owner_id = self.me(self.owner)
        self.admin_id = self.me(self.admin)
        self.viewer_id = self.me(self.viewer)
        self.outsider_id = self.me(self.outsider)
        self.experiment = self.new_experiment()
        self.run = self.new_run()
        self.post("runs/update", run_id=self.run, status="FINISHED")
        self.put_artifact(self.run, "model/MLmodel")
        self.logged_model = self.new_logged_model()
        self.model, self.version = self.new_version()
        self.post("registered-models/alias", name=self.model, alias="champion", version="1")
        entries = self.api("GET", "ledger/entries", params={"types": "model.created"})["entries"]
        self.model_id = next(e["subject"]["model"] for e in entries)
        self.pipeline = f"{HUSH}-train"
        self.pipeline_run = self.new_pipeline_run(captured=True)
        self.gated, self.gated_version = self.new_gated()
        self._monitored()
        self.endpoint = f"{HUSH}-place"
        self.endpoint_id = str(self.deploy(self.endpoint)["id"])
        self.standing = self.new_standing()
        self.promotion = self.new_promotion()
        self.reproduction = self.api("POST", "reproductions", json=self.verdict())

    def close(self) -> None:
        """Lets the connections go."""
        for client in (self.owner, self.nobody, self.admin, self.viewer, self.outsider, self.page, self.reader):
            client.close()

    def me(self, client: httpx.Client) -> str:
        """Whose client it is."""
        return str(client.get("/api/v1/me").raise_for_status().json()["id"])

    def number(self) -> int:
        """One that nobody had."""
        return next(self._numbers)

    def name(self) -> str:
        """One that nobody had."""
        return f"{HUSH}-{self.number()}"

    def size(self) -> int:
        """How many entries the ledger has."""
        return int(self.api("GET", "ledger/entries", params={"limit": 1})["size"])

    def entries(self, since: int) -> list[dict[str, Any]]:
        """Entries of all workspaces from an index on; the newest thousand of each at most."""
        found: list[dict[str, Any]] = []
        limit = min(1000, self.size() - since + 100)  # the server writes entries of its own meanwhile
        for workspace in self.api("GET", "workspaces"):
            at = {"X-MLflow-Workspace": workspace["name"]}
            found += self.api("GET", "ledger/entries", params={"limit": limit}, headers=at)["entries"]
        return [entry for entry in found if entry["index"] >= since]

    def post(self, path: str, **body: Any) -> Any:
        """The owner's call of MLflow's protocol."""
        answer = self.owner.post(f"{V2}/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def api(self, method: str, path: str, **more: Any) -> Any:
        """The owner's call of our own API."""
        answer = self.owner.request(method, f"/api/v1/{path}", **more)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    # -- what there can be more of

    def new_experiment(self) -> str:
        return str(self.post("experiments/create", name=self.name())["experiment_id"])

    def deleted_experiment(self) -> str:
        made = self.new_experiment()
        self.post("experiments/delete", experiment_id=made)
        return made

    def tagged_experiment(self) -> str:
        made = self.new_experiment()
        self.post("experiments/set-experiment-tag", experiment_id=made, key="k", value=HUSH)
        return made

    def new_key(self) -> str:
        return str(self.api("POST", f"endpoints/{self.endpoint}/keys", json={"name": self.name()})["key"]["id"])

    def new_run(self) -> str:
        made = self.post("runs/create", experiment_id=self.experiment, run_name=self.name())
        return str(made["run"]["info"]["run_id"])

    def new_import(self) -> str:
        return str(
            self.api(
                "POST", "imports", json={"peer": f"peer-{self.number()}", "kind": "mlflow", "source": "elsewhere"}
            )["id"]
        )

    def new_hold(self) -> str:
        body = {"kind": "run", "object": self.new_run(), "reason": f"case {HUSH}"}
        return str(self.admin.post("/api/v1/holds", json=body).raise_for_status().json()["id"])

    def deleted_run(self) -> str:
        made = self.new_run()
        self.post("runs/delete", run_id=made)
        return made

    def put_artifact(self, run: str, path: str, content: bytes = MLMODEL) -> str:
        address = f"{self.experiment}/{run}/artifacts/{path}"
        assert self.owner.put(f"{ARTIFACTS}/{address}", content=content).status_code == 200
        return address

    def new_logged_model(self, *, ready: bool = True) -> str:
        run = self.new_run()
        made = self.post("logged-models", experiment_id=self.experiment, name=self.name(), source_run_id=run)
        model = str(made["model"]["info"]["model_id"])
        address = f"{self.experiment}/models/{model}/artifacts/MLmodel"
        assert self.owner.put(f"{ARTIFACTS}/{address}", content=MLMODEL).status_code == 200
        if ready:
            self.owner.patch(f"{V2}/logged-models/{model}", json={"status": "LOGGED_MODEL_READY"}).raise_for_status()
        return model

    def new_model(self) -> str:
        name = self.name()
        self.post("registered-models/create", name=name)
        return name

    def new_version(self, name: str | None = None) -> tuple[str, str]:
        name = name or self.new_model()
        logged = self.new_logged_model()
        run = self.owner.get(f"{V2}/logged-models/{logged}").json()["model"]["info"]["source_run_id"]
        made = self.post("model-versions/create", name=name, source=f"models:/{logged}", run_id=run, model_id=logged)
        return name, str(made["model_version"]["version"])

    def new_gated(self) -> tuple[str, str]:
        name, version = self.new_version()
        self.api("PUT", f"policies/{name}", json={"alias": "champion", "approvals": 1})
        return name, version

    def new_promotion(self, state: str = "waiting") -> str:
        model, version = self.new_gated()
        wanted = {"model": model, "version": int(version), "alias": "champion", "automatic": False}
        made = str(self.api("POST", "promotions", json=wanted)["id"])
        if state == "approved":
            self.admin.post(f"/api/v1/promotions/{made}/approve", json={}).raise_for_status()
        return made

    def new_standing(self) -> str:
        wanted = {"model": self.new_gated()[0], "metric": "auc", "min": 0.5, "code": ABC}
        return str(self.api("POST", "standing-approvals", json=wanted)["id"])

    def new_pipeline_run(self, *, captured: bool = False, ended: bool = False, reproduces: str | None = None) -> str:
        wanted = {**self.pipeline_start(), "reproduces": reproduces}
        run = str(self.api("POST", "pipelines/runs", json=wanted)["run_id"])
        if captured:
            self.api("PUT", f"pipelines/runs/{run}/capture", json=self.capture())
        if captured or ended:
            self.api("POST", f"pipelines/runs/{run}/end", json={"status": "finished"})
        return run

    def pipeline_start(self) -> dict[str, Any]:
        experiment = f"{HUSH}-pipelines"
        words = {"pipeline": self.pipeline, "project": HUSH, "target": "train.py:pipeline", "experiment": experiment}
        return {**words, "params": {}, "seed": 0, "paths": [], "code": ABC, "environment": ABC, "python": "3.11.7"}

    def capture(self) -> dict[str, Any]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.addfile(tarfile.TarInfo(f"train{self.number()}.py"))
        blob = self.api("PUT", "blobs", content=packed.getvalue())
        environment = {"digest": ABC, "python": "3.11.7", "platform": "linux-x86_64", "packages": 0}
        snapshot = {"digest": blob["digest"], "files": 1, "size": blob["size"]}
        return {"snapshot": snapshot, "environment": environment, "machine": {}}

    def verdict(self) -> dict[str, Any]:
        rerun = self.new_pipeline_run(ended=True, reproduces=self.pipeline_run)
        counts = {"steps": 0, "models": 0, "files": 0, "metrics": 0, "tolerance": 0.0, "differences": []}
        return {"run_id": self.pipeline_run, "rerun_id": rerun, "verdict": "identical", **counts}

    def deploy(self, name: str) -> Any:
        """An endpoint whose first revision is being prepared."""
        return self.api("PUT", f"endpoints/{name}", json={"model": f"{self.model}/1"})

    def new_user(self) -> tuple[str, str]:
        """A viewer's name and id."""
        name = self.name()
        return name, str(self.api("POST", "users", json={"name": name, "roles": ["viewer"]})["id"])

    def new_token(self, client: httpx.Client | None = None) -> str:
        """Id of a token of somebody's own."""
        return str((client or self.owner).post("/api/v1/tokens", json={}).raise_for_status().json()["id"])

    def new_group(self) -> tuple[str, str]:
        """A group with the role of a viewer, and its member."""
        group, (user, _) = self.name(), self.new_user()
        self.api("PUT", f"groups/{group}/members/{user}")
        self.api("PUT", f"groups/{group}/roles/viewer")
        return group, user

    def new_grant(self) -> dict[str, str]:
        user, _ = self.new_user()
        grant = {"to": user, "kind": "experiment", "id": self.experiment}
        self.api("PUT", "grants", json={**grant, "permissions": ["read"]})
        return grant

    # -- what is watched

    def _monitored(self) -> None:
        """An endpoint with a week of predictions, a drift alert and its incident."""
        self.watched = "flights"
        assert self.owner.get(f"/api/v1/endpoints/{self.watched}").is_success
        self.api("PUT", f"monitors/{self.watched}", json=MONITOR)
        rng = np.random.default_rng(1)
        self.reference = reference_of(make_rows(rng, 2_000, START - 8 * 7 * DAY, days=56))
        self.api("PUT", f"monitors/{self.watched}/reference", content=self.reference)
        spool = Spool(self.server.home / "serving" / "spool", uuid7())
        self.predictions: list[str] = []
        for week in range(3):
            rows = make_rows(rng, 600, START + week * 7 * DAY, shift=1.0 if week else 0.0)
            self.predictions += write_rows(spool, stream(), rows, batch=10)
        spool.close()
        alerts = until(lambda: self.api("GET", "alerts"))
        self.alert, self.incident = alerts[0]["id"], self.api("GET", "incidents")[0]["id"]
        windows = self.api("GET", f"monitors/{self.watched}/windows")
        self.window = windows[0]["start"]


def until(check: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true answer of `check`."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return found


async def _watched(keel: Keel) -> None:
    """The endpoint `flights`, at which one revision has followed another."""
    by = await owner(keel)
    name = f"{HUSH}-flights"
    for _ in range(2):
        await version(keel, by, model=name)
    model = (await keel.registry.model(by, name)).id
    keel.database.write_now(lambda tx: _serve(tx, by.workspace, name, model))


def _serve(tx: Tx, workspace: str, name: str, model: str) -> None:
    endpoint = {"id": "e1", "workspace": workspace, "name": "flights", "simulated": True, "log": "background"}
    store.add_endpoint(tx, endpoint)
    common = {"workspace": workspace, "endpoint": "e1", "model": name, "model_id": model, "run_id": "", "digest": ABC}
    made = {"state": "ready", "kind": "onnx", "note": "", "prepared": "", "created_by": "system"}
    for number, revision in ((1, "r1"), (2, "r2")):
        store.add_revision(tx, {"id": revision, "version": number, **common, **made})
        routes = json.dumps([{"revision": revision, "weight": 100}])
        store.add_traffic(tx, {"endpoint": "e1", "routes": routes, "shadow": None, "entry": 0})


def start_story(home: Path, *, anonymous: bool = False) -> Story:
    """A server with all of it; `story.server.stop()` ends it. With `anonymous` it lets tokenless callers track."""
    keel = Keel.open(Settings(home))
    asyncio.run(_watched(keel))
    keel.close()
    server = start_server(home, *([] if anonymous else ["--no-anonymous"]))
    try:
        return Story(server)
    except BaseException:
        server.stop()
        raise
