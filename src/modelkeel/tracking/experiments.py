"""Use cases of experiments."""

from collections.abc import Iterable, Sequence

from modelkeel.core.access import Permission, Principal
from modelkeel.core.errors import AlreadyExists, InvalidInput, NotFound
from modelkeel.core.ids import experiment_id
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import rules, store
from modelkeel.tracking.base import Base
from modelkeel.tracking.models import DEFAULT_EXPERIMENT, DatasetUse, Experiment, Lifecycle, require_active
from modelkeel.tracking.search import EXPERIMENTS, page_offset, page_token, parse_filter, parse_order

DATASET_EXPERIMENTS = 20
DATASET_USES = 1000


class Experiments(Base):
    """Create, find, rename, tag, delete and restore experiments."""

    async def create_experiment(
        self, principal: Principal, name: str, tags: dict[str, str] | None = None, location: str = ""
    ) -> str:
        """A new experiment; returns its id.

        Args:
            principal: who asks.
            name: unique among the workspace's active experiments.
            tags: free key and value pairs.
            location: refused unless empty: artifacts always live in the server's own store.
        """
        self._authorizer.require(principal, Permission.TRACK, what="experiments")
        rules.check_experiment_name(name)
        if location:
            raise InvalidInput(
                f"artifact_location={location[:200]!r} can't be chosen here.",
                hint="Leave it out: artifacts always go through this server, into its own store.",
            )
        for key, value in (tags or {}).items():
            rules.check_tag(key, value, limit=rules.EXPERIMENT_TAG_LENGTH)
        await self._default(principal)  # so that it is the oldest, and its name is taken

        def work(tx: Tx) -> str:
            self._free_name(tx, principal, name)
            identity = experiment_id()
            store.experiments.add(tx, identity, principal.workspace, name, tags or {})
            self._ledger.record(tx, principal, "experiment.created", {"experiment": identity}, texts={"name": name})
            return identity

        return await self._db.write(work)

    async def experiment(self, principal: Principal, identity: str) -> Experiment:
        """An experiment by id, also a deleted one; `0` is the workspace's Default.

        Raises:
            NotFound: no such experiment in the workspace.
        """
        self._may_read(principal, "experiments")
        wanted = await self._experiment_id(principal, identity)
        return await self._db.read(lambda tx: self._experiment(tx, principal, wanted))

    async def experiment_named(self, principal: Principal, name: str) -> Experiment:
        """The active experiment of that name.

        Raises:
            NotFound: no active experiment has it.
        """
        self._may_read(principal, "experiments")
        if name == DEFAULT_EXPERIMENT:
            await self._default(principal)
        found = await self._db.read(lambda tx: store.experiments.named(tx, principal.workspace, name))
        if found is None or not self._reads(principal, found.id):
            raise NotFound(f"Could not find experiment with name '{name}'")
        return found

    async def search_experiments(
        self,
        principal: Principal,
        *,
        lifecycles: Iterable[Lifecycle] = (Lifecycle.ACTIVE,),
        filter: str = "",  # noqa: A002 - MLflow's word
        order_by: list[str] | None = None,
        limit: int = 1000,
        token: str | None = None,
    ) -> tuple[list[Experiment], str | None]:
        """A page of experiments and the next page's token."""
        self._may_read(principal, "experiments")
        await self._default(principal)
        conditions, orders = parse_filter(filter, EXPERIMENTS), parse_order(order_by or [], EXPERIMENTS)
        offset = page_offset(token)

        def work(tx: Tx) -> tuple[list[Experiment], str | None]:
            rows = store.search.experiments(
                tx,
                principal.workspace,
                lifecycles,
                conditions,
                orders,
                limit=limit + 1,
                offset=offset,
                visible=self._seen(principal),
            )
            more = page_token(offset + limit) if len(rows) > limit else None
            return store.experiments.load(tx, rows[:limit]), more

        return await self._db.read(work)

    async def dataset_uses(self, principal: Principal, experiment_ids: Sequence[str]) -> list[DatasetUse]:
        """The data sets that runs of some experiments read, at most 1,000.

        Raises:
            InvalidInput: no experiment is named, or more than twenty.
        """
        self._may_read(principal, "runs")
        if not experiment_ids:
            raise InvalidInput("SearchDatasets request must specify at least one experiment_id.")
        if len(experiment_ids) > DATASET_EXPERIMENTS:
            raise InvalidInput(
                f"SearchDatasets request cannot specify more than {DATASET_EXPERIMENTS} experiment_ids. Received "
                f"{len(experiment_ids)} experiment_ids."
            )
        seen = self._seen(principal)
        wanted = [at for at in [await self._experiment_id(principal, one) for one in experiment_ids] if at in seen]
        return await self._db.read(
            lambda tx: store.experiments.dataset_uses(tx, principal.workspace, wanted, DATASET_USES)
        )

    async def rename_experiment(self, principal: Principal, identity: str, name: str) -> None:
        """Gives an active experiment another name."""
        self._may_track(principal, "experiments")
        rules.check_experiment_name(name)
        wanted = await self._experiment_id(principal, identity)

        def work(tx: Tx) -> None:
            found = self._own(tx, principal, wanted)
            if found.lifecycle is not Lifecycle.ACTIVE:
                raise InvalidInput("Cannot rename a non-active experiment.")
            if found.name == name:
                return
            self._free_name(tx, principal, name)
            store.experiments.change(tx, wanted, name=name)
            texts = {"name": name, "before": found.name}
            self._ledger.record(tx, principal, "experiment.updated", {"experiment": wanted}, texts=texts)

        await self._db.write(work)

    async def delete_experiment(self, principal: Principal, identity: str) -> None:
        """Hides an experiment and its runs, and frees its name."""
        self._may_track(principal, "experiments")
        wanted = await self._experiment_id(principal, identity)
        if wanted == await self._default(principal):
            raise InvalidInput("The Default experiment can't be deleted.", hint="Delete its runs instead.")

        def work(tx: Tx) -> None:
            found = self._own(tx, principal, wanted)
            if found.lifecycle is not Lifecycle.ACTIVE:
                raise NotFound(f"No Experiment with id={identity} exists")
            store.experiments.change(tx, wanted, lifecycle=Lifecycle.DELETED)
            hidden = 0
            for row in store.runs.of_experiment(tx, wanted):
                if row.lifecycle == Lifecycle.ACTIVE:
                    store.runs.change(tx, row.seq, lifecycle=Lifecycle.DELETED, deleted=tx.now)
                    hidden += 1
            self._ledger.record(tx, principal, "experiment.deleted", {"experiment": wanted}, {"runs": hidden})

        await self._db.write(work)

    async def restore_experiment(self, principal: Principal, identity: str) -> None:
        """Shows a deleted experiment and all its runs again.

        Raises:
            AlreadyExists: its name was taken meanwhile.
        """
        self._may_track(principal, "experiments")

        def work(tx: Tx) -> None:
            found = self._own(tx, principal, identity)
            if found.lifecycle is not Lifecycle.DELETED:
                raise NotFound(f"No Experiment with id={identity} exists")
            self._free_name(tx, principal, found.name, "Rename that one, then restore this one.")
            store.experiments.change(tx, identity, lifecycle=Lifecycle.ACTIVE)
            shown = 0
            for row in store.runs.of_experiment(tx, identity):
                if row.lifecycle == Lifecycle.DELETED:
                    store.runs.change(tx, row.seq, lifecycle=Lifecycle.ACTIVE, deleted=None)
                    shown += 1
            self._ledger.record(tx, principal, "experiment.restored", {"experiment": identity}, {"runs": shown})

        await self._db.write(work)

    async def set_experiment_tag(self, principal: Principal, identity: str, key: str, value: str) -> None:
        """Sets a tag of an active experiment."""
        self._may_track(principal, "experiments")
        rules.check_tag(key, value, limit=rules.EXPERIMENT_TAG_LENGTH)
        wanted = await self._experiment_id(principal, identity)

        def work(tx: Tx) -> None:
            found = self._own(tx, principal, wanted)
            require_active(found.lifecycle, "experiment", wanted)
            if found.tags.get(key) == value:
                return
            store.experiments.set_tags(tx, wanted, {key: value})
            store.experiments.change(tx, wanted)
            texts = {"key": key, "value": value}
            self._ledger.record(tx, principal, "experiment.tagged", {"experiment": wanted}, {"change": "set"}, texts)

        await self._db.write(work)

    async def delete_experiment_tag(self, principal: Principal, identity: str, key: str) -> None:
        """Removes a tag of an active experiment."""
        self._may_track(principal, "experiments")
        wanted = await self._experiment_id(principal, identity)

        def work(tx: Tx) -> None:
            found = self._own(tx, principal, wanted)
            require_active(found.lifecycle, "experiment", wanted)
            if not store.experiments.delete_tag(tx, wanted, key):
                raise NotFound(f"No tag with name: {key} in experiment with id {identity}")
            store.experiments.change(tx, wanted)
            change = {"change": "deleted"}
            self._ledger.record(tx, principal, "experiment.tagged", {"experiment": wanted}, change, {"key": key})

        await self._db.write(work)

    def _free_name(self, tx: Tx, principal: Principal, name: str, hint: str = "") -> None:
        if store.experiments.named(tx, principal.workspace, name) is not None:
            raise AlreadyExists(f"Experiment(name={name}) already exists.", hint=hint)

    def _experiment(self, tx: Tx, principal: Principal, identity: str) -> Experiment:
        found = store.experiments.get(tx, principal.workspace, identity)
        if found is None or not self._reads(principal, identity):
            raise NotFound(f"No Experiment with id={identity} exists")
        return found

    def _own(self, tx: Tx, principal: Principal, identity: str) -> Experiment:
        """The experiment that is to be changed."""
        found = self._experiment(tx, principal, identity)
        self._require_track(principal, identity, f"experiment {found.name}")
        return found
