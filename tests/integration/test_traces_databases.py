"""Traces on SQLite and on Postgres: logged, found, judged, hidden from whom the experiment is denied, deleted."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelkeel.app import Keel, Settings
from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.traces.models import Span, State, Trace

_ID = "tr-0af7651916cd43dd8448eb211c803199"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    return request.getfixturevalue("postgres_database") if request.param == "postgresql" else None


@pytest.fixture
async def both(home: Path, database: str | None) -> AsyncIterator[tuple[Keel, Principal]]:
    opened = Keel.open(Settings(home, database=database))
    try:
        yield opened, opened.identity.anonymous()
    finally:
        opened.close()


def _span(number: int, *, root: bool = False, status: str = "OK") -> Span:
    start = 1_700_000_000_000_000_000 + number
    content = b'{"name":"s%d"}' % number
    return Span(_ID, f"{number:016x}", root, f"s{number}", "TOOL", status, start, start + 5_000_000, content)


async def test_traces(both: tuple[Keel, Principal]) -> None:
    keel, owner = both
    traces = keel.traces
    place = await keel.tracking.create_experiment(owner, "traced")
    await traces.log_spans(owner, place, [_span(2), _span(1, root=True)])
    early = await traces.trace(owner, _ID)
    assert (early.state, early.duration, early.tags["mlflow.traceName"]) == (State.OK, 5, "s1")
    told = Trace(_ID, place, State.ERROR, 1_700_000_000_000, 9, metadata={"m": "1"}, tags={"t": "2"})
    await traces.start(owner, told)
    await traces.log_spans(owner, place, [_span(3, status="ERROR")])
    found, spans = await traces.whole(owner, _ID)
    assert (found.state, found.duration, found.metadata, found.tags["t"]) == (State.ERROR, 9, {"m": "1"}, "2")
    assert spans == [b'{"name":"s1"}', b'{"name":"s2"}', b'{"name":"s3"}']
    judged = await traces.assess(owner, _ID, {"assessment_name": "good", "feedback": {"value": True}})
    for text, there in {
        "status = 'ERROR' AND tags.t = '2' AND metadata.m ILIKE '%1%'": True,
        "span.status = 'ERROR' AND name LIKE 's_'": True,
        "feedback.good = 'true' AND end_time_ms = 1700000000009": True,
        "feedback.good IS NULL": False,
        "name LIKE 'S_'": False,
    }.items():
        page, token = await traces.search(owner, [place], text=text, order_by=["name", "run_id DESC"])
        assert ([t.id for t in page], token) == ([_ID] if there else [], None), text
    await traces.delete_assessment(owner, _ID, judged["assessment_id"])
    with pytest.raises(InvalidInput):
        await traces.delete(owner, place)
    assert await traces.delete(owner, place, until=1_700_000_000_000) == 1
    with pytest.raises(NotFound):
        await traces.trace(owner, _ID)


async def test_another_workspace_may_use_the_same_id(both: tuple[Keel, Principal]) -> None:
    keel, owner = both
    place = await keel.tracking.create_experiment(owner, "traced")
    await traces_of(keel, owner, place)
    other = replace(owner, workspace="other")
    with pytest.raises(NotFound):
        await keel.traces.trace(other, _ID)
    with pytest.raises(NotFound):
        await keel.traces.log_spans(other, place, [_span(7)])
    there = await keel.tracking.create_experiment(other, "traced")
    await traces_of(keel, other, there)
    assert (await keel.traces.trace(other, _ID)).experiment == there
    assert (await keel.traces.trace(owner, _ID)).experiment == place
    assert (await keel.traces.search(other, [place]))[0] == []


async def traces_of(keel: Keel, principal: Principal, experiment: str) -> None:
    """One trace of one span."""
    await keel.traces.log_spans(principal, experiment, [_span(1, root=True)])
