"""Use cases of logged models."""

import secrets
from collections.abc import Sequence

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import rules, store
from modelkeel.tracking.base import Base
from modelkeel.tracking.models import ArtifactOwner, Lifecycle, LoggedModel, ModelStatus, require_active, tree_of
from modelkeel.tracking.names import random_name
from modelkeel.tracking.search import LOGGED_MODELS, Order, check_clauses, page_offset, page_token, parse_filter


class LoggedModels(Base):
    """A logged model's life."""

    async def create_logged_model(
        self,
        principal: Principal,
        experiment_id: str,
        *,
        name: str | None = None,
        model_type: str = "",
        source_run: str = "",
        params: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> LoggedModel:
        """A new, pending logged model, to which files are uploaded before it is finalized."""
        self._may_track(principal, "logged models")
        called = random_name() if name is None else name
        rules.check_model_name(called)
        rules.check_lengths(params or {}, rules.PARAM_LENGTH)  # stock servers look at no more here
        rules.check_lengths(tags or {}, rules.TAG_LENGTH)
        wanted = await self._experiment_id(principal, experiment_id)

        def work(tx: Tx) -> LoggedModel:
            lifecycle = store.experiments.lifecycle_of(tx, principal.workspace, wanted)
            if lifecycle is None or not self._reads(principal, wanted):
                raise NotFound(f"No Experiment with id={experiment_id} exists")
            self._require_track(principal, wanted, "logged models")
            require_active(lifecycle, "experiment", wanted)
            if source_run:
                self._writable_run(tx, principal, source_run)
            identity = f"m-{secrets.token_hex(16)}"
            row = {
                "id": identity,
                "workspace": principal.workspace,
                "experiment": wanted,
                "name": called,
                "type": model_type,
                "source_run": source_run,
                "status": ModelStatus.PENDING,
            }
            store.logged_models.add(tx, row)
            store.logged_models.add_params(tx, identity, params or {})
            store.logged_models.set_tags(tx, identity, tags or {})
            subject = {"logged_model": identity, "experiment": wanted} | ({"run": source_run} if source_run else {})
            self._ledger.record(tx, principal, "logged_model.created", subject, texts={"name": called})
            return self._logged(tx, principal, identity)

        return await self._db.write(work)

    async def logged_model(self, principal: Principal, identity: str, *, deleted: bool = False) -> LoggedModel:
        """A logged model.

        Args:
            principal: who asks.
            identity: its id.
            deleted: whether a deleted one counts.
        """
        self._may_read(principal, "logged models")
        found = await self._db.read(lambda tx: self._logged(tx, principal, identity))
        if found.lifecycle is not Lifecycle.ACTIVE and not deleted:
            raise NotFound(f"Logged model with ID '{identity}' not found.")
        return found

    async def finalize_logged_model(self, principal: Principal, identity: str, status: ModelStatus) -> LoggedModel:
        """Says that the upload is over. A ready model can't change any more; its entry holds its tree's digest."""
        self._may_track(principal, "logged models")
        if status is ModelStatus.PENDING:
            raise InvalidInput(f"Invalid model status: {status}. Expected statuses: READY, UPLOAD_FAILED.")

        def work(tx: Tx) -> LoggedModel:
            before = self._logged_active(tx, principal, identity)
            if before.status is status:
                return before
            if before.status is ModelStatus.READY:
                raise InvalidInput(f"Logged model {identity} is ready; its status can't change any more.")
            store.logged_models.change(tx, identity, status=status)
            data: dict[str, str | int] = {"status": status}
            if status is ModelStatus.READY:
                tree = tree_of(store.artifacts.under(tx, ArtifactOwner.model(identity), ""))
                data |= {"tree": tree.digest, "files": len(tree.files)}
            self._ledger.record(tx, principal, "logged_model.finalized", {"logged_model": identity}, data)
            return self._logged(tx, principal, identity)

        return await self._db.write(work)

    async def delete_logged_model(self, principal: Principal, identity: str) -> None:
        """Hides a logged model; its files stay for the versions registered from it."""
        self._may_track(principal, "logged models")

        def work(tx: Tx) -> None:
            self._logged_active(tx, principal, identity)
            store.logged_models.change(tx, identity, lifecycle=Lifecycle.DELETED)
            self._ledger.record(tx, principal, "logged_model.deleted", {"logged_model": identity})

        await self._db.write(work)

    async def tag_logged_model(self, principal: Principal, identity: str, tags: dict[str, str]) -> None:
        """Sets tags."""
        self._may_track(principal, "logged models")
        rules.check_lengths(tags, rules.TAG_LENGTH)  # stock servers look at no more here
        await self._db.write(lambda tx: self.set_model_tags(tx, principal, identity, tags))

    def set_model_tags(self, tx: Tx, principal: Principal, identity: str, tags: dict[str, str]) -> None:
        """Sets tags in the caller's transaction."""
        before = self._logged_active(tx, principal, identity)
        fresh = {key: value for key, value in tags.items() if before.tags.get(key) != value}
        if fresh:
            store.logged_models.set_tags(tx, identity, fresh)
            store.logged_models.change(tx, identity)
            texts = {"tags": msgspec.json.encode(fresh).decode()}
            self._ledger.record(
                tx, principal, "logged_model.tagged", {"logged_model": identity}, {"change": "set"}, texts
            )

    async def untag_logged_model(self, principal: Principal, identity: str, key: str) -> None:
        """Removes a tag."""
        self._may_track(principal, "logged models")

        def work(tx: Tx) -> None:
            self._logged_active(tx, principal, identity)
            if not store.logged_models.delete_tag(tx, identity, key):
                raise NotFound(f"No tag with key {key!r} found for model with ID {identity!r}.")
            store.logged_models.change(tx, identity)
            self._ledger.record(
                tx, principal, "logged_model.tagged", {"logged_model": identity}, {"change": "deleted"}, {"key": key}
            )

        await self._db.write(work)

    async def log_model_params(self, principal: Principal, identity: str, params: dict[str, str]) -> None:
        """Adds params; each is written once."""
        self._may_track(principal, "logged models")
        for key, value in params.items():
            rules.check_param(key, value)

        def work(tx: Tx) -> None:
            before = self._logged_active(tx, principal, identity)
            changed = [key for key, value in params.items() if before.params.get(key, value) != value]
            if changed:
                raise InvalidInput(f"Changing param values is not allowed. Model {identity} already has {changed}.")
            fresh = {key: value for key, value in params.items() if key not in before.params}
            if fresh:
                store.logged_models.add_params(tx, identity, fresh)
                texts = {"params": msgspec.json.encode(fresh).decode()}
                self._ledger.record(tx, principal, "logged_model.updated", {"logged_model": identity}, {}, texts)

        await self._db.write(work)

    async def search_logged_models(
        self,
        principal: Principal,
        experiment_ids: Sequence[str],
        *,
        filter: str = "",  # noqa: A002 - MLflow's word
        orders: Sequence[Order] = (),
        datasets: Sequence[tuple[str, str]] = (),
        limit: int = 100,
        token: str | None = None,
    ) -> tuple[list[LoggedModel], str | None]:
        """A page of active logged models and the next page's token; `datasets`: names and digests, or empty ones."""
        self._may_read(principal, "logged models")
        check_clauses(len(orders))
        check_clauses(len(datasets))
        conditions, offset = parse_filter(filter, LOGGED_MODELS), page_offset(token)
        seen = self._seen(principal)
        wanted = [at for at in [await self._experiment_id(principal, one) for one in experiment_ids] if at in seen]

        def work(tx: Tx) -> tuple[list[LoggedModel], str | None]:
            rows = store.search.logged_models(
                tx, principal.workspace, wanted, conditions, orders, datasets, limit=limit + 1, offset=offset
            )
            more = page_token(offset + limit) if len(rows) > limit else None
            return store.logged_models.load(tx, rows[:limit]), more

        return await self._db.read(work)

    def _logged(self, tx: Tx, principal: Principal, identity: str) -> LoggedModel:
        found = store.logged_models.get(tx, principal.workspace, identity)
        if found is None or not self._reads(principal, found.experiment_id):
            raise NotFound(f"Logged model with ID '{identity}' not found.")
        return found

    def _logged_active(self, tx: Tx, principal: Principal, identity: str) -> LoggedModel:
        """The logged model that is to be changed."""
        found = self._logged(tx, principal, identity)
        self._require_track(principal, found.experiment_id, f"logged model {identity}")
        if found.lifecycle is not Lifecycle.ACTIVE:
            raise NotFound(f"Logged model with ID '{identity}' not found.")
        return found
