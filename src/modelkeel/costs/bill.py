"""The bill's arithmetic: from what was used and the prices to lines that say how they were reckoned. No I/O."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from modelkeel.costs.models import Bill, Line, PerThousand, Prices, Saved, StoredPrices
from modelkeel.monitoring.totals import Answered
from modelkeel.pipelines.models import RunUsage
from modelkeel.registry.models import ModelVersion
from modelkeel.tracking.durations import Duration

MOST_RUNS = 100
STEPS = "processor time and peak memory of each step, measured in its process; cached steps cost nothing"
ALONE = "wall time of ended runs as one busy core, because nobody measured more; memory unknown"
SHARED = (
    "processor time and resident memory of the prediction processes, divided by the rows that each endpoint answered;"
    " idle time in equal parts"
)
KEPT = "bytes of every blob that the workspace holds, from the day it came"
VIEW = "the runs that made its versions, and its part by rows of the endpoints that it serves; counted above already"
SPARED = "what the cached steps used when they ran"


class Used(msgspec.Struct, frozen=True):
    """Everything that a workspace used.

    Attributes:
        pipelines: by pipeline run.
        runs: ended runs that no pipeline made.
        versions: which run made which version.
        answered: rows by endpoint and revision.
        serving: endpoint, processor seconds, GiB seconds, wall seconds.
        storage: bytes now, and bytes times seconds.
    """

    pipelines: list[RunUsage]
    runs: list[Duration]
    versions: list[ModelVersion]
    answered: list[Answered]
    serving: list[tuple[str, float, float, float]]
    storage: tuple[int, float]


def make(stored: StoredPrices, used: Used, made_at: str) -> Bill:
    """The bill.

    Args:
        stored: the prices in force.
        used: what was used.
        made_at: the server's clock, RFC 3339.
    """
    prices = stored.prices
    pipeline_runs = [pipeline_run(prices, run) for run in used.pipelines]
    other_runs = [other_run(prices, run) for run in used.runs]
    endpoints = [_endpoint(prices, line, used.answered) for line in used.serving]
    pipelines = _by_pipeline(used.pipelines, pipeline_runs)
    other = _sum("runs outside pipelines", other_runs, ALONE)
    size, byte_seconds = used.storage
    storage = Line(name="storage", amount=prices.storage(byte_seconds), count=size, how=KEPT)
    total = sum(line.amount for line in [*pipelines, other, *endpoints, storage])
    costs = {line.id: line.amount for line in [*pipeline_runs, *other_runs]}
    return Bill(
        currency=prices.currency,
        prices=stored,
        made_at=made_at,
        total=total,
        pipelines=pipelines,
        other_runs=other,
        runs=sorted([*pipeline_runs, *other_runs], key=lambda line: -line.amount)[:MOST_RUNS],
        models=_models(used.versions, used.answered, costs, endpoints),
        endpoints=endpoints,
        storage=storage,
        per_1000_predictions=_per_thousand(used, costs, endpoints),
        savings=_savings(prices, used.pipelines),
    )


def pipeline_run(prices: Prices, run: RunUsage) -> Line:
    """What a pipeline run cost: its measured steps."""
    return Line(
        name=run.pipeline,
        id=run.run_id,
        amount=prices.compute(run.cpu_seconds, run.gib_seconds),
        cpu_seconds=run.cpu_seconds,
        gib_seconds=run.gib_seconds,
        seconds=run.seconds,
        how=STEPS,
    )


def other_run(prices: Prices, run: Duration) -> Line:
    """What a run without a pipeline cost, as far as anybody knows."""
    return Line(
        name=run.name,
        id=run.id,
        amount=prices.compute(run.seconds, 0),
        cpu_seconds=run.seconds,
        seconds=run.seconds,
        how=ALONE,
    )


def _by_pipeline(usage: Sequence[RunUsage], lines: Sequence[Line]) -> list[Line]:
    groups: dict[str, list[Line]] = defaultdict(list)
    for run, line in zip(usage, lines, strict=True):
        groups[run.pipeline].append(line)
    return [_sum(name, group, STEPS) for name, group in sorted(groups.items())]


def _sum(name: str, lines: Sequence[Line], how: str) -> Line:
    return Line(
        name=name,
        amount=sum(line.amount for line in lines),
        cpu_seconds=sum(line.cpu_seconds for line in lines),
        gib_seconds=sum(line.gib_seconds for line in lines),
        seconds=sum(line.seconds for line in lines),
        count=len(lines),
        how=how,
    )


def _endpoint(prices: Prices, line: tuple[str, float, float, float], answered: Iterable[Answered]) -> Line:
    name, cpu, gib, seconds = line
    rows = sum(a.rows for a in answered if a.endpoint == name and a.variant != "shadow")
    return Line(
        name=name,
        amount=prices.compute(cpu, gib),
        cpu_seconds=cpu,
        gib_seconds=gib,
        seconds=seconds,
        count=rows,
        how=SHARED,
    )


def _models(
    versions: Sequence[ModelVersion], answered: Sequence[Answered], costs: dict[str, float], endpoints: Sequence[Line]
) -> list[Line]:
    runs: dict[str, set[str]] = defaultdict(set)
    count: dict[str, int] = defaultdict(int)
    for version in versions:
        runs[version.name].add(version.run_id)
        count[version.name] += 1
    handled: dict[str, int] = defaultdict(int)
    by_model: dict[tuple[str, str], int] = defaultdict(int)
    for a in answered:
        handled[a.endpoint] += a.rows
        by_model[a.endpoint, a.model] += a.rows
    serving: dict[str, float] = defaultdict(float)
    for line in endpoints:
        for (endpoint, model), rows in by_model.items():
            if endpoint == line.name and handled[endpoint]:
                serving[model] += line.amount * rows / handled[endpoint]
    return [
        Line(
            name=name,
            amount=sum(costs.get(run, 0.0) for run in runs[name]) + serving[name],
            count=count[name],
            how=VIEW,
        )
        for name in sorted(runs.keys() | serving.keys())
    ]


def _per_thousand(used: Used, costs: dict[str, float], endpoints: Sequence[Line]) -> list[PerThousand]:
    made_by = {(version.name, version.version): version.run_id for version in used.versions}
    found = []
    for line in endpoints:
        if not line.count:
            continue
        served = {(a.model, a.version) for a in used.answered if a.endpoint == line.name}
        training = sum(costs.get(run, 0.0) for run in {made_by.get(one, "") for one in served})
        found.append(
            PerThousand(
                endpoint=line.name,
                rows=line.count,
                serving=1000 * line.amount / line.count,
                with_training=1000 * (line.amount + training) / line.count,
                how="the endpoint's cost, and with it that of the runs that made the served versions, by answered rows",
            )
        )
    return found


def _savings(prices: Prices, runs: Iterable[RunUsage]) -> Saved:
    every = list(runs)
    cpu, gib = sum(r.saved_cpu_seconds for r in every), sum(r.saved_gib_seconds for r in every)
    return Saved(
        cached_steps=sum(run.cached_steps for run in every),
        seconds=sum(run.saved_seconds for run in every),
        cpu_seconds=cpu,
        amount=prices.compute(cpu, gib),
        how=SPARED,
    )
