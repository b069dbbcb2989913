"""Use cases of moving in: things with ids, users and times of elsewhere, in the caller's transaction.

Only `moving` calls these, after it has checked that the principal may import. Each records one ledger entry when it
changes something, of the same type as the change made here, with the import's id.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modelkeel.core.access import Permission, Principal
from modelkeel.core.errors import Conflict, InvalidInput, NotFound
from modelkeel.core.hashing import digest_of
from modelkeel.core.ids import experiment_id, run_id
from modelkeel.core.paths import clean
from modelkeel.core.points import digest_points
from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.holdings import held
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import rules, store
from modelkeel.tracking.artifacts import Artifacts
from modelkeel.tracking.metrics import Metrics
from modelkeel.tracking.models import (
    RUN_NAME_TAG,
    ArtifactOwner,
    Experiment,
    Lifecycle,
    LoggedModel,
    Metric,
    ModelOutput,
    ModelStatus,
    OwnerKind,
    Run,
    RunStatus,
    tree_of,
)
from modelkeel.tracking.store import importing

Fields = Mapping[str, str | None]


class Holdings(msgspec.Struct, frozen=True):
    """What a run or logged model holds: counts, and digests over its points and its files."""

    params: int
    tags: int
    points: int
    points_digest: str
    files: int
    bytes: int
    tree: str


class Importing(Artifacts, Metrics):
    """Place what comes from elsewhere."""

    def free_id(self, tx: Tx, principal: Principal, kind: str, wanted: str) -> str:
        """The id that a thing from elsewhere gets: its own, unless another workspace has it."""
        if importing.workspace_of(tx, kind, wanted) in {None, principal.workspace}:
            return wanted
        return {"experiment": experiment_id, "run": run_id}.get(kind, lambda: f"m-{secrets.token_hex(16)}")()

    def named_experiment(self, tx: Tx, principal: Principal, name: str) -> str | None:
        """The id of the active experiment of that name, whether or not the principal may read it."""
        found = store.experiments.named(tx, principal.workspace, name)
        return None if found is None else found.id

    def held_experiment(self, tx: Tx, principal: Principal, identity: str) -> Experiment | None:
        """An experiment that is here already."""
        found = store.experiments.get(tx, principal.workspace, identity)
        if found is not None:
            self._require_track(principal, identity, f"experiment {found.name}")
        return found

    def add_experiment(self, tx: Tx, principal: Principal, given: Experiment, by: str) -> None:
        """Makes an experiment with the id and times that it has."""
        self._authorizer.require(principal, Permission.TRACK, what="experiments")
        rules.check_experiment_name(given.name)
        self._check_tags(given.tags, rules.EXPERIMENT_TAG_LENGTH)
        if not (given.id.isdecimal() and len(given.id) < 20):
            raise InvalidInput(f"{given.id[:40]!r} is no experiment's id.")
        store.experiments.add(tx, given.id, principal.workspace, given.name, given.tags)
        if given.lifecycle is not Lifecycle.ACTIVE:
            store.experiments.change(tx, given.id, lifecycle=given.lifecycle)
        importing.set_times(tx, "experiment", given.id, given.created or tx.now, given.updated or tx.now)
        subject = {"experiment": given.id}
        self._ledger.record(tx, principal, "experiment.created", subject, {"import": by}, {"name": given.name})

    def change_experiment(self, tx: Tx, principal: Principal, identity: str, changes: Fields, by: str) -> None:
        """Changes tags (`tag:KEY`), `name` and `lifecycle` of an experiment."""
        columns, tags, gone = _split(changes)
        self._check_tags(tags, rules.EXPERIMENT_TAG_LENGTH)
        if "name" in columns:
            rules.check_experiment_name(str(columns["name"]))
        self._change(tx, principal, "experiment", identity, columns, by, len(changes))
        store.experiments.change(tx, identity, **columns)
        store.experiments.set_tags(tx, identity, tags)
        for key in gone:
            store.experiments.delete_tag(tx, identity, key)

    def held_run(self, tx: Tx, principal: Principal, identity: str) -> Run | None:
        """A run that is here already."""
        row = store.runs.find(tx, principal.workspace, identity)
        if row is None:
            return None
        self._require_track(principal, row.experiment, f"run {identity}")
        return store.runs.load(tx, [row])[0]

    def add_run(self, tx: Tx, principal: Principal, given: Run, by: str) -> None:
        """Makes a run with the id, user, status and times that it has, and what was logged to it but its points."""
        if store.experiments.lifecycle_of(tx, principal.workspace, given.experiment_id) is None:
            raise NotFound(f"No Experiment with id={given.experiment_id} exists")
        self._require_track(principal, given.experiment_id, "runs")
        if not (len(given.id) == 32 and set(given.id) <= set("0123456789abcdef")):
            raise InvalidInput(f"{given.id[:40]!r} is no run's id.")
        self._check_tags(given.tags)
        deleted = given.lifecycle is not Lifecycle.ACTIVE
        row: dict[str, Any] = {
            "id": given.id,
            "workspace": principal.workspace,
            "experiment": given.experiment_id,
            "name": given.name,
            "user": given.user,
            "actor": principal.id,
            "status": given.status,
            "lifecycle": given.lifecycle,
            "started": given.started,
        }
        seq = store.runs.add(tx, row)
        store.runs.change(
            tx,
            seq,
            ended=given.ended,
            deleted=tx.now if deleted else None,
            unsealed=tx.now if given.status.ended else None,
        )
        store.runs.set_tags(tx, seq, given.tags)
        self._more_of_run(tx, seq, given)
        subject = {"run": given.id, "experiment": given.experiment_id}
        self._ledger.record(tx, principal, "run.created", subject, {"import": by}, {"name": given.name})

    def change_run(self, tx: Tx, principal: Principal, given: Run, changes: Fields, by: str) -> bool:
        """Changes fields, tags (`tag:KEY`) and params (`param:KEY`) of a run that is here; adds inputs and outputs."""
        row = store.runs.find(tx, principal.workspace, given.id)
        if row is None:
            raise NotFound(f"Run with id={given.id} not found")
        columns, tags, gone = _split({key: value for key, value in changes.items() if not key.startswith("param:")})
        params = {key.removeprefix("param:"): value for key, value in changes.items() if key.startswith("param:")}
        self._check_tags(tags)
        added = self._more_of_run(
            tx, row.seq, msgspec.structs.replace(given, params={k: v for k, v in params.items() if v is not None})
        )
        if not (changes or added):
            return False
        if "name" in columns:
            tags[RUN_NAME_TAG] = str(columns["name"])
        if "lifecycle" in columns:
            columns["deleted"] = tx.now if columns["lifecycle"] == Lifecycle.DELETED else None
        for key in {"started", "ended"} & set(columns):
            columns[key] = None if columns[key] is None else int(columns[key])
        self._change(tx, principal, "run", given.id, columns, by, len(changes) + added)
        store.runs.set_tags(tx, row.seq, tags)
        for key in gone:
            store.runs.delete_tag(tx, row.seq, key)
        ended = RunStatus(columns.get("status", row.status)).ended
        columns |= {"revision": row.revision + 1, "seal": None, "unsealed": tx.now if ended else None}
        store.runs.change(tx, row.seq, **columns)
        return True

    def add_points(self, tx: Tx, principal: Principal, identity: str, metrics: Sequence[Metric]) -> None:
        """Adds points to a run; those that are there already stay once."""
        row = store.runs.find(tx, principal.workspace, identity)
        if row is None:
            raise NotFound(f"Run with id={identity} not found")
        self._require_track(principal, row.experiment, f"run {identity}")
        rules.check_metrics(metrics)
        store.metrics.gather(tx, self._keys).add(tx, row.seq, principal.workspace, metrics)
        self._wrote(tx, row)

    def held_files(self, tx: Tx, principal: Principal, owner: ArtifactOwner) -> dict[str, str]:
        """Digest and size, as one text, of each file of a run or logged model."""
        self._require_track(principal, self._owned(tx, principal, owner).experiment, "artifacts")
        return {file.path: f"{file.digest}:{file.size}" for file in store.artifacts.under(tx, owner, "")}

    def change_files(self, tx: Tx, principal: Principal, owner: ArtifactOwner, changes: Fields, by: str) -> None:
        """Points paths at contents that the workspace holds, or removes them.

        Raises:
            InvalidInput: the workspace does not hold a content.
            Conflict: the path can't change any more.
        """
        if not changes:
            return
        row = self._owned(tx, principal, owner)
        refs = {path: _ref(value) for path, value in changes.items()}
        digests = sorted({ref.digest for ref in refs.values() if ref is not None})
        holds: dict[str, int] = {}
        for start in range(0, len(digests), 500):
            holds |= held(tx, principal.workspace, digests[start : start + 500])
        ready = owner.kind is OwnerKind.MODEL and row.status == ModelStatus.READY
        frozen = store.artifacts.frozen(tx, owner)
        for path, ref in refs.items():
            at = clean(path)
            if ready or any(not p or at == p or at.startswith(f"{p}/") for p in frozen):
                raise Conflict(f"'{at}' of {owner.kind} {owner.id} can't change any more.")
            if ref is None:
                store.artifacts.delete(tx, owner, at)
            elif holds.get(ref.digest) != ref.size:
                raise InvalidInput(f"This workspace does not hold the content of '{at}'.", hint="Send it first.")
            elif (other := store.artifacts.clash(tx, owner, at)) is not None:
                raise InvalidInput(f"'{at}' and '{other}' can't both be: a path is a file or a folder.")
            else:
                store.artifacts.put(tx, owner, at, ref)
        if owner.kind is OwnerKind.RUN:
            self._wrote(tx, row)
        data = {"import": by, "files": len(refs), "bytes": sum(ref.size for ref in refs.values() if ref)}
        data["digest"] = digest_of(sorted([path, value or ""] for path, value in changes.items()))
        self._ledger.record(tx, principal, "artifact.imported", {str(owner.kind): owner.id}, data)

    def held_model(self, tx: Tx, principal: Principal, identity: str) -> LoggedModel | None:
        """A logged model that is here already."""
        found = store.logged_models.get(tx, principal.workspace, identity)
        if found is not None:
            self._require_track(principal, found.experiment_id, f"logged model {identity}")
        return found

    def add_logged_model(self, tx: Tx, principal: Principal, given: LoggedModel, by: str) -> None:
        """Makes a logged model, pending until its files are there."""
        if store.experiments.lifecycle_of(tx, principal.workspace, given.experiment_id) is None:
            raise NotFound(f"No Experiment with id={given.experiment_id} exists")
        self._require_track(principal, given.experiment_id, "logged models")
        rules.check_model_name(given.name)
        self._check_tags(given.tags)
        if not (given.id.startswith("m-") and len(given.id) == 34 and set(given.id[2:]) <= set("0123456789abcdef")):
            raise InvalidInput(f"{given.id[:40]!r} is no logged model's id.")
        row = {
            "id": given.id,
            "workspace": principal.workspace,
            "experiment": given.experiment_id,
            "name": given.name,
            "type": given.model_type,
            "source_run": given.source_run,
            "status": ModelStatus.PENDING,
            "lifecycle": given.lifecycle,
            "created": given.created or tx.now,
        }
        store.logged_models.add(tx, row)
        store.logged_models.add_params(tx, given.id, given.params)
        store.logged_models.set_tags(tx, given.id, given.tags)
        subject = {"logged_model": given.id, "experiment": given.experiment_id}
        subject |= {"run": given.source_run} if given.source_run else {}
        self._ledger.record(tx, principal, "logged_model.created", subject, {"import": by}, {"name": given.name})

    def change_logged_model(self, tx: Tx, principal: Principal, identity: str, changes: Fields, by: str) -> None:
        """Changes tags (`tag:KEY`), adds params (`param:KEY`), hides or shows."""
        columns, tags, gone = _split({key: value for key, value in changes.items() if not key.startswith("param:")})
        params = {key.removeprefix("param:"): str(v) for key, v in changes.items() if key.startswith("param:")}
        self._check_tags(tags)
        self._change(tx, principal, "logged_model", identity, columns, by, len(changes))
        store.logged_models.change(tx, identity, **columns)
        store.logged_models.set_tags(tx, identity, tags)
        store.logged_models.add_params(tx, identity, params)
        for key in gone:
            store.logged_models.delete_tag(tx, identity, key)

    def add_model_points(self, tx: Tx, points: Sequence[tuple[str, Metric]]) -> None:
        """Adds points, each with its run, that measure logged models."""
        for run, metric in points:
            store.metrics.add_model_points(tx, run, [metric])

    def finish_logged_model(
        self, tx: Tx, principal: Principal, identity: str, status: ModelStatus, updated: int, by: str
    ) -> None:
        """Gives a logged model the status that it has, now that its files are here."""
        found = store.logged_models.find(tx, principal.workspace, identity)
        if found is None:
            raise NotFound(f"Logged model with ID '{identity}' not found.")
        if found.status in {status, ModelStatus.READY}:
            return
        store.logged_models.change(tx, identity, status=status)
        importing.set_times(tx, "logged_model", identity, found.created, updated or tx.now)
        tree = tree_of(store.artifacts.under(tx, ArtifactOwner.model(identity), ""))
        data = {"import": by, "status": status, "tree": tree.digest, "files": len(tree.files)}
        self._ledger.record(tx, principal, "logged_model.finalized", {"logged_model": identity}, data)

    def holdings(self, tx: Tx, principal: Principal, owner: ArtifactOwner) -> Holdings:
        """What a run or logged model holds, read from what is stored."""
        row = self._owned(tx, principal, owner)
        tree = tree_of(store.artifacts.under(tx, owner, ""))
        size = sum(file.size for file in tree.files)
        if owner.kind is OwnerKind.MODEL:
            model = store.logged_models.load(tx, [row])[0]
            count = len(model.metrics)
            return Holdings(len(model.params), len(model.tags), count, "", len(tree.files), size, tree.digest)
        params, tags = importing.counts(tx, row.seq)
        series = {
            key.name: digest_points(store.metrics.ordered(tx, row.seq, key.key))
            for key in store.metrics.keys_of(tx, row.seq)
        }
        digest = digest_of({key: {"points": n, "digest": d} for key, (n, d) in series.items()})
        points = sum(count for count, _ in series.values())
        return Holdings(params, tags, points, digest, len(tree.files), size, tree.digest)

    def _more_of_run(self, tx: Tx, seq: int, given: Run) -> int:
        """Params, data sets and models of a run; returns how many data sets and models are new."""
        for key, value in given.params.items():
            rules.check_param(key, value)
        if given.params:
            store.runs.add_params(tx, seq, given.params)
        for item in given.inputs:
            texts = {"name": item.name, "digest": item.digest, "source": item.source}
            texts |= {"schema": item.schema or "", "profile": item.profile or ""}
            rules.check_dataset(texts, list(item.tags.items()))
        added = store.runs.add_inputs(tx, seq, given.experiment_id, given.inputs)
        added += store.runs.add_models(tx, seq, "in", [ModelOutput(model) for model in given.model_inputs])
        return added + store.runs.add_models(tx, seq, "out", given.model_outputs)

    def _change(
        self, tx: Tx, principal: Principal, kind: str, identity: str, columns: Mapping[str, Any], by: str, count: int
    ) -> None:
        if not count:
            return
        data = {"import": by, "changes": count}
        data |= {key: columns[key] for key in ("status", "lifecycle") if key in columns}
        self._ledger.record(tx, principal, f"{kind}.updated", {kind: identity}, data)

    def _check_tags(self, tags: Mapping[str, str], limit: int = rules.TAG_LENGTH) -> None:
        for key, value in tags.items():
            rules.check_tag(key, value, limit=limit)


def _split(changes: Fields) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Columns, tags to set and tags to remove."""
    tags = {key.removeprefix("tag:"): value for key, value in changes.items() if key.startswith("tag:")}
    columns = {key: value for key, value in changes.items() if not key.startswith("tag:")}
    return (
        columns,
        {key: value for key, value in tags.items() if value is not None},
        [key for key, value in tags.items() if value is None],
    )


def _ref(value: str | None) -> BlobRef | None:
    if value is None:
        return None
    digest, _, size = value.partition(":")
    return BlobRef(digest, int(size))
