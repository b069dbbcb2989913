"""What every part of the registry works with, and the one way in which an alias changes its meaning."""

from collections.abc import Sequence

from modelkeel.core.access import Authorizer, Permission, Principal
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
        self._authorizer.require(principal, Permission.READ, what="registered models")

    def _may_register(self, principal: Principal) -> None:
        self._authorizer.require(principal, Permission.REGISTER, what="registered models")

    async def model(self, principal: Principal, name: str) -> RegisteredModel:
        """The model of that name.

        Raises:
            NotFound: there is none in the workspace.
        """
        self._may_read(principal)
        return await self._db.read(lambda tx: self._model(tx, principal, name))

    def _model(self, tx: Tx, principal: Principal, name: str) -> RegisteredModel:
        found = store.model_named(tx, principal.workspace, name)
        if found is None:
            raise NotFound(f"Registered Model with name={name} not found")
        return found

    def _version(self, tx: Tx, principal: Principal, name: str, number: int) -> ModelVersion:
        found = store.versions(tx, principal.workspace, self._model(tx, principal, name).id, number)
        if not found:
            raise NotFound(f"Model Version (name={name}, version={number}) not found")
        return found[0]

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
