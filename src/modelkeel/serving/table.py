"""From rows to the routing table that the runtimes serve. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.serving.models import Share
from modelkeel.wire import serving as wire


class Prepared(msgspec.Struct, frozen=True):
    """What preparing a version's files left behind, relative to the serving folder.

    Attributes:
        kind: `onnx` where the compiled model answers as the native one does, else `native`.
        note: why it is native; else what was compared.
        digest: of the ONNX file, or of the model's tree.
        python: the interpreter of a native model's environment.
    """

    kind: wire.ModelKind
    note: str
    path: str
    digest: str
    schema: wire.ModelSchema
    sample: str
    python: str = ""


def routing_table(
    generation: int,
    endpoints: Iterable[tuple[sa.Row[Any], str, sa.Row[Any] | None]],
    revisions: Mapping[str, sa.Row[Any]],
    *,
    anonymous: bool,
    keys: Mapping[str, tuple[wire.Key, ...]],
    known: tuple[wire.Key, ...] = (),
) -> wire.RoutingTable:
    """The table for some endpoints.

    Args:
        generation: counts up with every change.
        endpoints: each endpoint's row, its workspace's name, and its current traffic, if any.
        revisions: every revision that is prepared: those in use, and those being verified.
        anonymous: whether callers on this machine need no key.
        keys: who may call otherwise, by the endpoint's id.
        known: tokens and keys that are good somewhere.
    """
    made = []
    for row, workspace, traffic in endpoints:
        if traffic is None:
            continue
        shares = msgspec.json.decode(traffic.routes, type=list[Share])
        routes = tuple(wire.Route(s.revision, s.weight) for s in shares)
        made.append(
            wire.Endpoint(
                id=row.id,
                workspace=workspace,
                name=row.name,
                routes=routes,
                shadow=traffic.shadow,
                log=row.log,
                anonymous=anonymous,
                keys=keys.get(row.id, ()),
                simulated=row.simulated,
                generation=traffic.generation,
            )
        )
    return wire.RoutingTable(generation, tuple(made), tuple(_revision(row) for row in revisions.values()), known=known)


def _revision(row: sa.Row[Any]) -> wire.Revision:
    prepared = msgspec.json.decode(row.prepared, type=Prepared)
    return wire.Revision(
        id=row.id,
        endpoint=row.endpoint,
        model=row.model,
        version=row.version,
        digest=prepared.digest,
        kind=prepared.kind,
        path=prepared.path,
        schema=prepared.schema,
        python=prepared.python,
        sample=prepared.sample,
    )
