"""Fills the ports that lower slices declare with what higher slices, or the prediction processes, can do."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from modelkeel.core.access import PERMISSIONS, Principal, Role
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, NotFound, Refused, Unavailable
from modelkeel.monitoring.ports import Place
from modelkeel.registry.service import Registry
from modelkeel.runtime.control import SupervisorClient, start_supervisor
from modelkeel.serving.models import Endpoint, Rollout, Verdict
from modelkeel.serving.service import Serving
from modelkeel.tracking.models import ArtifactOwner
from modelkeel.tracking.service import Tracking
from modelkeel.wire.serving import RoutingTable, Status

STALE_SECONDS = 1.0


class RuntimePlane:
    """Serving's `DataPlane`: the supervisor of this home.

    Args:
        home: the home folder.
        host: where predictions are answered.
        port: 0 means any free one.
        workers: how many runtime processes.
    """

    def __init__(self, home: Path, host: str, port: int, workers: int) -> None:
        self._home = home
        self._host = host
        self._port = port
        self._workers = workers
        self._client = SupervisorClient(home)
        self._seen: Status | None = None
        self._seen_at = 0

    @property
    def url(self) -> str:
        """Base of the prediction addresses, by what is known so far."""
        port = self._seen.port if self._seen is not None else self._port
        return f"http://{self._host}:{port}"

    async def start(self) -> Status:
        try:
            await asyncio.to_thread(start_supervisor, self._home, self._host, self._port, self._workers)
        except Conflict:
            found = await self.status()  # one that outlived an earlier server is adopted
            if found is None:
                raise
            return found
        status = await self.status()
        if status is None:
            raise Unavailable("The prediction processes ended at once.", hint="See serving/supervisor.log in the home.")
        return status

    async def status(self) -> Status | None:
        if self._seen is not None and now_ms() - self._seen_at < STALE_SECONDS * 1000:
            return self._seen
        try:
            self._seen = await asyncio.to_thread(self._client.status)
        except Unavailable:
            self._seen = None
        self._seen_at = now_ms()
        return self._seen

    async def apply(self, table: RoutingTable) -> list[str]:
        try:
            await asyncio.to_thread(self._client.apply, table)
        except Refused as error:
            return list(error.reasons) or [error.message]
        finally:
            self._seen_at = 0
        return []


class Places:
    """Monitoring's `EndpointDirectory`."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def places(self, endpoints: Iterable[str]) -> dict[str, Place]:
        found = await self._serving.places(set(endpoints))
        return {key: Place(key, workspace, name) for key, (workspace, name) in found.items()}


class References:
    """Monitoring's `ReferenceSource`: an artifact of the run that made the version."""

    def __init__(self, registry: Registry, tracking: Tracking) -> None:
        self._registry = registry
        self._tracking = tracking

    async def reference(self, workspace: str, model: str, version: int, path: str) -> bytes | None:
        reader = Principal("system", "system", "service", workspace, PERMISSIONS[Role.VIEWER])
        try:
            found = await self._registry.version_info(reader, model, version)
            stream = await self._tracking.open_file(reader, ArtifactOwner.run(found.run_id), path)
            return b"".join([chunk async for chunk in stream])
        except NotFound:
            return None


class RuntimeJudge:
    """Serving's `RolloutJudge`: rows and failures as the prediction processes count them."""

    def __init__(self, plane: RuntimePlane) -> None:
        self._plane = plane

    async def judge(self, principal: Principal, endpoint: Endpoint, rollout: Rollout) -> Verdict:
        del principal, endpoint  # the counters are by revision
        import httpx  # takes long to load

        try:
            async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
                text = (await client.get(f"{self._plane.url}/metrics")).raise_for_status().text
        except httpx.HTTPError:
            return Verdict(0)
        rows = errors = 0
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.labels.get("revision") != rollout.candidate:
                    continue
                if sample.name == "modelkeel_prediction_rows_total":
                    rows += int(sample.value)
                elif sample.name == "modelkeel_prediction_errors_total":
                    errors += int(sample.value)
        share, most = errors / max(rows + errors, 1), rollout.policy.max_error_rate
        if errors > 10 and share > most:
            return Verdict(rows, [f"{share:.1%} of the candidate's requests failed, more than {most:.1%}."])
        return Verdict(rows)
