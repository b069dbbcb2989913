"""Use cases of serving: deploy, shift, roll back, and what served when."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal
from modelkeel.core.errors import Conflict, InvalidInput, NotFound
from modelkeel.core.hashing import digest_of
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import Ledger
from modelkeel.registry.models import ModelVersion
from modelkeel.registry.service import Registry
from modelkeel.serving import store
from modelkeel.serving.keys import Keys
from modelkeel.serving.models import (
    Deploy,
    DeploymentCheck,
    Endpoint,
    Revision,
    RevisionState,
    Rollout,
    RolloutPolicy,
    RolloutState,
    Share,
    Traffic,
    traffic_of,
)
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import about_named, require_named, runs_within


class Serving:
    """Endpoints of an installation, as desired state; the controller makes it so.

    Args:
        database: holds the desired state.
        ledger: gets an entry for every change of it.
        registry: resolves `name@alias` once, at the command.
        authorizer: decides who may deploy.
        check: asked before a version takes traffic.
        predict_url: gives the base of the prediction addresses; the port is known once it is bound.
        workspace_names: every workspace's name by id, the first part of a prediction address.

    Attributes:
        keys: those of the endpoints.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        registry: Registry,
        authorizer: Authorizer,
        check: DeploymentCheck,
        predict_url: Callable[[], str],
        workspace_names: Callable[[Tx], dict[str, str]],
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._registry = registry
        self._authorizer = authorizer
        self._check = check
        self._predict_url = predict_url
        self._workspace_names = workspace_names
        self.keys = Keys(database, ledger, authorizer)

    async def deploy(self, principal: Principal, name: str, wanted: Deploy) -> Endpoint:
        """Starts the rollout of a model version at an endpoint, which is made where it is new.

        Raises:
            Refused: a gate says no.
            Conflict: another rollout is under way there.
        """
        await self._may(principal, Permission.DEPLOY, name)
        if not name or len(name) > 100 or not all(c.isalnum() or c in "-_." for c in name):
            raise InvalidInput(f"{name!r} can't be an endpoint's name.", hint="Use letters, digits, '-', '_' and '.'.")
        version = await self._registry.resolve(principal, wanted.model)
        ticket = await self._check.admit(principal, name, version.model_id, version.name, version.version)

        def work(tx: Tx) -> None:
            endpoint_id = self._ensure_endpoint(tx, principal, name, wanted)
            self._begin(tx, principal, endpoint_id, name, version, ticket)

        await self._db.write(work)
        return await self.endpoint(principal, name)

    async def rollback(self, principal: Principal, name: str) -> Endpoint:
        """Gives all the traffic back to the revision that had it before the present one, and ends an open rollout.

        Raises:
            Conflict: there is no earlier revision that is still ready.
            NotFound: the principal may not read the model of that revision.
        """
        await self._may(principal, Permission.DEPLOY, name)
        endpoint = await self.endpoint(principal, name)
        target = await self._db.read(lambda tx: _previous_champion(tx, endpoint))
        if not target.model_id:  # hidden from them, so what gates it can't be judged for them either
            raise NotFound(f"The revision before at {name} is of a model that is not there for you.")
        await self._check.admit(principal, name, target.model_id, target.model, target.version)

        def work(tx: Tx) -> None:
            if endpoint.rollout is not None and endpoint.rollout.state.is_open:
                self._end(tx, principal, endpoint.rollout, RolloutState.ABORTED, "rolled back")
            self.shift(tx, principal, endpoint.id, [Share(target.id, 100)], None)

        await self._db.write(work)
        return await self.endpoint(principal, name)

    async def abort(self, principal: Principal, name: str, reason: str) -> Endpoint:
        """Ends an open rollout: the champion keeps all the traffic."""
        await self._may(principal, Permission.DEPLOY, name)
        endpoint = await self.endpoint(principal, name)
        rollout = endpoint.rollout
        if rollout is None or not rollout.state.is_open:
            raise Conflict(f"No rollout is under way at {name}.")
        await self._db.write(lambda tx: self.move(tx, principal, rollout, RolloutState.ABORTED, rollout.step, reason))
        return await self.endpoint(principal, name)

    async def set_policy(self, principal: Principal, name: str, policy: RolloutPolicy) -> RolloutPolicy:
        """How new revisions of an endpoint take over from now on."""
        await self._may(principal, Permission.POLICY, name)

        def work(tx: Tx) -> None:
            encoded = msgspec.json.encode(policy).decode()
            if store.policy_of(tx, principal.workspace, name) == encoded:
                return
            store.set_policy(tx, principal.workspace, name, policy)
            data = {"digest": digest_of(msgspec.to_builtins(policy)), "kind": "rollout"}
            about = about_named(tx, Kind.ENDPOINT, principal.workspace, name)
            self._ledger.record(tx, principal, "policy.set", about, data, {"endpoint": name})

        await self._db.write(work)
        return policy

    async def endpoints(self, principal: Principal) -> list[Endpoint]:
        """Every endpoint of the workspace."""
        self._authorizer.require(principal, Permission.READ, what="endpoints", on=Kind.ENDPOINT)
        seen = self._authorizer.visible(principal, Kind.ENDPOINT)

        def work(tx: Tx) -> list[Endpoint]:
            return [self.view(tx, row, principal) for row in store.endpoints(tx, principal.workspace, seen)]

        return await self._db.read(work)

    async def everywhere(self) -> list[tuple[str, str]]:
        """Every endpoint of every workspace, as workspace id and name: for processes of ours."""
        return await self._db.read(lambda tx: [(row.workspace, row.name) for row in store.endpoints(tx, None)])

    async def endpoint(self, principal: Principal, name: str) -> Endpoint:
        """One endpoint.

        Raises:
            NotFound: the workspace has none of that name.
        """
        self._authorizer.require(principal, Permission.READ, what=f"endpoint {name}", on=Kind.ENDPOINT)

        def work(tx: Tx) -> Endpoint:
            row = store.endpoint_named(tx, principal.workspace, name)
            if row is None or not principal.may(Permission.READ, Object(Kind.ENDPOINT, row.id)):
                raise NotFound(f"There is no endpoint {name!r}.", hint="`modelkeel endpoints` lists them.")
            return self.view(tx, row, principal)

        return await self._db.read(work)

    async def revision(self, principal: Principal, identity: str) -> Revision:
        """One revision of the workspace."""
        self._authorizer.require(principal, Permission.READ, what="revisions", on=Kind.ENDPOINT)

        def work(tx: Tx) -> Revision:
            row = store.revision_with_id(tx, principal.workspace, identity)
            if row is None or not principal.may(Permission.READ, Object(Kind.ENDPOINT, row.endpoint)):
                raise NotFound(f"There is no revision {identity!r}.")
            return seen_by(tx, principal, [row])[0]

        return await self._db.read(work)

    async def revisions_of(self, principal: Principal, model_id: str, version: int) -> list[Revision]:
        """Where a model version was ever made ready."""
        self._authorizer.require(principal, Permission.READ, what="revisions", on=Kind.ENDPOINT)
        seen = self._authorizer.visible(principal, Kind.ENDPOINT)

        def work(tx: Tx) -> list[Revision]:
            rows = store.revisions_of_version(tx, principal.workspace, model_id, version, seen)
            return seen_by(tx, principal, rows)

        return await self._db.read(work)

    async def history(self, principal: Principal, name: str) -> list[Traffic]:
        """Every division of an endpoint's traffic, oldest first; each held until the next began (server time)."""
        endpoint = await self.endpoint(principal, name)

        def work(tx: Tx) -> list[Traffic]:
            return [_traffic(row) for row in store.traffic_history(tx, endpoint.id)]

        return await self._db.read(work)

    async def places(self, endpoints: set[str]) -> dict[str, tuple[str, str]]:
        """Workspace and name of endpoints by id, for the prediction log."""

        def work(tx: Tx) -> dict[str, tuple[str, str]]:
            rows = store.endpoints_with_ids(tx, sorted(endpoints))
            return {row.id: (row.workspace, row.name) for row in rows}

        return await self._db.read(work)

    async def _may(self, principal: Principal, permission: Permission, name: str) -> None:
        what = f"endpoint {name}"
        await require_named(self._db, self._authorizer, principal, permission, Kind.ENDPOINT, name, what)

    def view(self, tx: Tx, row: sa.Row[Any], principal: Principal | None = None) -> Endpoint:
        """An endpoint's row with all that belongs to it, as somebody may see it; None: a process of ours."""
        revisions = store.revisions(tx, row.id)
        workspace = self._workspace_names(tx).get(row.workspace, "")
        current = store.current_traffic(tx, row.id)
        last = store.last_rollout(tx, row.id)
        traffic = _traffic(current) if current else None
        return Endpoint(
            id=row.id,
            name=row.name,
            url=f"{self._predict_url()}/{workspace}/{row.name}",
            simulated=row.simulated,
            log=row.log,
            created=row.created,
            routes=traffic.routes if traffic else [],
            shadow=traffic.shadow if traffic else None,
            revisions=[revision_of(r) for r in revisions] if principal is None else seen_by(tx, principal, revisions),
            rollout=rollout_of(last) if last else None,
        )

    def move(
        self, tx: Tx, by: Principal, rollout: Rollout, state: RolloutState, step: int, note: str = "", rows: int = 0
    ) -> None:
        """Brings a rollout to its next state and divides the traffic accordingly, in the caller's transaction.

        Raises:
            Conflict: the rollout moved meanwhile.
        """
        row = store.rollout_with_id(tx, rollout.id)
        if row is None or (row.state, row.step) != (rollout.state, rollout.step):
            raise Conflict("The rollout moved meanwhile.", hint="Look again.")
        if state in {RolloutState.COMPLETED, RolloutState.ABORTED}:
            self._end(tx, by, rollout, state, note)
        else:
            store.set_rollout(tx, rollout.id, {"state": state, "step": step, "since": tx.now, "base": rows})
            data = {"state": state, "step": step}
            self._ledger.record(tx, by, "rollout.advanced", {"rollout": rollout.id, "endpoint": rollout.endpoint}, data)
        if state is RolloutState.ABORTED and rollout.champion is None:
            return
        moved = msgspec.structs.replace(rollout, state=state, step=step)
        routes, shadow = traffic_of(moved)
        self.shift(tx, by, rollout.endpoint, routes, shadow)

    def shift(self, tx: Tx, by: Principal, endpoint: str, routes: Sequence[Share], shadow: str | None) -> None:
        """Divides an endpoint's traffic anew; nothing happens where it is so already."""
        current = store.current_traffic(tx, endpoint)
        encoded = msgspec.json.encode(list(routes)).decode()
        if current is not None and (current.routes, current.shadow) == (encoded, shadow):
            return
        data = {"routes": [{"revision": r.revision, "weight": r.weight} for r in routes], "shadow": shadow}
        entry = self._ledger.record(tx, by, "traffic.shifted", {"endpoint": endpoint}, data)
        store.add_traffic(tx, {"endpoint": endpoint, "routes": encoded, "shadow": shadow, "entry": entry})

    def _end(self, tx: Tx, by: Principal, rollout: Rollout, state: RolloutState, note: str) -> None:
        store.set_rollout(tx, rollout.id, {"state": state, "since": tx.now, "note": note})
        kind = "rollout.completed" if state is RolloutState.COMPLETED else "rollout.aborted"
        texts = {"reason": note} if note else {}
        self._ledger.record(tx, by, kind, {"rollout": rollout.id, "endpoint": rollout.endpoint}, {}, texts)

    def _ensure_endpoint(self, tx: Tx, by: Principal, name: str, wanted: Deploy) -> str:
        found = store.endpoint_named(tx, by.workspace, name)
        if found is not None:
            return str(found.id)
        identity = uuid7(tx.now)
        row = {"id": identity, "workspace": by.workspace, "name": name, "simulated": wanted.simulated}
        store.add_endpoint(tx, {**row, "log": wanted.log})
        data = {"simulated": wanted.simulated, "log": wanted.log}
        self._ledger.record(tx, by, "endpoint.created", {"endpoint": identity}, data, {"name": name})
        return identity

    def _begin(
        self, tx: Tx, by: Principal, endpoint: str, name: str, version: ModelVersion, ticket: str | None
    ) -> None:
        last = store.last_rollout(tx, endpoint)
        if last is not None and RolloutState(last.state).is_open:
            raise Conflict(
                f"A rollout is under way at {name}.", hint="Wait for it, or end it with `modelkeel rollout abort`."
            )
        revision = uuid7(tx.now)
        about = {"endpoint": endpoint, "revision": revision, "version": f"{version.model_id}/{version.version}"}
        row = {
            "id": revision,
            "workspace": by.workspace,
            "endpoint": endpoint,
            "model": version.name,
            "model_id": version.model_id,
            "version": version.version,
            "run_id": version.run_id or "",
            "digest": version.digest,
            "state": RevisionState.PREPARING,
            "kind": "",
            "note": "",
            "prepared": "",
            "created_by": by.id,
        }
        number = store.add_revision(tx, row)
        self._ledger.record(tx, by, "revision.created", about, {"number": number, "digest": version.digest})
        current = store.current_traffic(tx, endpoint)
        champion = _traffic(current).routes[0].revision if current else None
        stored = store.policy_of(tx, by.workspace, name)
        rollout = uuid7(tx.now)
        store.add_rollout(
            tx,
            {
                "id": rollout,
                "workspace": by.workspace,
                "endpoint": endpoint,
                "candidate": revision,
                "champion": champion,
                "state": RolloutState.PREPARING,
                "policy": stored or msgspec.json.encode(RolloutPolicy()).decode(),
                "ticket": ticket,
                "started_by": by.id,
            },
        )
        subject = {"rollout": rollout, "endpoint": endpoint, "revision": revision}
        self._ledger.record(tx, by, "rollout.started", subject, {"promotion": ticket})


def revision_of(row: sa.Row[Any]) -> Revision:
    """A revision as others read it."""
    fields = {name: getattr(row, name) for name in Revision.__struct_fields__}
    return Revision(**{**fields, "state": RevisionState(row.state)})


def seen_by(tx: Tx, principal: Principal, rows: Sequence[sa.Row[Any]]) -> list[Revision]:
    """Revisions without the names of models and runs that the principal may not read."""
    experiments = principal.sees(Kind.EXPERIMENT)
    run = sa.table("run", sa.column("id"))
    wanted = run.c.id.in_([row.run_id for row in rows if row.run_id])
    hidden = set()
    if not experiments.everything:
        shown = {found.id for found in tx.all(sa.select(run.c.id).where(wanted, *runs_within(experiments, run.c.id)))}
        hidden = {row.run_id for row in rows} - shown
    seen = []
    for row in rows:
        revision = revision_of(row)
        if not principal.may(Permission.READ, Object(Kind.MODEL, row.model_id)):
            revision = msgspec.structs.replace(revision, model="", model_id="", run_id="")
        if row.run_id in hidden:
            revision = msgspec.structs.replace(revision, run_id="")
        seen.append(revision)
    return seen


def rollout_of(row: sa.Row[Any]) -> Rollout:
    """A rollout as others read it."""
    fields = {name: getattr(row, name) for name in Rollout.__struct_fields__}
    policy = msgspec.json.decode(row.policy, type=RolloutPolicy)
    return Rollout(**{**fields, "state": RolloutState(row.state), "policy": policy})


def _traffic(row: sa.Row[Any]) -> Traffic:
    return Traffic(row.since, msgspec.json.decode(row.routes, type=list[Share]), row.shadow, row.entry)


def _previous_champion(tx: Tx, endpoint: Endpoint) -> Revision:
    if not endpoint.routes:
        raise Conflict(f"Nothing serves at {endpoint.name}.")
    present = endpoint.routes[0].revision
    ready = {r.id: r for r in endpoint.revisions if r.state is RevisionState.READY}
    for row in reversed(store.traffic_history(tx, endpoint.id)):
        earlier = _traffic(row).routes[0].revision
        if earlier != present and earlier in ready:
            return ready[earlier]
    raise Conflict(f"No earlier revision of {endpoint.name} is ready.", hint="Deploy a version instead.")
