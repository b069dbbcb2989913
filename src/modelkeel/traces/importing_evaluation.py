"""Use cases of moving evaluation data sets in and out, in the caller's transaction; only `moving` calls these."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.ids import uuid7
from modelkeel.storage.transaction import Tx
from modelkeel.traces import store
from modelkeel.traces.evaluating import Evaluating
from modelkeel.traces.evaluation_models import (
    EvaluationDataset,
    EvaluationRecord,
    check_name,
    schema_with,
)
from modelkeel.tracking.rules import check_tag

_LONGEST_ID = 100


class ImportingEvaluation(Evaluating):
    """Places evaluation data sets that come from elsewhere, and gives whole ones."""

    def free_dataset_id(self, tx: Tx, principal: Principal, wanted: str) -> str:
        """The id that a data set from elsewhere gets: its own, unless another workspace has it."""
        if store.moving.workspace_of_dataset(tx, wanted) in {None, principal.workspace}:
            return wanted
        return f"d-{uuid7().replace('-', '')}"

    def held_dataset(self, tx: Tx, principal: Principal, identity: str) -> EvaluationDataset | None:
        """A data set that is here already."""
        found = store.evaluation.find(tx, principal.workspace, identity)
        if found is not None:
            self._may_change(principal, found.experiments)
        return found

    def add_dataset(self, tx: Tx, principal: Principal, given: EvaluationDataset, by: str) -> None:
        """Makes a data set without records, with the id, users and times that it has.

        Raises:
            InvalidInput: its id, name or a tag is too long.
        """
        if not 0 < len(given.id) <= _LONGEST_ID:
            raise InvalidInput(f"A data set's id has 1 to {_LONGEST_ID} characters.")
        check_name(given.name)
        self._check(given.tags)
        self._may_change(principal, given.experiments)
        store.evaluation.add(tx, given.id, principal.workspace, given.name, given.created_by)
        times = {"created": given.created or tx.now, "updated": given.updated or tx.now}
        more = {"schema": given.schema, "updated_by": given.updated_by}
        store.moving.set_dataset(tx, given.id, {**times, **more})
        store.evaluation.set_tags(tx, given.id, given.tags)
        store.evaluation.join(tx, given.id, given.experiments)
        data = {"experiments": given.experiments, "import": by}
        texts = {"name": given.name, **{f"tags.{key}": value for key, value in given.tags.items()}}
        self._note(tx, principal, "created", given.id, data, texts)

    def change_dataset(
        self, tx: Tx, principal: Principal, identity: str, changes: Mapping[str, str | None], by: str
    ) -> None:
        """Changes a data set's `name`, tags (`tag:KEY`) and experiments (`experiment:ID`); None takes one away."""
        tags = {key.removeprefix("tag:"): value for key, value in changes.items() if key.startswith("tag:")}
        given = {key: value for key, value in tags.items() if value is not None}
        self._check(given)
        store.evaluation.set_tags(tx, identity, given)
        for key in tags.keys() - given.keys():
            store.evaluation.delete_tag(tx, identity, key)
        places = {
            key.removeprefix("experiment:"): value is not None
            for key, value in changes.items()
            if key.startswith("experiment:")
        }
        joined = [experiment for experiment, belongs in places.items() if belongs]
        self._may_change(principal, joined)
        store.evaluation.join(tx, identity, joined)
        store.evaluation.leave(tx, identity, [experiment for experiment, belongs in places.items() if not belongs])
        if name := changes.get("name"):
            check_name(name)
            store.moving.set_dataset(tx, identity, {"name": name})
        self._note(tx, principal, "changed", identity, {"changes": len(changes), "import": by}, {})

    def record_digests(self, tx: Tx, identity: str) -> dict[str, str]:
        """The digest of each record's content, by the SHA-256 of its inputs."""
        return store.moving.record_digests(tx, identity)

    def set_records(
        self, tx: Tx, principal: Principal, identity: str, records: Sequence[EvaluationRecord], by: str
    ) -> None:
        """Stores records with ids, users and times as they are, in place of those with the same inputs."""
        found = self._there(tx, principal, identity)
        store.evaluation.put_records(tx, identity, records)
        schema = schema_with(found.schema, [record.content for record in records])
        digest = store.evaluation.changed(tx, identity, schema=schema, user=found.updated_by)
        data = {"changed": len(records), "digest": digest, "import": by}
        self._note(tx, principal, "changed", identity, data, {})

    def remove_records(self, tx: Tx, principal: Principal, identity: str, keys: Sequence[str], by: str) -> None:
        """Removes records by the SHA-256 of their inputs."""
        found = self._there(tx, principal, identity)
        count = store.moving.delete_by_keys(tx, identity, keys)
        digest = store.evaluation.changed(tx, identity, schema=None, user=found.updated_by)
        self._note(tx, principal, "changed", identity, {"removed": count, "digest": digest, "import": by}, {})

    def dataset_came(self, tx: Tx, identity: str, updated: int) -> None:
        """Gives a data set that came over whole the time of its last change at the source."""
        store.moving.set_dataset(tx, identity, {"updated": updated})

    async def whole_datasets(self, principal: Principal) -> list[tuple[EvaluationDataset, list[str]]]:
        """All data sets that the principal may see, with the keys of their records."""
        self._may_read(principal)

        def work(tx: Tx) -> list[tuple[EvaluationDataset, list[str]]]:
            found = store.evaluation.load(tx, store.moving.datasets(tx, principal.workspace))
            seen = [one for one in found if self._sees(principal, one)]
            return [(one, list(store.moving.record_digests(tx, one.id))) for one in seen]

        return await self._db.read(work)

    async def records_after(
        self, principal: Principal, identity: str, after: int, limit: int
    ) -> tuple[list[EvaluationRecord], int | None]:
        """Some records of a data set in the order in which they came, and where the next page begins."""
        self._may_read(principal)

        def work(tx: Tx) -> tuple[list[EvaluationRecord], int | None]:
            self._seen(tx, principal, identity)
            found = store.evaluation.page(tx, identity, after=after, limit=limit + 1)
            some = found[:limit]
            return [record for _, record in some], some[-1][0] if len(found) > limit else None

        return await self._db.read(work)

    def _there(self, tx: Tx, principal: Principal, identity: str) -> EvaluationDataset:
        found = self.held_dataset(tx, principal, identity)
        if found is None:
            raise NotFound(f"Evaluation dataset with id '{identity}' not found")
        return found

    @staticmethod
    def _check(tags: Mapping[str, Any]) -> None:
        for key, value in tags.items():
            check_tag(key, str(value), "tags")
