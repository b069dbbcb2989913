"""Use cases of evaluation data sets: examples with what is expected, shared by experiments."""

from collections.abc import Sequence
from typing import Any

from modelkeel.core.access import Kind, Object, Permission, Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.ids import uuid7
from modelkeel.storage.transaction import Tx
from modelkeel.traces import store
from modelkeel.traces.base import Base
from modelkeel.traces.evaluation_models import (
    EVALUATION_DATASETS,
    USER_TAG,
    EvaluationDataset,
    EvaluationRecord,
    check_name,
    input_key,
    merged,
    new_content,
    schema_with,
)
from modelkeel.tracking.search import page_offset, page_token, parse_filter, parse_order

MOST = 50_000
_WHAT = "evaluation datasets"


class Evaluating(Base):
    """What writes and reads evaluation data sets; each change is recorded.

    One that belongs to experiments is seen by whoever may read one of them, and changed by whoever may track in all.
    """

    async def create_evaluation_dataset(
        self, principal: Principal, name: str, tags: dict[str, str], experiments: Sequence[str]
    ) -> EvaluationDataset:
        """Makes a data set without records.

        Raises:
            InvalidInput: the name is empty or too long.
            NotFound: no such experiment.
        """
        check_name(name)
        wanted = await self._experiments(principal, experiments)
        self._may_change(principal, wanted)
        identity = f"d-{uuid7().replace('-', '')}"

        def work(tx: Tx) -> EvaluationDataset:
            store.evaluation.add(tx, identity, principal.workspace, name, tags.get(USER_TAG))
            store.evaluation.set_tags(tx, identity, tags)
            store.evaluation.join(tx, identity, wanted)
            self._note(tx, principal, "created", identity, {"experiments": wanted}, {"name": name, **_named(tags)})
            return self._seen(tx, principal, identity)

        return await self._db.write(work)

    async def evaluation_dataset(self, principal: Principal, identity: str) -> EvaluationDataset:
        """One data set, without its records.

        Raises:
            NotFound: no such data set, or not the principal's to see.
        """
        self._may_read(principal)
        return await self._db.read(lambda tx: self._seen(tx, principal, identity))

    async def search_evaluation_datasets(
        self,
        principal: Principal,
        experiments: Sequence[str],
        *,
        text: str | None = None,
        order_by: Sequence[str] = (),
        limit: int = 1000,
        token: str | None = None,
    ) -> tuple[list[EvaluationDataset], str | None]:
        """One page of the data sets that meet a filter, newest first unless ordered otherwise.

        Raises:
            InvalidInput: the filter, order, limit or token is wrong.
        """
        self._may_read(principal)
        if not 1 <= limit <= MOST:
            raise InvalidInput(f"max_results must be between 1 and {MOST}, got {limit}.")
        conditions = parse_filter(text, EVALUATION_DATASETS)
        orders, offset = parse_order(list(order_by), EVALUATION_DATASETS), page_offset(token)
        wanted = [await self._experiment_id(principal, identity) for identity in dict.fromkeys(experiments)]
        visible = self._authorizer.visible(principal, Kind.EXPERIMENT)
        found = await self._db.read(
            lambda tx: store.evaluation.search(
                tx,
                principal.workspace,
                wanted,
                conditions,
                orders,
                limit=limit + 1,
                offset=offset,
                visible=visible,
            )
        )
        return found[:limit], page_token(offset + limit) if len(found) > limit else None

    async def tag_evaluation_dataset(self, principal: Principal, identity: str, tags: dict[str, str | None]) -> None:
        """Sets tags; one without a value stays as it is.

        Raises:
            NotFound: no such data set.
        """
        self._may_read(principal)
        given = {key: value for key, value in tags.items() if value is not None}

        def work(tx: Tx) -> None:
            old = self._changeable(tx, principal, identity).tags
            new = {key: value for key, value in given.items() if old.get(key) != value}
            if new:
                store.evaluation.set_tags(tx, identity, new)
                self._note(tx, principal, "tagged", identity, {}, _named(new))

        await self._db.write(work)

    async def delete_evaluation_dataset_tag(self, principal: Principal, identity: str, key: str) -> None:
        """Removes a tag, if it is there.

        Raises:
            NotFound: no such data set.
        """
        self._may_read(principal)

        def work(tx: Tx) -> None:
            self._changeable(tx, principal, identity)
            if store.evaluation.delete_tag(tx, identity, key):
                self._note(tx, principal, "tagged", identity, {"removed": True}, {"key": key})

        await self._db.write(work)

    async def delete_evaluation_dataset(self, principal: Principal, identity: str) -> None:
        """Removes a data set with its records; one that is not there is gone already."""
        self._may_read(principal)

        def work(tx: Tx) -> None:
            found = store.evaluation.find(tx, principal.workspace, identity)
            if found is None or not self._sees(principal, found):
                return
            self._may_change(principal, found.experiments)
            store.evaluation.delete(tx, identity)
            data = {"records": found.records, "digest": found.digest}
            self._note(tx, principal, "deleted", identity, data, {"name": found.name})

        await self._db.write(work)

    async def place_evaluation_dataset(
        self, principal: Principal, identity: str, experiments: Sequence[str], *, belongs: bool
    ) -> EvaluationDataset:
        """Makes a data set belong to experiments, or belong to them no more.

        Raises:
            NotFound: no such data set or experiment.
        """
        wanted = await self._experiments(principal, experiments) if belongs else list(dict.fromkeys(experiments))
        self._may_read(principal)

        def work(tx: Tx) -> EvaluationDataset:
            found = self._changeable(tx, principal, identity)
            if belongs:
                self._may_change(principal, wanted)
            new = [e for e in wanted if (e in found.experiments) is not belongs]
            if new:
                (store.evaluation.join if belongs else store.evaluation.leave)(tx, identity, new)
                self._note(tx, principal, "placed", identity, {"experiments": new, "belongs": belongs}, {})
            return store.evaluation.find(tx, principal.workspace, identity) or found

        return await self._db.write(work)

    async def put_evaluation_records(
        self, principal: Principal, identity: str, given: list[dict[str, Any]]
    ) -> tuple[int, int]:
        """Adds records, or adds to those with the same inputs; returns how many were added and how many changed.

        Raises:
            NotFound: no such data set.
        """
        self._may_read(principal)
        keys = [input_key(record["inputs"]) for record in given]

        def work(tx: Tx) -> tuple[int, int]:
            found = self._changeable(tx, principal, identity)
            there = store.evaluation.records_with(tx, identity, list(dict.fromkeys(keys)))
            added, user = 0, None
            for key, record in zip(keys, given, strict=True):
                user = (record.get("tags") or {}).get(USER_TAG, user)
                old = there.get(key)
                if old is None:
                    added += 1
                    fresh = f"dr-{uuid7().replace('-', '')}"
                    there[key] = EvaluationRecord(fresh, tx.now, tx.now, new_content(record))
                else:
                    there[key] = EvaluationRecord(old.id, old.created, tx.now, merged(old.content, record))
            if given:
                store.evaluation.put_records(tx, identity, list(there.values()))
                digest = store.evaluation.changed(
                    tx, identity, schema=schema_with(found.schema, given), user=user or found.updated_by
                )
                counts = {"added": added, "changed": len(given) - added, "digest": digest}
                self._note(tx, principal, "changed", identity, counts, {})
            return added, len(given) - added

        return await self._db.write(work)

    async def evaluation_records(
        self, principal: Principal, identity: str, *, limit: int, token: str | None
    ) -> tuple[list[EvaluationRecord], str | None]:
        """One page of a data set's records, in the order in which they came.

        Raises:
            NotFound: no such data set.
            InvalidInput: the limit or token is wrong.
        """
        self._may_read(principal)
        if not 1 <= limit <= MOST:
            raise InvalidInput(f"max_results must be between 1 and {MOST}, got {limit}.")
        after = page_offset(token)

        def work(tx: Tx) -> list[tuple[int, EvaluationRecord]]:
            self._seen(tx, principal, identity)
            return store.evaluation.page(tx, identity, after=after, limit=limit + 1)

        found = await self._db.read(work)
        more = page_token(found[limit - 1][0]) if len(found) > limit else None
        return [record for _, record in found[:limit]], more

    async def delete_evaluation_records(self, principal: Principal, identity: str, ids: Sequence[str]) -> int:
        """Removes records; returns how many there were.

        Raises:
            NotFound: no such data set.
        """
        self._may_read(principal)

        def work(tx: Tx) -> int:
            found = self._changeable(tx, principal, identity)
            count = store.evaluation.delete_records(tx, identity, list(dict.fromkeys(ids)))
            if count:
                digest = store.evaluation.changed(tx, identity, schema=None, user=found.updated_by)
                self._note(tx, principal, "changed", identity, {"removed": count, "digest": digest}, {})
            return count

        return await self._db.write(work)

    async def _experiment_id(self, principal: Principal, identity: str) -> str:
        """An experiment's own id; `0` stands for the workspace's default."""
        return (await self._tracking.experiment(principal, "0")).id if identity == "0" else identity

    async def _experiments(self, principal: Principal, identities: Sequence[str]) -> list[str]:
        """Ids of experiments that are there."""
        return [(await self._tracking.experiment(principal, identity)).id for identity in dict.fromkeys(identities)]

    def _sees(self, principal: Principal, found: EvaluationDataset) -> bool:
        if not found.experiments:
            return principal.may(Permission.READ)
        return any(self._reads(principal, experiment) for experiment in found.experiments)

    def _seen(self, tx: Tx, principal: Principal, identity: str) -> EvaluationDataset:
        found = store.evaluation.find(tx, principal.workspace, identity)
        if found is None or not self._sees(principal, found):
            raise NotFound(f"Evaluation dataset with id '{identity}' not found")
        return found

    def _changeable(self, tx: Tx, principal: Principal, identity: str) -> EvaluationDataset:
        found = self._seen(tx, principal, identity)
        self._may_change(principal, found.experiments)
        return found

    def _may_change(self, principal: Principal, experiments: Sequence[str]) -> None:
        if not experiments:
            self._authorizer.require(principal, Permission.TRACK, what=_WHAT)
        for experiment in experiments:
            on = Object(Kind.EXPERIMENT, experiment)
            self._authorizer.require(principal, Permission.TRACK, what=_WHAT, on=on)

    def _note(
        self, tx: Tx, principal: Principal, what: str, identity: str, data: dict[str, Any], texts: dict[str, str]
    ) -> None:
        subject = {"evaluation_dataset": identity}
        self._ledger.record(tx, principal, f"evaluation_dataset.{what}", subject, data, texts)


def _named(tags: dict[str, str]) -> dict[str, str]:
    return {f"tags.{key}": value for key, value in tags.items()}
