"""What every part of the registry works with, and the one way in which an alias changes its meaning."""

from collections.abc import Sequence

import msgspec

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal, Visible
from modelkeel.core.errors import Conflict, NotFound
from modelkeel.ledger.service import Ledger
from modelkeel.registry import store
from modelkeel.registry.models import AliasChange, ModelVersion, PromotionCheck, RegisteredModel
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.service import Tracking

Admitted = list[tuple[AliasChange, str | None]]


class Base:
    """The shared ground of the parts of `Registry`.

    Args:
        database: where rows and entries commit together.
        ledger: where state changes are recorded.
        tracking: whose trees the versions freeze.
        authorizer: decides who may do what.
        promotion: guards protected aliases; None: none is protected.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        tracking: Tracking,
        authorizer: Authorizer,
        promotion: PromotionCheck | None = None,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._tracking = tracking
        self._authorizer = authorizer
        self.promotion = promotion

    def _may_read(self, principal: Principal) -> None:
        self._authorizer.require(principal, Permission.READ, what="registered models", on=Kind.MODEL)

    def _may_register(self, principal: Principal) -> None:
        self._authorizer.require(principal, Permission.REGISTER, what="registered models", on=Kind.MODEL)

    def _seen(self, principal: Principal) -> Visible:
        return self._authorizer.visible(principal, Kind.MODEL)

    def _require_register(self, principal: Principal, model: str, name: str) -> None:
        """Changing one model, its versions or aliases."""
        what = f"registered model {name}"
        self._authorizer.require(principal, Permission.REGISTER, what=what, on=Object(Kind.MODEL, model))

    async def model(self, principal: Principal, name: str) -> RegisteredModel:
        """The model of that name.

        Raises:
            NotFound: there is none in the workspace.
        """
        self._may_read(principal)
        return await self._db.read(lambda tx: self._model(tx, principal, name))

    def _model(self, tx: Tx, principal: Principal, name: str) -> RegisteredModel:
        found = store.model_named(tx, principal.workspace, name)
        if found is None or not principal.may(Permission.READ, Object(Kind.MODEL, found.id)):
            raise NotFound(f"Registered Model with name={name} not found")
        return found

    def _own(self, tx: Tx, principal: Principal, name: str) -> RegisteredModel:
        """The model that is to be changed."""
        found = self._model(tx, principal, name)
        self._require_register(principal, found.id, name)
        return found

    def _version(self, tx: Tx, principal: Principal, name: str, number: int) -> ModelVersion:
        found = store.versions(tx, principal.workspace, self._model(tx, principal, name).id, number)
        if not found:
            raise NotFound(f"Model Version (name={name}, version={number}) not found")
        return self._veiled(principal, found[0])

    def _source_seen(self, principal: Principal, version: ModelVersion) -> bool:
        """Whether the principal may read the experiment that a version comes from."""
        return principal.may(Permission.READ, Object(Kind.EXPERIMENT, version.experiment_id))

    def _veiled(self, principal: Principal, version: ModelVersion) -> ModelVersion:
        """The version, without what names its run where the principal may not read that run's experiment."""
        if self._source_seen(principal, version):
            return version
        return msgspec.structs.replace(version, run_id="", logged_model_id="", source="", run_link="")

    async def _admit(self, principal: Principal, changes: Sequence[AliasChange]) -> Admitted:
        """Asks the guard about each change, outside any transaction."""
        if self.promotion is None:
            return [(change, None) for change in changes]
        return [(change, await self.promotion.admit(principal, change)) for change in changes]

    def _same_aliases(self, model: RegisteredModel, seen: RegisteredModel) -> None:
        """A change of all of a model's aliases must have been judged for just these."""
        if (model.id, model.aliases) != (seen.id, seen.aliases):
            raise Conflict(f"The aliases of {seen.name} changed meanwhile.", hint="Look again, then retry.")

    def _confirm(self, tx: Tx, principal: Principal, model: RegisteredModel, admitted: Admitted) -> None:
        """In the transaction: are the aliases still where they were when the guard judged, and is its evidence?"""
        for change, ticket in admitted:
            if change.name == model.name and model.aliases.get(change.alias) != change.current:
                raise Conflict(
                    f"The alias {change.alias} of {change.name} was moved meanwhile.", hint="Look again, then retry."
                )
            if ticket is not None and self.promotion is not None:
                self.promotion.confirm(tx, principal, change, ticket)
