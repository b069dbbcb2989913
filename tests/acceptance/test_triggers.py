"""Triggers as a user has them: set by command or file, fired by a clock, the ledger, new data and signed calls."""

import base64
import hashlib
import hmac
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.clock import now_ms, rfc3339
from modelkeel.pipelines.triggers import store
from modelkeel.pipelines.triggers.models import SetTrigger
from tests.acceptance.test_pipelines import RUNS, SLOW, Project
from tests.conftest import start_server


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """A server that may look at a folder, with a pipeline that ran once."""
    home = Path(tempfile.mkdtemp(prefix="mk"))
    (home / "data").mkdir()
    server = start_server(home / "home", "--allow-read", str(home / "data"))
    found = Project(server, home / "project")
    found.write(slow=SLOW)
    found.run("slow.py:slow")
    yield found
    found.server.stop()
    shutil.rmtree(home, ignore_errors=True)


def ask(project: Project, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    with project.server.client(project.server.token) as client:
        answer = client.request(method, f"/api/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def firings(project: Project, name: str, count: int = 1, status: str = "launched") -> list[dict[str, Any]]:
    """The trigger's firings of a status, newest first, once there are so many."""
    deadline = time.monotonic() + 30
    while True:
        everything = ask(project, "GET", f"triggers/{name}/firings")
        found = [one for one in everything if one["status"] == status]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, everything
        time.sleep(0.1)


def ended(project: Project, run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (run := project.get(f"{RUNS}/{run_id}"))["status"] in {"launching", "running"}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return run


def version(project: Project) -> None:
    """Registers another version of the model `flights`."""
    with project.server.client(project.server.token) as client:

        def post(path: str, **body: Any) -> Any:
            return client.post(f"/api/2.0/mlflow/{path}", json=body)

        post("registered-models/create", name="flights")
        info = post("runs/create", experiment_id="0").json()["run"]["info"]
        run = info["run_id"]
        file = f"/api/2.0/mlflow-artifacts/artifacts/{info['experiment_id']}/{run}/artifacts/model/MLmodel"
        client.put(file, content=b"flavors: {}").raise_for_status()
        post("model-versions/create", name="flights", source=f"runs:/{run}/model", run_id=run).raise_for_status()


def sign(secret: str, identity: str, body: bytes, when: float | None = None) -> dict[str, str]:
    """As Standard Webhooks has it, written anew here."""
    sent = str(int(when or time.time()))
    made = hmac.new(secret.encode(), f"{identity}.{sent}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identity,
        "webhook-timestamp": sent,
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }


def test_what_a_file_asks_for_is_set_once_and_a_mistake_changes_nothing(project: Project) -> None:
    toml = project.folder / "modelkeel.toml"
    toml.write_text('[triggers.nightly]\npipeline = "slow"\ncron = "0 2 * * *"\ntimezone = "Europe/Vienna"\n')
    assert project.command("apply")[0]["changed"]
    assert not project.command("apply")[0]["changed"]
    found = project.command("trigger", "show", "nightly")["trigger"]
    assert (found["kind"], found["next_due"][14:]) == ("cron", "00:00.000Z")
    for wrong, told in (
        ('cron = "0 25 * * *"', "cron"),
        ('cron = "0 2 * * *"\ntimezone = "Europe/Wien"', "Europe/Wien"),
        ('on = "run.created"', "run.created"),
        ('cron = "0 2 * * *"\nwebhook = true', "several"),
        ('path = "/etc"', "--allow-read"),
        ('cron = "0 2 * * *"\nparams = { minutes = 1 }', "minutes"),
        ("", "none"),
    ):
        toml.write_text(f'[triggers.nightly]\npipeline = "slow"\n{wrong}\n')
        assert told in project.command("apply", status=1)
    assert project.command("trigger", "list")[0]["config"]["cron"] == "0 2 * * *"
    toml.write_text("")


def test_a_ledger_entry_fires_once_and_only_what_is_about_it(project: Project) -> None:
    for name, model in (("mine", "flights"), ("other", "trains")):
        body = {"pipeline": "slow", "on": "alias.moved", "where": {"model": model, "alias": "champion"}}
        ask(project, "PUT", f"triggers/{name}", body)
    version(project)
    version(project)
    with project.server.client(project.server.token) as client:
        for alias in ("candidate", "champion"):
            body = {"name": "flights", "alias": alias, "version": "1"}
            client.post("/api/2.0/mlflow/registered-models/alias", json=body).raise_for_status()
    found = firings(project, "mine")
    assert len(found) == 1
    assert found[0]["event"].startswith("entry:")
    started = ended(project, found[0]["run_id"])
    assert (started["status"], started["origin"]) == ("finished", "launch")
    assert started["reason"]["event"] == "entry"
    assert ask(project, "GET", "triggers/other/firings") == []
    entry = ask(project, "GET", "ledger/entries?types=trigger.fired&newest_first=true")["entries"][0]
    assert entry["subject"]["run"] == found[0]["run_id"]


def test_new_data_fires_when_it_rests(project: Project) -> None:
    data = project.folder.parent / "data"
    (data / "old.csv").write_text("a\n1\n")
    ask(project, "PUT", "triggers/new-data", {"pipeline": "slow", "path": str(data), "settle": "1s"})
    time.sleep(3)
    assert ask(project, "GET", "triggers/new-data/firings") == []
    (data / "new.csv").write_text("a\n2\n")
    assert len(firings(project, "new-data")) == 1
    time.sleep(3)
    assert len(ask(project, "GET", "triggers/new-data/firings")) == 1
    (data / "_delta_log").mkdir()
    (data / "_delta_log" / f"{7:020d}.json").write_text("{}")
    assert "version:7" in firings(project, "new-data", 2)[0]["event"]
    ask(project, "DELETE", "triggers/new-data", status=204)


def test_overlap_is_skipped_queued_or_cancelled(project: Project) -> None:
    names = ("skip", "queue", "cancel")
    for overlap in names:
        body = {"pipeline": "slow", "webhook": True, "overlap": overlap, "params": {"seconds": 2}}
        ask(project, "PUT", f"triggers/{overlap}", body)
    first = {name: project.command("trigger", "fire", name)["run_id"] for name in names}
    for name in names:
        ask(project, "POST", f"triggers/{name}/fire", {}, status=201)
    assert first["skip"] in firings(project, "skip", 1, "skipped")[0]["why"]
    assert ask(project, "GET", "triggers/queue/firings")[0]["status"] == "waiting"
    assert ended(project, first["cancel"])["status"] == "killed"
    assert len(firings(project, "cancel", 2)) == 2
    assert ended(project, first["queue"])["status"] == "finished"
    assert ended(project, firings(project, "queue", 2)[0]["run_id"])["status"] == "finished"
    for name in names:
        ask(project, "DELETE", f"triggers/{name}", status=204)


def test_a_paused_trigger_hears_nothing_and_forgets_what_it_missed(project: Project) -> None:
    ask(project, "PUT", "triggers/heard", {"pipeline": "slow", "on": "version.created"})
    assert ask(project, "POST", "triggers/heard/pause", {"paused": True})["paused"]
    version(project)
    assert not ask(project, "POST", "triggers/heard/pause", {"paused": False})["paused"]
    version(project)
    assert len(firings(project, "heard")) == 1
    time.sleep(1.5)
    assert len(ask(project, "GET", "triggers/heard/firings")) == 1


def test_a_signed_call_starts_one_run_however_often_it_is_sent_and_though_the_server_is_killed(
    project: Project,
) -> None:
    made = ask(project, "PUT", "triggers/from-ci", {"pipeline": "slow", "webhook": True, "overlap": "allow"})
    secret, hook = made["secret"], made["hook"]
    assert ask(project, "GET", "triggers/from-ci")["secret"] is None
    body = json.dumps({"params": {"seconds": 0.5}}).encode()

    def call(headers: dict[str, str], sent: bytes = body) -> httpx.Response:
        return httpx.post(f"{project.server.url}{hook}", content=sent, headers=headers)

    assert call({}).status_code == 401
    assert call(sign("wrong", "a", body)).status_code == 401
    assert call(sign(secret, "a", body), b"{}").status_code == 401
    assert call(sign(secret, "a", body, time.time() - 400)).status_code == 401
    assert httpx.post(f"{project.server.url}/api/v1/hooks/nobody", headers=sign(secret, "a", b"")).status_code == 401
    github = hmac.new(secret.encode(), b"{}", hashlib.sha256).hexdigest()
    assert call({"X-Hub-Signature-256": f"sha256={github}"}, b"{}").status_code == 202

    answer = call(sign(secret, "msg_1", body))
    assert answer.status_code == 202, answer.text
    project.server.kill()
    port = project.server.url.rpartition(":")[2]
    project.server = start_server(
        project.server.home, "--port", port, "--allow-read", str(project.folder.parent / "data")
    )
    assert call(sign(secret, "msg_1", body)).json()["id"] == answer.json()["id"]
    found = firings(project, "from-ci", 2)
    assert [one["event"] for one in found].count("call:msg_1") == 1
    runs = [project.get(f"{RUNS}/{run['run_id']}") for run in project.command("runs")]
    assert [run["reason"].get("trigger") for run in runs].count(made["id"]) == 2
    assert ended(project, found[0]["run_id"])["params"]["seconds"] == 0.5
    other = ask(project, "POST", "triggers/from-ci/secret", {}, status=201)["secret"]
    assert call(sign(secret, "msg_2", body)).status_code == 401
    assert call(sign(other, "msg_2", body)).status_code == 202


@pytest.mark.parametrize(("policy", "started"), [("latest", 1), ("all", 3), ("none", 0)])
async def test_a_schedule_catches_up_as_it_is_told_to(keel: Keel, policy: str, started: int) -> None:
    owner = await owner_of(keel)
    config = SetTrigger(pipeline="train", cron="*/10 * * * *", catch_up=policy)  # type: ignore[arg-type]
    made = await keel.triggers.set(owner, "often", config)
    step = 600_000
    last = now_ms() // step * step
    if policy == "none" and now_ms() - last <= 60_000:
        started = 1  # the last of the times is only now, so it was not missed
    down = last - 2 * step
    keel.database.write_now(lambda tx: store.change(tx, made.id, next_due=down))
    await keel.firings.tick()
    await keel.firings.tick()
    found = await keel.triggers.firings(owner, "often", 10)
    assert len(found) == started
    # No run of the pipeline was captured: what was due is there, and says why nothing runs.
    assert {(one.status, "snapshot" in one.why) for one in found} <= {("failed", True)}
    assert [one.due for one in found] == [rfc3339(down + (2 - i) * step) for i in range(started)]
    assert (await keel.triggers.get(owner, "often")).next_due == rfc3339(last + step)


async def test_who_may_not_start_runs_any_more_starts_none_by_a_trigger(keel: Keel) -> None:
    owner = await owner_of(keel)
    anonymous = keel.identity.anonymous()
    with pytest.raises(Exception, match="account"):
        await keel.triggers.set(anonymous, "mine", SetTrigger(pipeline="train", cron="0 2 * * *"))
    made = await keel.triggers.set(owner, "mine", SetTrigger(pipeline="train", cron="0 2 * * *"))
    keel.database.write_now(lambda tx: store.change(tx, made.id, principal="somebody", next_due=now_ms()))
    await keel.firings.tick()
    found = (await keel.triggers.firings(owner, "mine", 10))[0]
    assert (found.status, "closed" in found.why) == ("failed", True)


async def owner_of(keel: Keel) -> Principal:
    from modelkeel.core.credentials import Credential, Shown

    return await keel.identity.authenticate(Credential(Shown.TOKEN, keel.owner_token))


def test_parameters_are_filled_in_deeply() -> None:
    from modelkeel.pipelines.triggers.models import filled

    params = {"day": "{date}", "list": ["x-{due}", 3], "deep": {"a": "{unknown}"}}
    assert filled(params, {"date": "2026-11-24", "due": "T"}) == {
        "day": "2026-11-24",
        "list": ["x-T", 3],
        "deep": {"a": "{unknown}"},
    }
    assert msgspec.json.encode(params)
