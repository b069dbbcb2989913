"""Which deleted things go and which stay, and why. Rows in, decisions out."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from modelkeel.keeping.models import Collect, Thing
from modelkeel.pipelines import keeping as pipelines
from modelkeel.registry import keeping as registry
from modelkeel.serving import keeping as serving
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import keeping as tracking
from modelkeel.tracking.holds import HoldKind


class Chosen(msgspec.Struct, frozen=True):
    """What goes, in the order in which it has to, and what stays."""

    going: list[Thing]
    staying: list[Thing]

    @property
    def owners(self) -> frozenset[str]:
        """Ids of the runs and logged models that go: what refers to content on their behalf goes too."""
        return frozenset(thing.id for thing in self.going if thing.kind in {"run", "logged_model"})


def choose(tx: Tx, asked: Collect, before: int) -> Chosen:
    """Looks at everything that was deleted before a time.

    Args:
        tx: one snapshot of everything.
        asked: which of it, if not all.
        before: in ms since 1970.
    """
    held: dict[tuple[str, str], str] = {(row.kind, row.object): row.reason for row in tracking.holds(tx)}
    narrowed = bool(asked.runs or asked.experiments)
    versions = [] if narrowed else _versions(tx, before, held)
    leaving = {thing.id for thing in versions if not thing.because}
    kept_by = _kept_by_versions(tx, leaving, held)
    found = list(versions)
    runs: dict[str, str] = {}
    for row in tracking.deleted_runs(tx, before):
        if narrowed and row.id not in asked.runs and row.experiment not in asked.experiments:
            continue
        because = _held(held, HoldKind.RUN, row.id, row.experiment) or kept_by[row.id]
        runs[row.id] = because
        found.append(Thing("run", row.id, row.name, row.workspace, because))
    for row in tracking.deleted_models(tx, before):
        if narrowed and row.experiment not in asked.experiments:
            continue
        because = _held(held, HoldKind.RUN, row.source_run, row.experiment) or kept_by[row.id]
        found.append(Thing("logged_model", row.id, row.name, row.workspace, because))
    if not narrowed:
        staying = {thing.id.partition("/")[0] for thing in versions if thing.because}
        for row in registry.deleted_models(tx, before):
            because = "a version of it stays" if row.id in staying else ""
            found.append(Thing("model", row.id, row.name, row.workspace, because))
    for row in tracking.deleted_experiments(tx, before):
        if narrowed and row.id not in asked.experiments:
            continue
        because = held.get((HoldKind.EXPERIMENT, row.id), "")
        found.append(Thing("experiment", row.id, row.name, row.workspace, because and f"legal hold: {because}"))
    return _split(tx, found)


def remove(tx: Tx, thing: Thing) -> bool:
    """Removes one thing for good; False if it was restored meanwhile, or is needed after all."""
    match thing.kind:
        case "run":
            gone = tracking.remove_run(tx, thing.id)
            if gone:
                pipelines.remove_run(tx, thing.id)
            return gone
        case "logged_model":
            return tracking.remove_model(tx, thing.id)
        case "version":
            model, _, version = thing.id.partition("/")
            return registry.remove_version(tx, model, int(version))
        case "model":
            return registry.remove_model(tx, thing.id)
        case _:
            gone = tracking.remove_experiment(tx, thing.id)
            if gone:
                _remove_traces(tx, thing.id)
            return gone


def _remove_traces(tx: Tx, experiment: str) -> None:
    """Removes the traces of an experiment, with every row that hangs on one by its number."""
    trace = metadata.tables.get("trace")
    if trace is None:
        return
    numbers = sa.select(trace.c.seq).where(trace.c.experiment == experiment)
    for table in metadata.sorted_tables:
        if "trace" in table.c and isinstance(table.c.trace.type, sa.BigInteger):
            tx.run(sa.delete(table).where(table.c.trace.in_(numbers)))
    tx.run(sa.delete(trace).where(trace.c.experiment == experiment))


def _versions(tx: Tx, before: int, held: dict[tuple[str, str], str]) -> list[Thing]:
    serving_now = serving.versions_in_use(tx)
    found = []
    for row in registry.deleted_versions(tx, before):
        identity = f"{row.model}/{row.version}"
        reason = held.get((HoldKind.VERSION, identity), "")
        because = f"legal hold: {reason}" if reason else ""
        if not because and (row.model, row.version) in serving_now:
            because = "an endpoint has a revision of it"
        found.append(Thing("version", identity, f"{row.name}/{row.version}", row.workspace, because))
    return found


def _kept_by_versions(tx: Tx, leaving: set[str], held: dict[tuple[str, str], str]) -> defaultdict[str, str]:
    """Runs and logged models that a version stands on which stays, and which one."""
    because: defaultdict[str, str] = defaultdict(str)
    for row in registry.every_version(tx):
        if f"{row.model}/{row.version}" in leaving:
            continue
        name = f"version {row.version} of {row.name} stands on it"
        reason = held.get((HoldKind.VERSION, f"{row.model}/{row.version}"))
        for identity in (row.run, row.owner):
            if identity and not because[identity]:
                because[identity] = f"{name}, which has a legal hold: {reason}" if reason else name
    return because


def _held(held: dict[tuple[str, str], str], kind: HoldKind, identity: str, experiment: str) -> str:
    own = held.get((kind, identity))
    if own is not None:
        return f"legal hold: {own}"
    above = held.get((HoldKind.EXPERIMENT, experiment))
    return "" if above is None else f"legal hold on its experiment: {above}"


def _split(tx: Tx, found: Iterable[Thing]) -> Chosen:
    going = [thing for thing in found if not thing.because]
    staying = [thing for thing in found if thing.because]
    ids = {thing.id for thing in going}
    kept: list[Thing] = []
    for thing in going:
        if thing.kind == "experiment" and tracking.others(tx, thing.id, ids):
            staying.append(msgspec.structs.replace(thing, because="a run or a logged model in it stays"))
        else:
            kept.append(thing)
    return Chosen(kept, staying)
