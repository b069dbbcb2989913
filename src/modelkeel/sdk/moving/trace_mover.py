"""Sends traces and evaluation data sets of a source, batch by batch, and compares both sides of each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from modelkeel.sdk.moving.source import Source, SourceEvaluation, SourceTrace
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import (
    RecordsItem,
    SpansItem,
    records_digest,
    span_digest,
    trace_digest,
)

READERS = 8
AT_ONCE = 4 << 20
"""Bytes of spans, or of records, in one request; more if a single one is larger."""


class TraceMover:
    """The part of a `Mover` for traces and evaluation data sets.

    Args:
        source: where from.
        send: sends items; says what became of them.
        known: of marks of a kind by id, the ids of what the server holds as it is.
        done: sends the ends of transfers, and notes what is not the same.
        mark: the mark of a thing, unless it has an open conflict.
        tell: counts something.
    """

    def __init__(
        self,
        source: Source,
        *,
        send: Callable[[Sequence[wire.Item]], list[wire.Outcome]],
        known: Callable[[wire.Whole, dict[str, str]], set[str]],
        done: Callable[[Sequence[wire.DoneItem]], None],
        mark: Callable[[str, str], str],
        tell: Callable[[str, int], None],
    ) -> None:
        self._source = source
        self._send = send
        self._known = known
        self._done = done
        self._mark = mark
        self._tell = tell

    def traces(self, experiment: str) -> None:
        """Moves an experiment's traces."""
        for batch in self._source.traces(experiment):
            self._batch(batch)

    def evaluations(self) -> None:
        """Moves the evaluation data sets."""
        for one in self._source.evaluations():
            self._evaluation(one)

    def _batch(self, batch: Sequence[SourceTrace]) -> None:
        known = self._known("trace", {one.item.id: one.mark for one in batch})
        self._tell("traces", len(batch))
        self._tell("same", len(known))
        fresh = [one for one in batch if one.item.id not in known]
        outcomes = self._send([one.item for one in fresh])
        taken = [one for one, outcome in zip(fresh, outcomes, strict=True) if outcome.state != "refused"]
        waiting: list[SpansItem] = []
        size = 0
        done = []
        with ThreadPoolExecutor(READERS) as pool:
            for one, (digests, last) in zip(taken, pool.map(self._spans, [t.item.id for t in taken]), strict=True):
                if last:
                    waiting.append(SpansItem(one.item.id, last))
                    size += sum(map(len, last))
                if size > AT_ONCE:
                    self._send(waiting)
                    waiting, size = [], 0
                self._tell("spans", len(digests))
                sent = wire.Summary(
                    tags=len(one.item.tags),
                    spans=len(digests),
                    assessments=len(one.item.assessments),
                    links=len(one.item.runs),
                    content=trace_digest(one.item, digests),
                )
                done.append(wire.DoneItem("trace", one.item.id, self._mark(one.item.id, one.mark), sent))
        self._send(waiting)
        self._done(done)

    def _spans(self, trace: str) -> tuple[list[str], list[str]]:
        """Digests of a trace's spans, and those that are still to be sent: of a large trace only the last."""
        digests: list[str] = []
        waiting: list[str] = []
        size = 0
        for part in self._source.spans(trace):
            for span in part:
                if size > AT_ONCE:
                    self._send([SpansItem(trace, waiting)])
                    waiting, size = [], 0
                digests.append(span_digest(span))
                waiting.append(span)
                size += len(span)
        return digests, waiting

    def _evaluation(self, one: SourceEvaluation) -> None:
        item = one.item
        self._tell("evaluation_datasets", 1)
        if self._known("evaluation_dataset", {item.id: one.mark}):
            self._tell("same", 1)
            return
        if self._send([item])[0].state == "refused":
            return
        digests: dict[str, str] = {}
        for part in self._source.records(item.id):
            self._send([RecordsItem(item.id, part)])
            digests |= {record.key: record.digest for record in part}
            self._tell("records", len(part))
        sent = wire.Summary(tags=len(item.tags), records=len(digests), content=records_digest(item, digests.items()))
        mark = self._mark(item.id, one.mark)
        self._done([wire.DoneItem("evaluation_dataset", item.id, mark, sent, updated=item.updated)])
