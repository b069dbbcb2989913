"""Gathers what the gates look at, from the registry, the run and the model's files. Writes nothing."""

import asyncio
from typing import Any

from modelkeel.core.access import Principal
from modelkeel.core.errors import NotFound
from modelkeel.core.hashing import digest_of
from modelkeel.governance.models import Candidate, Champion, Dataset
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.pipelines.service import Pipelines
from modelkeel.registry import mlmodel
from modelkeel.registry.models import ModelVersion
from modelkeel.registry.service import Registry
from modelkeel.storage.blobs import BlobStore
from modelkeel.tracking.models import CONTEXT_TAG, Run
from modelkeel.tracking.service import Tracking

MOST_LAUNCHES = 1_000  # a launched run may have a launched run as its source, back to the one that a person started


class Facts:
    """Reads what is known of candidates.

    Args:
        registry: knows versions and aliases.
        tracking: knows runs.
        pipelines: knows the code behind runs.
        identity: knows who is a service.
        ledger: knows who really did something; a client may claim any user name.
        blobs: hold the model's files.
    """

    def __init__(
        self,
        registry: Registry,
        tracking: Tracking,
        pipelines: Pipelines,
        identity: Identity,
        ledger: Ledger,
        blobs: BlobStore,
    ) -> None:
        self._registry = registry
        self._tracking = tracking
        self._pipelines = pipelines
        self._identity = identity
        self._ledger = ledger
        self._blobs = blobs

    async def candidate(self, principal: Principal, name: str, version: int, alias: str) -> Candidate:
        """All that the gates may look at, as it is now.

        Raises:
            NotFound: there is no such version.
        """
        found = await self._registry.model_version(principal, name, version)
        run = await self._run(principal, await self._maker(principal, found))
        schema = await self._schema(found)
        return Candidate(
            model_id=found.model_id,
            model=found.name,
            version=found.version,
            alias=alias,
            digest=found.digest,
            run_id=run.id if run else "",
            metrics={key: metric.value for key, metric in run.metrics.items()} if run else {},
            params=dict(run.params) if run else {},
            datasets=[Dataset(d.name, d.digest, d.tags.get(CONTEXT_TAG, "")) for d in run.inputs] if run else [],
            has_inputs="inputs" in schema,
            has_outputs="outputs" in schema,
            champion=await self.champion(principal, found.name, alias),
        )

    async def champion(self, principal: Principal, name: str, alias: str) -> Champion | None:
        """The version that holds an alias."""
        aliases = await self._registry.aliases(principal, name)
        held = aliases.get(alias)
        if held is None:
            return None
        found = await self._registry.model_version(principal, name, held)
        return Champion(found.version, found.digest)

    async def authors(self, principal: Principal, candidate: Candidate) -> list[str]:
        """Ids of those who made the version or its run, from the ledger."""
        about = [("version", f"{candidate.model_id}/{candidate.version}", "version.created")]
        if candidate.run_id:
            about.append(("run", candidate.run_id, "run.created"))
        found: set[str] = set()
        for kind, identity, entry_type in about:
            entries = await self._ledger.entries(principal, types=[entry_type], about=(kind, identity), limit=1)
            found |= {entry.actor for entry in entries}
        return sorted(found)

    async def all_services(self, principal: Principal, people: list[str]) -> bool:
        """Whether every one of them is a service account."""
        kinds = {user.id: user.kind for user in await self._identity.users(principal)}
        return bool(people) and all(kinds.get(identity) == "service" for identity in people)

    async def code(self, principal: Principal, run_id: str) -> str | None:
        """Names what really ran behind a version: the files, the environment and the function of its pipeline run.

        A run that the server launched ran what the server unpacked from its source, so the source is asked, not the
        worker's own word. Digest of {snapshot, lock, wheels, target, paths}.

        Returns:
            The digest; None if no captured pipeline run made the version.
        """
        try:
            run = await self._pipelines.run(principal, run_id)
            for _ in range(MOST_LAUNCHES):
                if run.origin != "launch":
                    break
                run = await self._pipelines.run(principal, str(run.reason.get("source", "")))
        except NotFound:
            return None
        if run.origin == "launch" or run.snapshot is None or run.environment is None:
            return None
        wheels = sorted(wheel.digest for wheel in run.environment.wheels)
        found = {"snapshot": run.snapshot.digest, "lock": run.environment.lock, "wheels": wheels}
        return digest_of({**found, "target": run.target, "paths": run.paths})

    async def _maker(self, principal: Principal, version: ModelVersion) -> str:
        """The run that made the files. A client may register them under another run, whose metrics prove nothing."""
        if not version.logged_model_id:
            return version.run_id
        return (await self._tracking.logged_model(principal, version.logged_model_id, deleted=True)).source_run

    async def _run(self, principal: Principal, run_id: str) -> Run | None:
        if not run_id:
            return None
        try:
            return await self._tracking.get_run(principal, run_id)
        except NotFound:
            return None

    async def _schema(self, version: ModelVersion) -> dict[str, Any]:
        """The schema of the model's `MLmodel` file: those of `inputs` and `outputs` that it describes."""
        file = next((file for file in version.files if file.path == mlmodel.NAME), None)
        if file is None or file.size > mlmodel.LARGEST:
            return {}
        described = await asyncio.to_thread(mlmodel.read_mlmodel, await self._blobs.read(file.digest))
        schema = None if described is None else described.get("signature")
        return {key: value for key, value in schema.items() if value} if isinstance(schema, dict) else {}
