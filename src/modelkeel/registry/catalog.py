"""Use cases of registered models: create, describe, rename, tag, delete, search."""

from modelkeel.core.access import Permission, Principal
from modelkeel.core.errors import AlreadyExists
from modelkeel.core.ids import uuid7
from modelkeel.registry import search, store
from modelkeel.registry.models import (
    DESCRIPTION_LENGTH,
    AliasChange,
    ModelVersion,
    RegisteredModel,
    check_model_name,
    check_tag,
    told,
)
from modelkeel.registry.stages import Stages
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.rules import check_length, check_name
from modelkeel.tracking.search import page_offset, page_token, parse_filter, parse_order


class Catalog(Stages):
    """The models themselves."""

    async def create_model(
        self, principal: Principal, name: str, tags: dict[str, str] | None = None, description: str = ""
    ) -> RegisteredModel:
        """A new model without versions.

        Raises:
            AlreadyExists: the name is taken.
        """
        self._authorizer.require(principal, Permission.REGISTER, what="registered models")
        check_model_name(name)
        check_length("description", description, DESCRIPTION_LENGTH)
        for key, value in (tags or {}).items():
            check_tag(key, value)

        def work(tx: Tx) -> RegisteredModel:
            self._free_name(tx, principal, name)
            identity = uuid7(tx.now)
            row = {
                "id": identity,
                "workspace": principal.workspace,
                "name": name,
                "description": description,
                "user": principal.name,
                "actor": principal.id,
            }
            store.add_model(tx, row)
            for key, value in (tags or {}).items():
                store.set_model_tag(tx, identity, key, value)
            self._ledger.record(
                tx, principal, "model.created", {"model": identity}, texts=told(name, tags, description)
            )
            return self._model(tx, principal, name)

        return await self._db.write(work)

    async def describe_model(self, principal: Principal, name: str, description: str) -> RegisteredModel:
        """Sets a model's description."""
        self._may_register(principal)
        check_length("description", description, DESCRIPTION_LENGTH)

        def work(tx: Tx) -> RegisteredModel:
            model = self._own(tx, principal, name)
            if model.description != description:
                store.change_model(tx, model.id, description=description)
                texts = {"name": name, "description": description}
                self._ledger.record(tx, principal, "model.updated", {"model": model.id}, {}, texts)
            return self._model(tx, principal, name)

        return await self._db.write(work)

    async def rename_model(self, principal: Principal, name: str, new_name: str) -> RegisteredModel:
        """Gives a model another name; its id, versions and aliases stay.

        Every alias changes its meaning under the old name and under the new one, so the guard is asked about both.
        """
        self._may_register(principal)
        check_model_name(new_name, "new_name")
        seen = await self.model(principal, name)
        if new_name == name:
            return seen
        changes = [AliasChange(seen.id, name, alias, None, at) for alias, at in seen.aliases.items()]
        changes += [AliasChange(seen.id, new_name, alias, at, None) for alias, at in seen.aliases.items()]
        admitted = await self._admit(principal, changes)

        def work(tx: Tx) -> RegisteredModel:
            model = self._own(tx, principal, name)
            self._free_name(tx, principal, new_name)
            self._same_aliases(model, seen)
            self._confirm(tx, principal, model, admitted)
            self._judge_renamed(tx, principal, model, new_name)
            store.change_model(tx, model.id, name=new_name)
            texts = {"name": new_name, "before": name}
            self._ledger.record(tx, principal, "model.updated", {"model": model.id}, {"change": "renamed"}, texts)
            return self._model(tx, principal, new_name)

        return await self._db.write(work)

    async def delete_model(self, principal: Principal, name: str) -> None:
        """Hides a model with its versions and aliases, and frees its name; the guard is asked about every alias."""
        self._may_register(principal)
        seen = await self.model(principal, name)
        changes = [AliasChange(seen.id, name, alias, None, at) for alias, at in seen.aliases.items()]
        admitted = await self._admit(principal, changes)

        def work(tx: Tx) -> None:
            model = self._own(tx, principal, name)
            self._same_aliases(model, seen)
            self._confirm(tx, principal, model, admitted)
            for alias in model.aliases:
                self._drop_alias(tx, principal, model, alias)
            versions = store.versions(tx, principal.workspace, model.id)
            store.change_model(tx, model.id, deleted=tx.now)
            data = {"versions": len(versions)}
            self._ledger.record(tx, principal, "model.deleted", {"model": model.id}, data, {"name": name})

        await self._db.write(work)

    async def tag_model(self, principal: Principal, name: str, key: str, value: str) -> None:
        """Sets a tag."""
        self._may_register(principal)
        check_tag(key, value)

        def work(tx: Tx) -> None:
            model = self._own(tx, principal, name)
            if model.tags.get(key) == value:
                return
            store.set_model_tag(tx, model.id, key, value)
            store.change_model(tx, model.id)
            texts = {"name": name, "key": key, "value": value}
            self._ledger.record(tx, principal, "model.tagged", {"model": model.id}, {"change": "set"}, texts)

        await self._db.write(work)

    async def untag_model(self, principal: Principal, name: str, key: str) -> None:
        """Removes a tag; one that is not there is no error, as in MLflow."""
        self._may_register(principal)
        check_name(key)

        def work(tx: Tx) -> None:
            model = self._own(tx, principal, name)
            if key not in model.tags:
                return
            store.delete_model_tag(tx, model.id, key)
            store.change_model(tx, model.id)
            change = {"change": "deleted"}
            texts = {"name": name, "key": key}
            self._ledger.record(tx, principal, "model.tagged", {"model": model.id}, change, texts)

        await self._db.write(work)

    async def search_models(
        self,
        principal: Principal,
        *,
        filter: str = "",  # noqa: A002 - MLflow's word
        order_by: list[str] | None = None,
        limit: int = 100,
        token: str | None = None,
    ) -> tuple[list[RegisteredModel], str | None]:
        """A page of models and the next page's token; by name unless ordered otherwise."""
        self._may_read(principal)
        conditions, orders = parse_filter(filter, search.MODELS), parse_order(order_by or [], search.MODELS)
        offset = page_offset(token)

        def work(tx: Tx) -> tuple[list[RegisteredModel], str | None]:
            rows = store.search_models(
                tx,
                principal.workspace,
                conditions,
                orders,
                limit=limit + 1,
                offset=offset,
                visible=self._seen(principal),
            )
            more = page_token(offset + limit) if len(rows) > limit else None
            return store.load_models(tx, rows[:limit]), more

        return await self._db.read(work)

    async def latest_versions(self, principal: Principal, names: list[str]) -> dict[str, ModelVersion]:
        """Of each model that has versions, the highest."""
        self._may_read(principal)

        def work(tx: Tx) -> dict[str, ModelVersion]:
            found = {}
            for name in names:
                every = store.versions(tx, principal.workspace, self._model(tx, principal, name).id)
                if every:
                    found[name] = every[0]
            return found

        return await self._db.read(work)

    def _free_name(self, tx: Tx, principal: Principal, name: str) -> None:
        if store.model_named(tx, principal.workspace, name) is not None:
            raise AlreadyExists(f"Registered Model (name={name}) already exists.")
