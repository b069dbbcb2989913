"""People, models and versions for the tests of promotions, made through the real services."""

from collections.abc import AsyncIterator
from typing import Any

from modelkeel.app import Keel
from modelkeel.core.access import Principal, Role
from modelkeel.core.credentials import Credential, Shown
from modelkeel.governance.policy import parse
from modelkeel.identity.models import NewToken, NewUser
from modelkeel.tracking.models import CONTEXT_TAG, ArtifactOwner, DatasetInput, Metric, ModelStatus
from modelkeel.wire.captures import Capture, Environment, Snapshot
from modelkeel.wire.pipelines import EndRun, StartRun

MODEL = "flights"
GATES: dict[str, Any] = {"metrics": [{"metric": "auc", "min": 0.6}], "schema": True, "approvals": 1}
MLMODEL = """flavors: {}
signature:
  inputs: '[{"name": "distance", "type": "double"}]'
  outputs: '[{"type": "double"}]'
"""


class People:
    """Ann trains, Olga promotes, Vera and Walt approve; `robot` is a service account."""

    ann: Principal
    olga: Principal
    vera: Principal
    walt: Principal
    robot: Principal


async def people(keel: Keel) -> People:
    """Everybody, with tokens that were really minted and resolved."""
    owner = await keel.identity.authenticate(Credential(Shown.TOKEN, keel.owner_token))
    made = People()
    roles = {
        "ann": [Role.CONTRIBUTOR],
        "olga": [Role.MAINTAINER],
        "vera": [Role.APPROVER],
        "walt": [Role.MAINTAINER, Role.APPROVER],
    }
    for name, held in roles.items():
        await keel.identity.create_user(owner, NewUser(name, held))
        token = await keel.identity.tokens.mint(owner, NewToken(name))
        setattr(made, name, await keel.identity.authenticate(Credential(Shown.TOKEN, token.secret)))
    made.robot = await keel.identity.service_account(made.olga.workspace, "robot", [Role.MAINTAINER])
    return made


async def gates(keel: Keel, by: Principal, **fields: Any) -> str:
    """Puts a policy in force; returns its digest."""
    return (await keel.governance.policies.put(by, MODEL, parse({**GATES, **fields}))).digest


async def version(
    keel: Keel,
    by: Principal,
    *,
    auc: float = 0.7,
    metrics: dict[str, float] | None = None,
    params: dict[str, str] | None = None,
    data: str = "",
    schema: bool = True,
    model: str = MODEL,
    run_id: str | None = None,
) -> int:
    """A registered version with the run and the logged model behind it, as the `mlflow` client makes them."""
    if run_id is None:
        run_id = (await keel.tracking.create_run(by, "0")).id
    every = {"auc": auc, **(metrics or {})}
    points = [Metric(key, value, 1_700_000_000_000) for key, value in every.items()]
    await keel.tracking.log_batch(by, run_id, points, params or {})
    if data:
        item = DatasetInput("judged", data, "code", "{}", tags={CONTEXT_TAG: "challenge"})
        await keel.tracking.log_inputs(by, run_id, [item])
    logged = await keel.tracking.create_logged_model(by, "0", name="model", source_run=run_id)
    owner = ArtifactOwner.model(logged.id)
    await keel.tracking.put_file(by, owner, "MLmodel", (MLMODEL if schema else "flavors: {}\n").encode())
    await keel.tracking.put_file(by, owner, "model.bin", f"weights of {run_id}".encode())
    await keel.tracking.finalize_logged_model(by, logged.id, ModelStatus.READY)
    if model not in {m.name for m in (await keel.registry.search_models(by))[0]}:
        await keel.registry.create_model(by, model)
    made = await keel.registry.create_version(by, model, f"models:/{logged.id}", run_id=run_id)
    return made.version


async def types(keel: Keel, by: Principal, *wanted: str) -> list[str]:
    """Types of the ledger's entries in order, those that are `wanted`."""
    found = await keel.ledger.entries(by, types=wanted, limit=1000)
    return [entry.type for entry in found]


async def made_by_pipeline(
    keel: Keel,
    by: Principal,
    *,
    source: str | None = None,
    files: str = "train()",
    target: str = "p.py:train",
    **fields: Any,
) -> int:
    """A version that a pipeline run registered.

    Args:
        keel: the services.
        by: who runs it.
        source: the run whose files the server launches; none: a person starts it.
        files: content of the code snapshot that the run captures.
        target: the function.
        fields: of the version.
    """
    wanted = StartRun(
        pipeline="train",
        project="p",
        target=target,
        params={},
        seed=0,
        paths=[],
        code="c" * 64,  # every run claims the same code: a claim proves nothing
        experiment="train",
        environment="e" * 64,
        python="3.11.9",
    )
    origin, reason = ("launch", {"source": source}) if source else ("user", {})
    run = await keel.pipelines.open_run(by, wanted, origin=origin, status="running", reason=reason)
    number = await version(keel, by, run_id=run, **fields)
    snapshot = await keel.content.put(by, _pieces(files.encode()))
    lock = await keel.content.put(by, _pieces(b"numpy==2.3.0"))
    environment = Environment("e" * 64, "3.11.9", "linux-x86_64", 1, lock.digest)
    await keel.pipelines.capture(by, run, Capture(Snapshot(snapshot.digest, 1, snapshot.size), environment, {}))
    await keel.pipelines.end(by, run, EndRun("finished"))
    return number


async def run_of(keel: Keel, by: Principal, number: int) -> str:
    """The run behind a version."""
    return (await keel.registry.version_info(by, MODEL, number)).run_id


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def catch_up(keel: Keel) -> None:
    """Lets governance hear of every ledger entry that it has not heard of, as its worker does."""
    subscription = keel.governance.subscriptions()[0]
    while batch := await keel.ledger.after(subscription.name, 500):
        for entry in batch:
            if entry.type in subscription.types:
                await subscription.handle(entry)
        await keel.ledger.handled(subscription.name, batch[-1].index)
