"""Use cases of aliases: which version a name like `champion` means."""

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.registry import store
from modelkeel.registry.base import Base
from modelkeel.registry.models import AliasChange, ModelVersion, RegisteredModel, check_alias
from modelkeel.storage.transaction import Tx


class Aliases(Base):
    """Set, remove and follow aliases."""

    async def set_alias(self, principal: Principal, name: str, alias: str, version: int) -> None:
        """Points an alias at a version; where it points there already, nothing happens.

        Raises:
            Refused: the alias is protected and the version does not qualify.
            Conflict: the alias, or the evidence for the move, changed meanwhile.
        """
        self._may_register(principal)
        check_alias(alias)

        def look(tx: Tx) -> RegisteredModel:
            self._version(tx, principal, name, version)
            return self._model(tx, principal, name)

        seen = await self._db.read(look)
        current = seen.aliases.get(alias)
        if current == version:
            return
        admitted = await self._admit(principal, [AliasChange(seen.id, name, alias, version, current)])

        def work(tx: Tx) -> None:
            self._version(tx, principal, name, version)
            model = self._own(tx, principal, name)
            self._confirm(tx, principal, model, admitted)
            store.set_alias(tx, model.id, alias, version)
            store.change_model(tx, model.id)
            self._ledger.record(
                tx,
                principal,
                "alias.moved",
                {"model": model.id, "version": f"{model.id}/{version}"},
                {"version": version, "previous": current},
                {"alias": alias, "name": name},
            )

        await self._db.write(work)

    async def delete_alias(self, principal: Principal, name: str, alias: str) -> None:
        """Removes an alias; one that is not there is no error, as in MLflow."""
        self._may_register(principal)
        seen = await self.model(principal, name)
        current = seen.aliases.get(alias)
        if current is None:
            return
        admitted = await self._admit(principal, [AliasChange(seen.id, name, alias, None, current)])

        def work(tx: Tx) -> None:
            model = self._own(tx, principal, name)
            self._confirm(tx, principal, model, admitted)
            self._drop_alias(tx, principal, model, alias)
            store.change_model(tx, model.id)

        await self._db.write(work)

    async def aliases(self, principal: Principal, name: str) -> dict[str, int]:
        """A model's aliases and the versions they mean."""
        return (await self.model(principal, name)).aliases

    async def by_alias(self, principal: Principal, name: str, alias: str) -> ModelVersion:
        """The version that an alias means; `latest` is the highest number."""
        self._may_read(principal)

        def work(tx: Tx) -> ModelVersion:
            model = self._model(tx, principal, name)
            if alias.lower() == "latest":
                every = store.versions(tx, principal.workspace, model.id)
                if not every:
                    raise NotFound(f"Latest version not found for model {name}.")
                return every[0]
            number = model.aliases.get(alias)
            if number is None:
                raise InvalidInput(f"Registered model alias {alias} not found.")
            return self._version(tx, principal, name, number)

        return await self._db.read(work)

    def _drop_alias(self, tx: Tx, principal: Principal, model: RegisteredModel, alias: str) -> None:
        previous = model.aliases[alias]
        store.delete_alias(tx, model.id, alias)
        self._ledger.record(
            tx,
            principal,
            "alias.deleted",
            {"model": model.id, "version": f"{model.id}/{previous}"},
            {"previous": previous},
            {"alias": alias, "name": model.name},
        )
