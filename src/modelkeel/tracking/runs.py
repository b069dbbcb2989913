"""Use cases of runs: create, read, search, end, tag, link, delete, restore."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.ids import run_id as new_run_id
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import rules, store
from modelkeel.tracking.base import Base
from modelkeel.tracking.models import (
    RUN_NAME_TAG,
    DatasetInput,
    Lifecycle,
    ModelOutput,
    Run,
    RunStatus,
    require_active,
)
from modelkeel.tracking.names import random_name
from modelkeel.tracking.search import RUNS, page_offset, page_token, parse_filter, parse_order

MODEL_HISTORY = "mlflow.log-model.history"


class Runs(Base):
    """A run's life."""

    async def create_run(
        self,
        principal: Principal,
        experiment_id: str,
        *,
        name: str = "",
        started: int | None = None,
        tags: dict[str, str] | None = None,
        user: str = "",
    ) -> Run:
        """A new run, RUNNING.

        Args:
            principal: who asks.
            experiment_id: an active experiment; `0` is the workspace's Default.
            name: made up if empty.
            started: by the client's clock; now if None.
            tags: free key and value pairs.
            user: whom the client names; the principal if empty.
        """
        self._may_track(principal, "runs")
        given = dict(tags or {})
        rules.check_lengths(given, rules.TAG_LENGTH)  # stock servers look at no more here
        tagged = given.get(RUN_NAME_TAG, "")
        if name and tagged and name != tagged:
            raise InvalidInput(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
                f"(run_name='{name}', mlflow.runName='{tagged}')."
            )
        called = given[RUN_NAME_TAG] = name or tagged or random_name()
        wanted = await self._experiment_id(principal, experiment_id)

        def work(tx: Tx) -> Run:
            lifecycle = store.experiments.lifecycle_of(tx, principal.workspace, wanted)
            if lifecycle is None or not self._reads(principal, wanted):
                raise NotFound(f"No Experiment with id={experiment_id} exists")
            self._require_track(principal, wanted, "runs")
            require_active(lifecycle, "experiment", wanted)
            identity = new_run_id()
            row: dict[str, Any] = {
                "id": identity,
                "workspace": principal.workspace,
                "experiment": wanted,
                "name": called,
                "user": user or principal.name,
                "actor": principal.id,
                "status": RunStatus.RUNNING,
                "started": tx.now if started is None else started,
            }
            seq = store.runs.add(tx, row)
            store.runs.set_tags(tx, seq, given)
            subject = {"run": identity, "experiment": wanted}
            self._ledger.record(tx, principal, "run.created", subject, texts={"name": called})
            return Run(
                identity,
                wanted,
                called,
                row["user"],
                RunStatus.RUNNING,
                row["started"],
                None,
                Lifecycle.ACTIVE,
                tags=given,
            )

        return await self._db.write(work)

    async def get_run(self, principal: Principal, run_id: str) -> Run:
        """A run with its params, latest metrics, tags and inputs, also a deleted one.

        Raises:
            NotFound: no such run in the workspace.
        """
        self._may_read(principal, "runs")
        found = await self._db.read(lambda tx: store.runs.get(tx, principal.workspace, run_id))
        if found is None or not self._reads(principal, found.experiment_id):
            raise NotFound(f"Run with id={run_id} not found")
        return found

    async def list_runs(
        self,
        principal: Principal,
        experiment_ids: Sequence[str],
        filter: str = "",  # noqa: A002 - MLflow's word
        order_by: Sequence[str] = (),
        limit: int = 1000,
        token: str | None = None,
        *,
        lifecycles: Iterable[Lifecycle] = (Lifecycle.ACTIVE,),
    ) -> tuple[list[Run], str | None]:
        """A page of runs that meet a filter, and the next page's token; newest first unless ordered otherwise."""
        self._may_read(principal, "runs")
        conditions, orders = parse_filter(filter, RUNS), parse_order(list(order_by), RUNS)
        seen = self._seen(principal)
        wanted = [at for at in [await self._experiment_id(principal, one) for one in experiment_ids] if at in seen]
        offset = page_offset(token)

        def work(tx: Tx) -> tuple[list[Run], str | None]:
            rows = store.run_search.runs(
                tx, principal.workspace, wanted, list(lifecycles), conditions, orders, limit=limit + 1, offset=offset
            )
            more = page_token(offset + limit) if len(rows) > limit else None
            return store.runs.load(tx, rows[:limit]), more

        return await self._db.read(work)

    async def update_run(
        self,
        principal: Principal,
        run_id: str,
        *,
        status: RunStatus | None = None,
        ended: int | None = None,
        name: str | None = None,
    ) -> Run:
        """Changes a run's status, end (0: none) or name; a final status ends it.

        Returns:
            The run's head as it is now: without params, metrics, tags and inputs.
        """
        self._may_track(principal, "runs")
        if name:
            rules.check_tag(RUN_NAME_TAG, name)

        def work(tx: Tx) -> Run:
            row = self._writable_run(tx, principal, run_id)
            before = store.runs.head(row)
            values: dict[str, Any] = {}
            if status is not None and status is not before.status:
                values["status"] = status
            if ended is not None and (ended or None) != before.ended:
                values["ended"] = ended or None
            if name and name != before.name:
                values["name"] = name
                store.runs.set_tags(tx, row.seq, {RUN_NAME_TAG: name})
            if not values:
                return before
            now = status or before.status
            values |= {"revision": row.revision + 1, "seal": None, "unsealed": tx.now if now.ended else None}
            store.runs.change(tx, row.seq, **values)
            ending = now.ended and not before.status.ended
            self._ledger.record(
                tx,
                principal,
                "run.ended" if ending else "run.updated",
                {"run": run_id},
                {"status": now} | ({"ended": ended} if ended is not None else {}),
                {"name": name} if name else {},
            )
            return msgspec.structs.replace(
                before,
                status=now,
                ended=before.ended if ended is None else ended or None,
                name=name or before.name,
                seal=None,
            )

        return await self._db.write(work)

    async def end_run(self, principal: Principal, run_id: str, status: RunStatus = RunStatus.FINISHED) -> Run:
        """Ends a run, now."""
        return await self.update_run(principal, run_id, status=status, ended=now_ms())

    async def delete_run(self, principal: Principal, run_id: str) -> None:
        """Hides a run; a deleted one stays so without another entry."""
        await self._set_lifecycle(principal, run_id, Lifecycle.DELETED)

    async def restore_run(self, principal: Principal, run_id: str) -> None:
        """Shows a deleted run again."""
        await self._set_lifecycle(principal, run_id, Lifecycle.ACTIVE)

    async def set_tags(self, principal: Principal, run_id: str, tags: dict[str, str]) -> None:
        """Sets tags of a run; `mlflow.runName` renames it."""
        self._may_track(principal, "runs")
        for key, value in tags.items():
            rules.check_tag(key, value)

        def work(tx: Tx) -> None:
            self._tag(tx, principal, run_id, self._writable_run(tx, principal, run_id), tags)

        await self._db.write(work)

    async def add_model_json(self, principal: Principal, run_id: str, model: dict[str, Any]) -> None:
        """Adds a model, as clients before 3.0 describe it, to the list in the run's tag `mlflow.log-model.history`.

        Raises:
            InvalidInput: the list would be longer than a tag may be.
        """
        self._may_track(principal, "runs")

        def work(tx: Tx) -> None:
            row = self._writable_run(tx, principal, run_id)
            old = store.runs.tags_of(tx, row.seq, [MODEL_HISTORY]).get(MODEL_HISTORY, "[]")
            try:
                history = msgspec.json.decode(old, type=list[Any])
            except msgspec.MsgspecError:
                history = []  # somebody set the tag to something else
            value = msgspec.json.encode([*history, model]).decode()
            rules.check_tag(MODEL_HISTORY, value)
            self._tag(tx, principal, run_id, row, {MODEL_HISTORY: value})

        await self._db.write(work)

    async def delete_tag(self, principal: Principal, run_id: str, key: str) -> None:
        """Removes a tag of a run."""
        self._may_track(principal, "runs")

        def work(tx: Tx) -> None:
            row = self._writable_run(tx, principal, run_id)
            if not store.runs.delete_tag(tx, row.seq, key):
                raise NotFound(f"No tag with name: {key} in run with id {run_id}")
            self._wrote(tx, row)
            self._ledger.record(tx, principal, "run.tagged", {"run": run_id}, {"change": "deleted"}, {"key": key})

        await self._db.write(work)

    async def log_inputs(
        self,
        principal: Principal,
        run_id: str,
        datasets: Sequence[DatasetInput] = (),
        models: Sequence[str] = (),
    ) -> None:
        """Says which data sets and logged models a run read."""
        self._may_track(principal, "runs")
        for item in datasets:
            texts = {"name": item.name, "digest": item.digest, "source": item.source}
            texts |= {"schema": item.schema or "", "profile": item.profile or ""}
            rules.check_dataset(texts, list(item.tags.items()))

        def work(tx: Tx) -> None:
            row = self._writable_run(tx, principal, run_id)
            data = store.runs.add_inputs(tx, row.seq, row.experiment, datasets)
            read = store.runs.add_models(tx, row.seq, "in", [ModelOutput(model) for model in models])
            if data or read:
                self._wrote(tx, row)
                digests = [item.digest for item in datasets]
                count = {"datasets": data, "models": read, "digests": digests}
                self._ledger.record(tx, principal, "inputs.logged", {"run": run_id}, count)

        await self._db.write(work)

    async def log_outputs(self, principal: Principal, run_id: str, models: Sequence[ModelOutput]) -> None:
        """Says which logged models a run produced."""
        self._may_track(principal, "runs")

        def work(tx: Tx) -> None:
            row = self._writable_run(tx, principal, run_id)
            for model in models:
                logged = store.logged_models.find(tx, principal.workspace, model.model_id)
                if logged is None or not self._reads(principal, logged.experiment):
                    raise NotFound(f"Logged model with ID '{model.model_id}' not found.")
            if store.runs.add_models(tx, row.seq, "out", models):
                self._wrote(tx, row)
                self._ledger.record(tx, principal, "run.updated", {"run": run_id}, {"outputs": len(models)})

        await self._db.write(work)

    async def _set_lifecycle(self, principal: Principal, run_id: str, lifecycle: Lifecycle) -> None:
        self._may_track(principal, "runs")
        gone = lifecycle is Lifecycle.DELETED

        def work(tx: Tx) -> None:
            found = self._run_seen(tx, principal, run_id)
            if found is None:
                raise NotFound(f"Run with id={run_id} not found")
            if found.lifecycle == lifecycle:
                return
            store.runs.change(tx, found.seq, lifecycle=lifecycle, deleted=tx.now if gone else None)
            self._ledger.record(tx, principal, "run.deleted" if gone else "run.restored", {"run": run_id})

        await self._db.write(work)

    def _tag(self, tx: Tx, principal: Principal, run_id: str, row: Any, tags: dict[str, str]) -> None:
        """Sets those tags that change something, in the caller's transaction, and records them in one entry."""
        held = store.runs.tags_of(tx, row.seq, tags)
        fresh = {key: value for key, value in tags.items() if held.get(key) != value}
        if not fresh:
            return
        store.runs.set_tags(tx, row.seq, fresh)
        if RUN_NAME_TAG in fresh:
            store.runs.change(tx, row.seq, name=fresh[RUN_NAME_TAG])
        self._wrote(tx, row)
        texts = {"tags": msgspec.json.encode(fresh).decode()}
        self._ledger.record(tx, principal, "run.tagged", {"run": run_id}, {"change": "set", "tags": len(fresh)}, texts)
