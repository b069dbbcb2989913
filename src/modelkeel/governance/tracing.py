"""One join key, both ways: what stands behind a prediction, what came of a version, what served at a time."""

from collections.abc import Awaitable, Callable, Sequence

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import NotFound
from modelkeel.costs.service import Costs
from modelkeel.governance.lineage import (
    CostPart,
    Origin,
    PipelinePart,
    PredictionPart,
    RevisionPart,
    RunPart,
    Served,
    ServedVersion,
    Trace,
    Use,
    VersionPart,
    VersionTrace,
)
from modelkeel.governance.models import Promotion
from modelkeel.governance.promotions import Promotions
from modelkeel.governance.standing import StandingApprovals
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.monitoring.models import PredictionRecord
from modelkeel.monitoring.totals import Totals
from modelkeel.pipelines.service import Pipelines
from modelkeel.registry.models import ModelVersion
from modelkeel.registry.service import Registry
from modelkeel.serving.models import Revision, Traffic
from modelkeel.serving.service import Serving
from modelkeel.tracking.service import Tracking

FindPrediction = Callable[[Principal, str], Awaitable[PredictionRecord]]
"""Finds a prediction in the principal's workspace; monitoring does."""


class Tracing:
    """Follows the join key through every slice; each does its own permission check."""

    def __init__(
        self,
        ledger: Ledger,
        authorizer: Authorizer,
        identity: Identity,
        tracking: Tracking,
        pipelines: Pipelines,
        registry: Registry,
        serving: Serving,
        predictions: FindPrediction,
        totals: Totals,
        costs: Costs,
        promotions: Promotions,
        standing: StandingApprovals,
    ) -> None:
        self._ledger = ledger
        self._authorizer = authorizer
        self._identity = identity
        self._tracking = tracking
        self._pipelines = pipelines
        self._registry = registry
        self._serving = serving
        self._predictions = predictions
        self._totals = totals
        self._costs = costs
        self._promotions = promotions
        self._standing = standing

    async def trace(self, principal: Principal, prediction_id: str) -> Trace:
        """Which model, data, code, environment and approver stand behind a prediction.

        Raises:
            NotFound: the workspace has no such prediction.
        """
        self._authorizer.require(principal, Permission.READ, what="traces")
        found = await self._predictions(principal, prediction_id)
        revision = await self._serving.revision(principal, found.revision)
        prediction = PredictionPart(
            found.id,
            found.endpoint,
            found.revision,
            found.variant,
            found.server_time,
            found.event_time,
            found.inputs,
            found.outputs,
            found.label,
            found.segment,
            found.segment_digest,
            found.leaf,
            await self._entries(principal, "segment", found.segment, ["segment.sealed"]),
        )
        names = await self._identity.names(principal)
        part = RevisionPart(
            revision.id,
            revision.endpoint,
            revision.number,
            revision.kind,
            revision.digest,
            names.get(revision.created_by, revision.created_by),
            rfc3339(revision.created),
            await self._entries(principal, "revision", revision.id, ["revision.created", "revision.ready"]),
        )
        if not revision.model:
            raise NotFound(f"The model behind the prediction {prediction_id!r} is not yours to see.")
        version = await self._registry.version_info(principal, revision.model, revision.version)
        return Trace(prediction, part, await self._origin(principal, version))

    async def trace_version(self, principal: Principal, model: str, version: int) -> VersionTrace:
        """What stands behind a version, where it served and how much it answered."""
        self._authorizer.require(principal, Permission.READ, what="traces")
        found = await self._registry.version_info(principal, model, version)
        revisions = await self._serving.revisions_of(principal, found.model_id, version)
        endpoints = {endpoint.id: endpoint.name for endpoint in await self._serving.endpoints(principal)}
        answered = await self._totals.answered(principal)
        uses = []
        for revision in revisions:
            mine = [a for a in answered if a.revision == revision.id]
            live = [a for a in mine if a.variant != "shadow"]
            uses.append(
                Use(
                    endpoints.get(revision.endpoint, revision.endpoint),
                    revision.id,
                    revision.number,
                    revision.state,
                    rfc3339(revision.created),
                    sum(a.rows for a in live),
                    sum(a.requests for a in live),
                    sum(a.rows for a in mine) - sum(a.rows for a in live),
                )
            )
        return VersionTrace(await self._origin(principal, found), uses, sum(use.rows for use in uses))

    async def served_at(
        self, principal: Principal, endpoint: str, *, server_time: int | None = None, event_time: int | None = None
    ) -> Served:
        """What served at a time, by exactly one of two clocks (DECISIONS 11); times are ms since 1970."""
        self._authorizer.require(principal, Permission.READ, what=f"endpoint {endpoint}")
        if event_time is not None:
            return await self._served_event(principal, endpoint, event_time)
        moment = server_time or 0
        history = await self._serving.history(principal, endpoint)
        row = next((t for t in reversed(history) if t.since <= moment), None)
        if row is None:
            return Served(endpoint, "server", rfc3339(moment), [], None, None, [])
        served = await self._shares(principal, row)
        return Served(endpoint, "server", rfc3339(moment), served, rfc3339(row.since), None, [row.entry])

    async def _served_event(self, principal: Principal, endpoint: str, moment: int) -> Served:
        await self._serving.endpoint(principal, endpoint)
        last = await self._totals.last_answer(principal, endpoint, moment)
        if last is None:
            return Served(endpoint, "event", rfc3339(moment), [], None, None, [])
        revision = await self._serving.revision(principal, last.revision)
        found = await self._predictions(principal, last.prediction)
        entries = await self._entries(principal, "segment", found.segment, ["segment.sealed"])
        served = [await self._served(principal, revision, 100)]
        return Served(endpoint, "event", rfc3339(moment), served, last.event_time, last.prediction, entries)

    async def _shares(self, principal: Principal, row: Traffic) -> list[ServedVersion]:
        found = []
        for share in sorted(row.routes, key=lambda share: -share.weight):
            revision = await self._serving.revision(principal, share.revision)
            found.append(await self._served(principal, revision, share.weight))
        return found

    async def _served(self, principal: Principal, revision: Revision, weight: float) -> ServedVersion:
        promotions = await self._of(principal, revision.model_id, revision.model, revision.version)
        admitted = _admitted(promotions)
        return ServedVersion(
            revision.id,
            revision.number,
            revision.model,
            revision.version,
            weight,
            await self._approvers(principal, admitted),
            admitted.id if admitted else None,
        )

    async def _origin(self, principal: Principal, version: ModelVersion) -> Origin:
        part = VersionPart(
            version.model_id,
            version.name,
            version.version,
            version.digest,
            version.size,
            version.user,
            rfc3339(version.created),
            version.aliases,
            await self._entries(principal, "version", version.subject, ["version.created"]),
        )
        promotions = await self._of(principal, version.model_id, version.name, version.version)
        return Origin(
            part,
            await self._run(principal, version.run_id),
            await self._pipeline(principal, version.run_id),
            promotions,
            await self._approvers(principal, _admitted(promotions)),
            await self._cost(principal, version.run_id),
        )

    async def _of(self, principal: Principal, model_id: str, model: str, version: int) -> list[Promotion]:
        every = await self._promotions.all(principal, model=model, version=version)
        return [promotion for promotion in every if promotion.model_id == model_id]

    async def _approvers(self, principal: Principal, promotion: Promotion | None) -> list[str]:
        if promotion is None:
            return []
        people = [a.name for a in promotion.approvals if a.verdict == "approved"]
        if promotion.standing_approval is None:
            return people
        given = await self._standing.get(principal, promotion.standing_approval)
        return [*people, f"{given.name} (standing approval {given.id})"]

    async def _run(self, principal: Principal, run_id: str) -> RunPart | None:
        if not run_id:
            return None
        try:
            run = await self._tracking.get_run(principal, run_id)
        except NotFound:
            return None
        created = await self._ledger.entries(principal, types=["run.created"], about=("run", run_id), limit=1)
        names = await self._identity.names(principal)
        kinds = ["run.created", "run.ended", "run.sealed", "inputs.logged"]
        return RunPart(
            run.id,
            run.name,
            run.experiment_id,
            run.status,
            names.get(created[0].actor, created[0].actor) if created else run.user,
            rfc3339(run.started),
            rfc3339(run.ended) if run.ended is not None else None,
            run.params,
            {key: metric.value for key, metric in run.metrics.items()},
            run.inputs,
            run.seal,
            await self._entries(principal, "run", run_id, kinds),
        )

    async def _pipeline(self, principal: Principal, run_id: str) -> PipelinePart | None:
        if not run_id:
            return None
        try:
            run = await self._pipelines.run(principal, run_id)
        except NotFound:
            return None
        steps = [
            {"name": step.name, "status": step.status, **({"paid_by": step.paid_by} if step.paid_by else {})}
            for step in run.steps
        ]
        kinds = ["pipeline.started", "pipeline.ended"]
        entries = await self._entries(principal, "run", run_id, kinds)
        if run.snapshot is not None:
            entries += await self._entries(principal, "snapshot", run.snapshot.digest, ["snapshot.stored"])
        return PipelinePart(
            run.pipeline,
            run.origin,
            run.reason,
            run.code,
            run.snapshot,
            run.environment,
            run.data,
            run.params,
            run.seed,
            run.machine,
            steps,
            sorted({step.paid_by for step in run.steps if step.paid_by}),
            sorted(entries),
        )

    async def _cost(self, principal: Principal, run_id: str) -> CostPart | None:
        if not run_id:
            return None
        try:
            line, currency = await self._costs.run_cost(principal, run_id)
        except NotFound:
            return None
        return CostPart(line.amount, currency, line.how)

    async def _entries(self, principal: Principal, kind: str, identity: str, types: Sequence[str]) -> list[int]:
        found = await self._ledger.entries(principal, types=types, about=(kind, identity), limit=100)
        return [entry.index for entry in found]


def _admitted(promotions: Sequence[Promotion]) -> Promotion | None:
    """The promotion that let a version serve: the newest that moved the alias, else one that is under way."""
    for status in ("committed", "approved"):
        for promotion in promotions:
            if promotion.status == status:
                return promotion
    return None
