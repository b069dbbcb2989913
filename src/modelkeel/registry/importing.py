"""Use cases of moving in: models and versions with numbers, users and times of elsewhere, in the caller's transaction.

Only `moving` calls these, after it has checked that the principal may import. Aliases and stages are not set here but
by the ordinary use cases, which ask the guard.
"""

from collections.abc import Mapping
from typing import Any

from modelkeel.core.access import Permission, Principal
from modelkeel.core.ids import uuid7
from modelkeel.registry import store
from modelkeel.registry.base import Base
from modelkeel.registry.models import DESCRIPTION_LENGTH, ModelVersion, RegisteredModel, check_model_name, check_tag
from modelkeel.registry.store import importing
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import ArtifactOwner, OwnerKind
from modelkeel.tracking.rules import check_length

Fields = Mapping[str, str | None]


class Importing(Base):
    """Place what comes from elsewhere."""

    def held_model(self, tx: Tx, principal: Principal, name: str) -> RegisteredModel | None:
        """The model of that name, if it is here already."""
        found = store.model_named(tx, principal.workspace, name)
        if found is not None:
            self._require_register(principal, found.id, name)
        return found

    def held_version(self, tx: Tx, principal: Principal, name: str, number: int) -> ModelVersion | None:
        """A version that is here already."""
        model = self.held_model(tx, principal, name)
        found = store.versions(tx, principal.workspace, model.id, number) if model is not None else []
        return found[0] if found else None

    def number_taken(self, tx: Tx, model: str, number: int) -> bool:
        """Whether a model ever had a version of that number, also a deleted one."""
        return importing.number_taken(tx, model, number)

    def add_model(
        self, tx: Tx, principal: Principal, name: str, description: str, user: str, times: tuple[int, int], by: str
    ) -> str:
        """Makes a model without versions; returns its id."""
        self._authorizer.require(principal, Permission.REGISTER, what="registered models")
        check_model_name(name)
        check_length("description", description, DESCRIPTION_LENGTH)
        identity = uuid7(tx.now)
        row: dict[str, Any] = {
            "id": identity,
            "workspace": principal.workspace,
            "name": name,
            "description": description,
            "user": user or principal.name,
            "actor": principal.id,
            "created": times[0] or tx.now,
            "updated": times[1] or tx.now,
        }
        store.add_model(tx, row)
        self._ledger.record(tx, principal, "model.created", {"model": identity}, {"import": by}, {"name": name})
        return identity

    def change_imported_model(self, tx: Tx, principal: Principal, name: str, changes: Fields, by: str) -> None:
        """Changes the description and tags (`tag:KEY`) of a model."""
        model = self._own(tx, principal, name)
        if not changes:
            return
        for key, value in changes.items():
            tag = key.removeprefix("tag:")
            if key == "description":
                check_length("description", value or "", DESCRIPTION_LENGTH)
                store.change_model(tx, model.id, description=value or "")
            elif value is None:
                store.delete_model_tag(tx, model.id, tag)
            else:
                check_tag(tag, value)
                store.set_model_tag(tx, model.id, tag, value)
        data = {"import": by, "changes": len(changes)}
        self._ledger.record(tx, principal, "model.updated", {"model": model.id}, data, {"name": name})

    def add_version(self, tx: Tx, principal: Principal, given: Mapping[str, Any], number: int | None, by: str) -> int:
        """Registers a version from files that are here, which can't change from then on; returns its number.

        Args:
            tx: the caller's transaction.
            principal: who imports.
            given: `name`, `owner`, `prefix`, `source`, `run`, `experiment`, `description`, `run_link`, `user`,
                `created`, `updated`.
            number: the number that it must have; None: the next one.
            by: the import's id.
        """
        model = self._own(tx, principal, given["name"])
        owner: ArtifactOwner = given["owner"]
        check_length("description", given["description"], DESCRIPTION_LENGTH)
        tree = self._tracking.freeze(tx, principal, owner, given["prefix"])
        taken = store.next_version(tx, model.id) if number is None else number
        importing.raise_versions(tx, model.id, taken)
        is_model = owner.kind is OwnerKind.MODEL
        row: dict[str, Any] = {
            "model": model.id,
            "version": taken,
            "workspace": principal.workspace,
            "run": given["run"],
            "logged_model": owner.id if is_model else "",
            "source": given["source"],
            "owner_kind": owner.kind,
            "owner": owner.id,
            "prefix": given["prefix"],
            "experiment": given["experiment"],
            "digest": tree.digest,
            "size": sum(file.size for file in tree.files),
            "description": given["description"],
            "run_link": given["run_link"],
            "user": given["user"] or principal.name,
            "actor": principal.id,
            "created": given["created"] or tx.now,
            "updated": given["updated"] or tx.now,
        }
        store.add_version(tx, row)
        subject = {"model": model.id, "version": f"{model.id}/{taken}"}
        subject |= {"run": given["run"]} if given["run"] else {}
        subject |= {"logged_model": owner.id} if is_model else {}
        data = {"version": taken, "digest": tree.digest, "files": len(tree.files), "size": row["size"], "import": by}
        texts = {"name": given["name"], "source": given["source"]}
        self._ledger.record(tx, principal, "version.created", subject, data, texts)
        return taken

    def change_imported_version(
        self, tx: Tx, principal: Principal, name: str, number: int, changes: Fields, by: str
    ) -> None:
        """Changes the description and tags (`tag:KEY`) of a version."""
        self._own(tx, principal, name)
        found = self._version(tx, principal, name, number)
        if not changes:
            return
        for key, value in changes.items():
            tag = key.removeprefix("tag:")
            if key == "description":
                check_length("description", value or "", DESCRIPTION_LENGTH)
                store.change_version(tx, found.model_id, number, description=value or "")
            elif value is None:
                store.delete_version_tag(tx, found.model_id, number, tag)
            else:
                check_tag(tag, value)
                store.set_version_tag(tx, found.model_id, number, tag, value)
        data = {"import": by, "changes": len(changes)}
        subject = {"model": found.model_id, "version": found.subject}
        self._ledger.record(tx, principal, "version.updated", subject, data, {"name": name})

    def tag_new(self, tx: Tx, model: str, number: int | None, tags: Mapping[str, str]) -> None:
        """Gives a model, or its version of that number, the tags that it came with; part of its making."""
        for key, value in tags.items():
            check_tag(key, value)
            if number is None:
                store.set_model_tag(tx, model, key, value)
            else:
                store.set_version_tag(tx, model, number, key, value)

    async def every_model(self, principal: Principal) -> list[tuple[RegisteredModel, list[ModelVersion]]]:
        """The workspace's models that the principal may read, with their versions, oldest first."""
        self._may_read(principal)
        seen = self._seen(principal)

        def work(tx: Tx) -> list[tuple[RegisteredModel, list[ModelVersion]]]:
            models = store.load_models(tx, importing.models_of(tx, principal.workspace))
            return [
                (
                    model,
                    [self._veiled(principal, v) for v in reversed(store.versions(tx, principal.workspace, model.id))],
                )
                for model in models
                if model.id in seen
            ]

        return await self._db.read(work)
