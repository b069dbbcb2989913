"""Use cases of versions: register, read, describe, tag, delete, search."""

from typing import Any

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.registry import search, store
from modelkeel.registry.models import (
    DESCRIPTION_LENGTH,
    AliasChange,
    ModelVersion,
    Reference,
    RegisteredModel,
    Source,
    check_tag,
    is_stage,
    parse_source,
    told,
    version_number,
)
from modelkeel.registry.prompts import Prompts, is_prompt, require_free, require_model
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import OwnerKind
from modelkeel.tracking.rules import check_length, check_name
from modelkeel.tracking.search import page_offset, page_token, parse_filter, parse_order


class Versions(Prompts):
    """The versions of models."""

    async def create_version(
        self,
        principal: Principal,
        name: str,
        source: str,
        *,
        run_id: str = "",
        logged_model_id: str = "",
        tags: dict[str, str] | None = None,
        description: str = "",
        run_link: str = "",
    ) -> ModelVersion:
        """Registers the next version of a model from files of a run or logged model, which can't change from then on.

        Args:
            principal: who asks.
            name: of the model.
            source: `runs:/RUN/PATH`, `models:/m-…`, `models:/NAME/7`, or an `mlflow-artifacts:` address of ours.
            run_id: the run behind it; must be the source's, if the source is a run.
            logged_model_id: must be the source's, if the source is a logged model.
            tags: free key and value pairs.
            description: free text.
            run_link: free text.

        Raises:
            InvalidInput: the source is not ours, or holds no files.
        """
        self._may_register(principal)
        check_length("description", description, DESCRIPTION_LENGTH)
        for key, value in (tags or {}).items():
            check_tag(key, value)
        if is_prompt(tags or {}):
            return await self._create_prompt(principal, name, source, tags or {}, description)
        found = parse_source(source)
        if isinstance(found, Reference):
            other = await self.resolve(principal, found.text)
            at = Source(other.owner, other.prefix)
            run_id = run_id or other.run_id
        else:
            at = found
        run_id, experiment = await self._lineage(principal, source, at, run_id, logged_model_id)

        def work(tx: Tx) -> ModelVersion:
            model = self._own(tx, principal, name)
            require_model(model)
            tree = self._tracking.freeze(tx, principal, at.owner, at.prefix)
            number = store.next_version(tx, model.id)
            is_model = at.owner.kind is OwnerKind.MODEL
            row: dict[str, Any] = {
                "model": model.id,
                "version": number,
                "workspace": principal.workspace,
                "run": run_id,
                "logged_model": at.owner.id if is_model else "",
                "source": source,
                "owner_kind": at.owner.kind,
                "owner": at.owner.id,
                "prefix": at.prefix,
                "experiment": experiment,
                "digest": tree.digest,
                "size": sum(file.size for file in tree.files),
                "description": description,
                "run_link": run_link,
                "user": principal.name,
                "actor": principal.id,
            }
            store.add_version(tx, row)
            for key, value in (tags or {}).items():
                store.set_version_tag(tx, model.id, number, key, value)
            subject = {"model": model.id, "version": f"{model.id}/{number}"}
            subject |= {"run": run_id} if run_id else {}
            subject |= {"logged_model": at.owner.id} if is_model else {}
            data = {"version": number, "digest": tree.digest, "files": len(tree.files), "size": row["size"]}
            self._ledger.record(
                tx, principal, "version.created", subject, data, told(name, tags, description, source=source)
            )
            return self._version(tx, principal, name, number)

        return await self._db.write(work)

    async def model_version(self, principal: Principal, name: str, version: int) -> ModelVersion:
        """A version with its files.

        Raises:
            NotFound: there is none.
        """
        self._may_read(principal)
        found = await self._db.read(lambda tx: self._version(tx, principal, name, version))
        return await self._with_files(principal, found)

    async def version_info(self, principal: Principal, name: str, version: int) -> ModelVersion:
        """A version without the list of its files."""
        self._may_read(principal)
        return await self._db.read(lambda tx: self._version(tx, principal, name, version))

    async def resolve(self, principal: Principal, reference: str) -> ModelVersion:
        """The version that `name@alias`, `name/7`, `name/latest` or `name/STAGE` means now, with its files.

        Raises:
            InvalidInput: the reference has another form.
            NotFound: no such model, alias or version.
        """
        text = reference.removeprefix("models:/")
        name, at, alias = text.rpartition("@")
        if at and name:
            try:
                found = await self.by_alias(principal, name, alias)
            except InvalidInput as error:
                raise NotFound(error.message, hint=error.hint) from None
            return await self._with_files(principal, found)
        name, slash, number = text.rpartition("/")
        if not (slash and name):
            raise InvalidInput(f"{reference!r} names no version.", hint="Write NAME@ALIAS or NAME/7.")
        if number.lower() == "latest":
            return await self._with_files(principal, await self.by_alias(principal, name, "latest"))
        if not number.isdigit() and is_stage(number):
            return await self._with_files(principal, await self.in_stage(principal, name, number))
        return await self.model_version(principal, name, version_number(number))

    async def list_versions(self, principal: Principal, name: str) -> list[ModelVersion]:
        """A model's versions, newest first, without their files."""
        self._may_read(principal)

        def work(tx: Tx) -> list[ModelVersion]:
            every = store.versions(tx, principal.workspace, self._model(tx, principal, name).id)
            return [self._veiled(principal, one) for one in every]

        return await self._db.read(work)

    async def versions_of_run(self, principal: Principal, run_id: str) -> list[ModelVersion]:
        """The versions that a run is behind."""
        self._may_read(principal)
        return await self._db.read(
            lambda tx: store.versions_of_run(tx, principal.workspace, run_id, self._seen(principal))
        )

    async def describe_version(self, principal: Principal, name: str, version: int, description: str) -> ModelVersion:
        """Sets a version's description."""
        self._may_register(principal)
        check_length("description", description, DESCRIPTION_LENGTH)

        def work(tx: Tx) -> ModelVersion:
            self._own(tx, principal, name)
            found = self._version(tx, principal, name, version)
            if found.description != description:
                store.change_version(tx, found.model_id, version, description=description)
                texts = {"name": name, "description": description}
                self._ledger.record(tx, principal, "version.updated", _subject(found), {}, texts)
            return self._version(tx, principal, name, version)

        return await self._db.write(work)

    async def delete_version(self, principal: Principal, name: str, version: int) -> None:
        """Hides a version and removes the aliases that mean it; the guard is asked about each."""
        self._may_register(principal)

        def look(tx: Tx) -> tuple[RegisteredModel, ModelVersion]:
            return self._own(tx, principal, name), self._version(tx, principal, name, version)

        seen, _ = await self._db.read(look)
        changes = [AliasChange(seen.id, name, a, None, at) for a, at in seen.aliases.items() if at == version]
        admitted = await self._admit(principal, changes)

        def work(tx: Tx) -> None:
            model, found = look(tx)
            self._same_aliases(model, seen)
            self._confirm(tx, principal, model, admitted)
            for change in changes:
                self._drop_alias(tx, principal, model, change.alias)
            store.change_version(tx, model.id, version, deleted=tx.now)
            store.change_model(tx, model.id)
            data, texts = {"version": version}, {"name": name}
            self._ledger.record(tx, principal, "version.deleted", _subject(found), data, texts)

        await self._db.write(work)

    async def tag_version(self, principal: Principal, name: str, version: int, key: str, value: str) -> None:
        """Sets a tag."""
        self._may_register(principal)
        check_tag(key, value)

        def work(tx: Tx) -> None:
            self._own(tx, principal, name)
            found = self._version(tx, principal, name, version)
            if found.tags.get(key) == value:
                return
            require_free(found, key)
            store.set_version_tag(tx, found.model_id, version, key, value)
            store.change_version(tx, found.model_id, version)
            texts = {"name": name, "key": key, "value": value}
            self._ledger.record(tx, principal, "version.tagged", _subject(found), {"change": "set"}, texts)

        await self._db.write(work)

    async def untag_version(self, principal: Principal, name: str, version: int, key: str) -> None:
        """Removes a tag; one that is not there is no error, as in MLflow."""
        self._may_register(principal)
        check_name(key)

        def work(tx: Tx) -> None:
            self._own(tx, principal, name)
            found = self._version(tx, principal, name, version)
            if key not in found.tags:
                return
            require_free(found, key)
            store.delete_version_tag(tx, found.model_id, version, key)
            store.change_version(tx, found.model_id, version)
            change = {"change": "deleted"}
            texts = {"name": name, "key": key}
            self._ledger.record(tx, principal, "version.tagged", _subject(found), change, texts)

        await self._db.write(work)

    async def search_versions(
        self,
        principal: Principal,
        *,
        filter: str = "",  # noqa: A002 - MLflow's word
        order_by: list[str] | None = None,
        limit: int = 10_000,
        token: str | None = None,
    ) -> tuple[list[ModelVersion], str | None]:
        """A page of versions and the next page's token; last changed first unless ordered otherwise."""
        self._may_read(principal)
        conditions, orders = parse_filter(filter, search.VERSIONS), parse_order(order_by or [], search.VERSIONS)
        offset = page_offset(token)

        def work(tx: Tx) -> tuple[list[ModelVersion], str | None]:
            rows = store.search_versions(
                tx,
                principal.workspace,
                conditions,
                orders,
                limit=limit + 1,
                offset=offset,
                visible=self._seen(principal),
            )
            more = page_token(offset + limit) if len(rows) > limit else None
            return [self._veiled(principal, one) for one in store.load_versions(tx, rows[:limit])], more

        return await self._db.read(work)

    async def _lineage(
        self, principal: Principal, source: str, at: Source, run_id: str, logged_model_id: str
    ) -> tuple[str, str]:
        """The run behind a source and the experiment it belongs to, after checking what the client claims."""
        if at.owner.kind is OwnerKind.RUN:
            if logged_model_id or (run_id and run_id != at.owner.id):
                raise _mismatch(source, "model_id" if logged_model_id else "run_id")
            run = await self._tracking.get_run(principal, at.owner.id)
            return run.id, run.experiment_id
        if logged_model_id and logged_model_id != at.owner.id:
            raise _mismatch(source, "model_id")
        model = await self._tracking.logged_model(principal, at.owner.id)
        if run_id and run_id != model.source_run:
            await self._tracking.get_run(principal, run_id)
        return run_id or model.source_run, model.experiment_id

    async def _with_files(self, principal: Principal, version: ModelVersion) -> ModelVersion:
        if not version.owner.id or not self._source_seen(principal, version):
            return version
        tree = await self._tracking.tree(principal, version.owner, version.prefix)
        return msgspec.structs.replace(version, files=tree.files)


def _subject(version: ModelVersion) -> dict[str, str]:
    return {"model": version.model_id, "version": version.subject}


def _mismatch(source: str, claim: str) -> InvalidInput:
    return InvalidInput(
        f"Invalid model version source: '{source}'. The {claim} request parameter must identify the resource that "
        "contains the source."
    )
