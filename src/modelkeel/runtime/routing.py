"""The live routing table: addresses to endpoints, endpoints to loaded revisions. Replaced whole, never changed."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from modelkeel.core.errors import NotFound, Refused, Unavailable
from modelkeel.runtime.access import Guard, Uses
from modelkeel.runtime.batching import Lane
from modelkeel.runtime.metrics import Registry, Series
from modelkeel.runtime.oip import InputReader
from modelkeel.runtime.spool import Stream
from modelkeel.wire.serving import Endpoint, Revision, RoutingTable, Variant

DEFAULT_WORKSPACE = "default"
Kind = Literal["infer", "invoke", "ready", "metadata", "server", "live", "server-ready", "ping", "version"]


class Loaded:
    """A revision that is loaded in this process.

    Args:
        revision: which.
        lane: the queue in front of its model.
    """

    __slots__ = ("lane", "reader", "revision")

    def __init__(self, revision: Revision, lane: Lane) -> None:
        self.revision = revision
        self.lane = lane
        self.reader = InputReader(revision.schema)


@dataclass(frozen=True, slots=True)
class Path:
    """One way through an endpoint.

    Attributes:
        loaded: the revision; None if it could not be loaded, `failure` says why.
        until: the end of its share, of 1 in all.
        stream: what its log rows have in common.
        series: its counters.
        failure: why it is not loaded.
    """

    revision: Revision
    loaded: Loaded | None
    until: float
    stream: Stream
    series: Series
    failure: str


class LiveEndpoint:
    """An endpoint with its ways.

    Args:
        endpoint: what was asked for.
        paths: champion first.
        shadow: who sees the requests besides.
        registry: the process's counters.
        known: when keys that are good somewhere end, by hash.
        uses: hears of each key that opened.
    """

    __slots__ = ("_salt", "endpoint", "guard", "paths", "refused", "shadow")

    def __init__(
        self,
        endpoint: Endpoint,
        paths: tuple[Path, ...],
        shadow: Path | None,
        registry: Registry,
        known: Mapping[str, int | None],
        uses: Uses,
    ) -> None:
        self.endpoint = endpoint
        self.paths = paths
        self.shadow = shadow
        self.guard = Guard(endpoint, known, uses)
        self.refused = registry.series(endpoint.workspace, endpoint.name)
        self._salt = hashlib.blake2b(endpoint.id.encode(), digest_size=16).digest()

    def pick(self, version: int | None, entity: str | None) -> tuple[Path, Loaded]:
        """Who answers a request.

        Args:
            version: the version that the caller named, if any.
            entity: an entity always gets the same share of the traffic; without one it is by chance.

        Raises:
            NotFound: the version doesn't serve here.
            Unavailable: nothing is deployed, or the revision could not be loaded.
        """
        path = self._path(version, entity)
        if path.loaded is None:
            raise Unavailable("The revision that should answer is not loaded.", hint=path.failure)
        return path, path.loaded

    def _path(self, version: int | None, entity: str | None) -> Path:
        if version is not None:
            return self.versioned(version)
        if len(self.paths) == 1:
            return self.paths[0]
        if not self.paths:
            raise Unavailable(f"Nothing is deployed at {self.endpoint.name!r} yet.")
        point = random.random() if entity is None else position(self._salt, entity)  # noqa: S311 - shares, not secrets
        return next((path for path in self.paths if point < path.until), self.paths[-1])

    def versioned(self, version: int) -> Path:
        """The way of a version.

        Raises:
            NotFound: it doesn't serve here.
        """
        for path in self.paths:
            if path.revision.version == version:
                return path
        raise NotFound(f"Version {version} does not serve at {self.endpoint.name!r}.")

    @property
    def ready(self) -> bool:
        """Whether every revision that gets traffic is loaded."""
        return bool(self.paths) and all(path.loaded is not None for path in self.paths)


def position(salt: bytes, entity: str) -> float:
    """Where an entity stands in [0, 1): the same at every process, another at every endpoint.

    Shares grow from their end, so a canary that gets more traffic keeps the entities that it had.
    """
    digest = hashlib.blake2b(entity.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True, slots=True)
class Target:
    """What an address means."""

    kind: Kind
    live: LiveEndpoint
    version: int | None = None


@dataclass(frozen=True, slots=True)
class LiveTable:
    """All that this process serves.

    Attributes:
        generation: of the table it was made from.
        renewal: of the same.
        targets: by path of the address.
        endpoints: all of them.
    """

    generation: int
    renewal: int
    targets: Mapping[str, Target]
    endpoints: tuple[LiveEndpoint, ...]


def build(
    table: RoutingTable, loaded: Mapping[str, Loaded], failures: Mapping[str, str], registry: Registry, uses: Uses
) -> LiveTable:
    """The live form of a table.

    Args:
        table: checked by `check`.
        loaded: by revision id.
        failures: why the others are not.
        registry: the process's counters.
        uses: when keys were used.
    """
    revisions = {revision.id: revision for revision in table.revisions}
    known = {key.hash: key.expires for key in table.known}
    lives = []
    for endpoint in table.endpoints:

        def way(revision_id: str, variant: Variant, until: float, endpoint: Endpoint = endpoint) -> Path:
            revision = revisions[revision_id]
            stream = Stream(
                endpoint.id,
                revision.id,
                revision.model,
                revision.version,
                variant,
                tuple(column.name for column in revision.schema.inputs),
                tuple(column.name for column in revision.schema.outputs),
            )
            series = registry.series(endpoint.workspace, endpoint.name, revision.id, variant)
            failure = failures.get(revision.id, "")
            return Path(revision, loaded.get(revision.id), until, stream, series, failure)

        total = sum(route.weight for route in endpoint.routes)
        paths, weight = [], 0.0
        for i, route in enumerate(endpoint.routes):
            weight += route.weight
            until = 1.0 if weight >= total else weight / total
            paths.append(way(route.revision, "canary" if i else "champion", until))
        shadow = way(endpoint.shadow, "shadow", 0.0) if endpoint.shadow else None
        lives.append(LiveEndpoint(endpoint, tuple(paths), shadow, registry, known, uses))
    targets = {address: target for live in lives for address, target in _addresses(live)}
    return LiveTable(table.generation, table.renewal, targets, tuple(lives))


def check(table: RoutingTable) -> None:
    """Refuses a table that contradicts itself.

    Raises:
        Refused: with one reason for each contradiction.
    """
    reasons = []
    revisions = {revision.id for revision in table.revisions}
    if len(revisions) != len(table.revisions):
        reasons.append("Two revisions have the same id.")
    names = {(endpoint.workspace, endpoint.name) for endpoint in table.endpoints}
    if len(names) != len(table.endpoints):
        reasons.append("Two endpoints have the same address.")
    for endpoint in table.endpoints:
        used = [route.revision for route in endpoint.routes] + ([endpoint.shadow] if endpoint.shadow else [])
        reasons.extend(f"{endpoint.name}: revision {r} is not in the table." for r in used if r not in revisions)
        if endpoint.routes and sum(route.weight for route in endpoint.routes) <= 0:
            reasons.append(f"{endpoint.name}: no route has a weight.")
    for revision in table.revisions:
        if not revision.schema.inputs or not revision.schema.outputs:
            reasons.append(f"Revision {revision.id}: its schema has no inputs or no outputs.")
        if revision.kind == "native" and not revision.python:
            reasons.append(f"Revision {revision.id}: a native model needs an interpreter.")
    if reasons:
        raise Refused("The routing table contradicts itself.", reasons=reasons)


def _addresses(live: LiveEndpoint) -> Iterator[tuple[str, Target]]:
    own = f"/{live.endpoint.workspace}/{live.endpoint.name}"
    yield f"{own}/invocations", Target("invoke", live)
    yield f"{own}/ping", Target("ping", live)
    yield f"{own}/version", Target("version", live)
    yield f"{own}/v2", Target("server", live)
    yield f"{own}/v2/health/live", Target("live", live)
    yield f"{own}/v2/health/ready", Target("server-ready", live)
    prefixes = [own + "/v2"] + (["/v2"] if live.endpoint.workspace == DEFAULT_WORKSPACE else [])
    versions = {path.revision.version for path in live.paths}
    for prefix in prefixes:
        model = f"{prefix}/models/{live.endpoint.name}"
        for base, version in [(model, None), *((f"{model}/versions/{v}", v) for v in sorted(versions))]:
            yield base, Target("metadata", live, version)
            yield f"{base}/ready", Target("ready", live, version)
            yield f"{base}/infer", Target("infer", live, version)
