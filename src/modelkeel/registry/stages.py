"""Use cases of stages: MLflow's older way to say which versions are in use, several of them at once in each stage."""

from modelkeel.core.access import Principal
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, Refused
from modelkeel.registry import store
from modelkeel.registry.aliases import Aliases
from modelkeel.registry.models import ModelVersion, RegisteredModel, Stage, parse_stage
from modelkeel.storage.transaction import Tx

_ACTIVE = (Stage.STAGING, Stage.PRODUCTION)


class Stages(Aliases):
    """Move versions between stages, and find the newest version of each."""

    async def transition(
        self, principal: Principal, name: str, version: int, stage: str, *, archive: bool = False
    ) -> ModelVersion:
        """Puts a version into a stage; where it is there already and nothing is to be archived, nothing happens.

        Where a gate policy protects an alias named after the stage, the stage means what the alias means: entering it
        moves the alias too, by the same gates, and the version that holds the alias can't leave the stage.

        Args:
            principal: who asks.
            name: of the model.
            version: its number.
            stage: in any case.
            archive: whether the stage's other versions go to `Archived`; only for `Staging` and `Production`.

        Raises:
            InvalidInput: no such stage, or one that archives nothing.
            Refused: the stage is protected and the version does not qualify, or would leave it.
            Conflict: the alias or the policy changed meanwhile.
        """
        self._may_register(principal)
        target = parse_stage(stage)
        if archive and target not in _ACTIVE:
            raise InvalidInput(
                "Model version transition cannot archive existing model versions because "
                f"'{stage}' is not an Active stage. Valid stages are {[str(one) for one in _ACTIVE]}"
            )

        def look(tx: Tx) -> tuple[RegisteredModel, ModelVersion, str | None]:
            model = self._model(tx, principal, name)
            return model, self._version(tx, principal, name, version), self._protected(tx, principal, name, target)

        seen, found, alias = await self._db.read(look)
        if found.stage != target and alias is not None and seen.aliases.get(alias) != version:
            await self.set_alias(principal, name, alias, version)

        def work(tx: Tx) -> ModelVersion:
            model, now = self._own(tx, principal, name), self._version(tx, principal, name, version)
            changes = [(now, target)] if now.stage != target else []
            if archive:
                every = store.versions(tx, principal.workspace, model.id)
                others = (one for one in every if one.stage == target and one.version != version)
                changes += [(one, Stage.ARCHIVED) for one in others]
            for one, goes in changes:
                self._judge_stage(tx, principal, model, one, goes)
                store.change_version(tx, model.id, one.version, stage=goes)
                data = {"version": one.version, "stage": str(goes), "previous": str(one.stage)}
                subject = {"model": model.id, "version": one.subject}
                self._ledger.record(tx, principal, "version.staged", subject, data, {"name": name})
            if changes:
                store.change_model(tx, model.id)
            return self._version(tx, principal, name, version)

        return await self._db.write(work)

    async def latest_by_stage(
        self, principal: Principal, names: list[str], stages: list[str] | None = None
    ) -> dict[str, list[ModelVersion]]:
        """Of each model the highest version of each stage.

        Raises:
            InvalidInput: no such stage.
            NotFound: no such model.
        """
        self._may_read(principal)
        wanted = {parse_stage(stage) for stage in stages or Stage}

        def work(tx: Tx) -> dict[str, list[ModelVersion]]:
            found = {}
            for name in names:
                newest: dict[Stage, ModelVersion] = {}
                for one in reversed(store.versions(tx, principal.workspace, self._model(tx, principal, name).id)):
                    newest[one.stage] = self._veiled(principal, one)
                found[name] = [one for stage, one in newest.items() if stage in wanted]
            return found

        return await self._db.read(work)

    async def in_stage(self, principal: Principal, name: str, stage: str) -> ModelVersion:
        """The highest version in a stage.

        Raises:
            NotFound: there is none.
        """
        found = (await self.latest_by_stage(principal, [name], [stage]))[name]
        if not found:
            raise NotFound(f"No versions of model with name '{name}' and stage '{stage}' found")
        return found[0]

    def _judge_stage(
        self, tx: Tx, principal: Principal, model: RegisteredModel, version: ModelVersion, goes: Stage
    ) -> None:
        """In the transaction: a protected stage agrees with its alias before and after."""
        left = self._protected(tx, principal, model.name, version.stage)
        if left is not None and model.aliases.get(left) == version.version:
            raise Refused(
                f"Stage {version.stage} of {model.name} is protected by the gate policy of @{left}.",
                reasons=["It can go to another version that passes the gates, not be taken away."],
                hint=f"Promote another version, or change the policy of {model.name} first.",
            )
        entered = self._protected(tx, principal, model.name, goes)
        if entered is not None and model.aliases.get(entered) != version.version:
            raise Conflict(f"@{entered} of {model.name} was moved or protected meanwhile.", hint="Try again.")

    def _judge_renamed(self, tx: Tx, principal: Principal, model: RegisteredModel, new_name: str) -> None:
        """In the transaction: under its new name, a model's protected stage holds what the alias means, nothing else.

        Raises:
            Refused: another version is in that stage.
        """
        for one in store.versions(tx, principal.workspace, model.id):
            alias = self._protected(tx, principal, new_name, one.stage)
            if alias is not None and model.aliases.get(alias) != one.version:
                raise Refused(
                    f"Stage {one.stage} of {new_name} is protected by the gate policy of @{alias}.",
                    reasons=[f"Version {one.version} is in it without having passed the gates."],
                    hint=f"Take version {one.version} out of the stage first.",
                )

    def _protected(self, tx: Tx, principal: Principal, name: str, stage: Stage) -> str | None:
        if self.promotion is None or stage is Stage.NONE:
            return None
        return self.promotion.protected_alias(tx, principal, name, stage)
