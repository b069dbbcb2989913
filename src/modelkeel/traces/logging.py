"""Logging traces and spans, and what is done to them afterwards."""

import itertools
from collections.abc import Sequence

from modelkeel.core.access import Kind, Permission, Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.storage.transaction import Tx
from modelkeel.traces import store
from modelkeel.traces.base import Base
from modelkeel.traces.models import (
    MOST_AT_ONCE,
    MOST_PAIRS,
    MOST_SPANS,
    PLACE,
    PLACE_TAG,
    RUN_KEY,
    Span,
    Trace,
    check_id,
    check_pair,
    check_trace,
    joined,
    seen_by_spans,
)
from modelkeel.tracking.models import require_active

MOST_LINKED = 100


class Logging(Base):
    """What writes traces. Logging is a measurement; tags, links and deletions are records."""

    async def start(self, principal: Principal, given: Trace) -> Trace:
        """Stores what a client tells of a trace, whether or not spans of it came before; returns it as it is now.

        Raises:
            NotFound: no such experiment, or no such run.
            InvalidInput: it is too large, or its id is that of a trace of another experiment.
        """
        check_trace(given)
        experiment = await self._own_experiment(principal, given.experiment)
        run = given.metadata.get(RUN_KEY)
        if run:
            await self._tracking.get_run(principal, run)

        def work(tx: Tx) -> Trace:
            row = store.traces.row(tx, principal.workspace, given.id)
            whole = given
            if row is not None:
                self._same(row.id, row.experiment, experiment)
                whole = joined(store.traces.load(tx, [row])[0], given)
                check_trace(whole)
            whole = Trace(
                whole.id,
                experiment,
                whole.state,
                whole.request_time,
                whole.duration,
                whole.client_request,
                whole.request_preview,
                whole.response_preview,
                whole.metadata,
                {**whole.tags, PLACE_TAG: PLACE},
            )
            store.traces.put(tx, principal.workspace, whole, told=True)
            return store.traces.load(tx, store.traces.rows(tx, principal.workspace, [given.id]))[0]

        return await self._db.write(work)

    async def log_spans(self, principal: Principal, experiment_id: str, spans: Sequence[Span]) -> None:
        """Stores spans; one that came before is replaced. A trace that was not told of yet is made of them.

        Raises:
            NotFound: no such experiment.
            InvalidInput: too many, or of a trace of another experiment.
        """
        experiment = await self._own_experiment(principal, experiment_id)
        if not spans:
            return
        if len(spans) > MOST_SPANS:
            raise InvalidInput(f"At most {MOST_SPANS} spans at once, got {len(spans)}.")
        grouped = {
            key: list(group)
            for key, group in itertools.groupby(sorted(spans, key=lambda s: s.trace), key=lambda s: s.trace)
        }

        def work(tx: Tx) -> None:
            for identity, group in grouped.items():
                row = store.traces.row(tx, principal.workspace, identity)
                if row is not None:
                    self._same(identity, row.experiment, experiment)
                if row is not None and row.told:
                    number = int(row.seq)
                else:
                    old = None if row is None else store.traces.load(tx, [row])[0]
                    whole = seen_by_spans(old, experiment, group)
                    number = store.traces.put(tx, principal.workspace, whole, told=False)
                store.traces.put_spans(tx, number, group)
                if store.traces.count_spans(tx, number) > MOST_SPANS:
                    raise InvalidInput(f"Trace {identity} has more than {MOST_SPANS} spans.")

        await self._db.write(work)

    async def set_tag(self, principal: Principal, trace_id: str, key: str, value: str) -> None:
        """Sets a tag.

        Raises:
            NotFound: no such trace.
            InvalidInput: the key or value is too long.
        """
        self._may_read(principal)
        check_pair(key, value)

        def work(tx: Tx) -> None:
            row = self._writable(tx, principal, trace_id)
            tags = store.traces.load(tx, [row])[0].tags
            if key not in tags and len(tags) >= MOST_PAIRS:
                raise InvalidInput(f"A trace has at most {MOST_PAIRS} tags.")
            store.traces.set_tags(tx, row.seq, {key: value})
            subject = {"trace": trace_id, "experiment": row.experiment}
            self._ledger.record(tx, principal, "trace.tagged", subject, {"change": "set"}, {"key": key, "value": value})

        await self._db.write(work)

    async def delete_tag(self, principal: Principal, trace_id: str, key: str) -> None:
        """Removes a tag.

        Raises:
            NotFound: no such trace, or it has no such tag.
        """
        self._may_read(principal)

        def work(tx: Tx) -> None:
            row = self._writable(tx, principal, trace_id)
            if not store.traces.delete_tag(tx, row.seq, key):
                raise InvalidInput(f"No tag with name '{key[:100]}' in trace with ID '{trace_id}'.")
            subject = {"trace": trace_id, "experiment": row.experiment}
            self._ledger.record(tx, principal, "trace.tagged", subject, {"change": "deleted"}, {"key": key})

        await self._db.write(work)

    async def link_to_run(self, principal: Principal, trace_ids: Sequence[str], run_id: str) -> None:
        """Notes that traces belong to a run.

        Raises:
            NotFound: no such trace or run.
            InvalidInput: more than `MOST_LINKED`.
        """
        self._may_read(principal)
        if not trace_ids or len(trace_ids) > MOST_LINKED:
            raise InvalidInput(f"Between 1 and {MOST_LINKED} traces can be linked at once, got {len(trace_ids)}.")
        run = await self._tracking.get_run(principal, run_id)
        self._require_track(principal, run.experiment_id)

        def work(tx: Tx) -> None:
            numbers = [self._writable(tx, principal, identity).seq for identity in dict.fromkeys(trace_ids)]
            store.traces.link(tx, numbers, run.id)
            subject = {"run": run.id, "experiment": run.experiment_id}
            self._ledger.record(tx, principal, "trace.linked", subject, {"count": len(numbers)})

        await self._db.write(work)

    async def delete(
        self,
        principal: Principal,
        experiment_id: str,
        *,
        until: int | None = None,
        most: int | None = None,
        trace_ids: Sequence[str] = (),
    ) -> int:
        """Removes traces for good, by id, or the oldest of an experiment; returns how many.

        Raises:
            NotFound: no such experiment.
            InvalidInput: neither or both of ids and a time are given.
        """
        if bool(trace_ids) == (until is not None):
            raise InvalidInput("Either `max_timestamp_millis` or `request_ids` must be specified, but not both.")
        if trace_ids and most is not None:
            raise InvalidInput("`max_traces` can't be specified if `request_ids` is specified.")
        if most is not None and most <= 0:
            raise InvalidInput(f"`max_traces` must be positive, received {most}.")
        if len(trace_ids) > MOST_AT_ONCE:
            raise InvalidInput(f"At most {MOST_AT_ONCE} traces can be deleted by id at once.")
        experiment = await self._own_experiment(principal, experiment_id, deleted=True)

        def work(tx: Tx) -> int:
            if trace_ids:
                found = [r for r in store.traces.rows(tx, principal.workspace, trace_ids) if r.experiment == experiment]
            else:
                limit = min(most or MOST_SPANS, MOST_SPANS)
                found = list(store.traces.older(tx, principal.workspace, experiment, until or 0, limit))
            if not found:
                return 0
            for start in range(0, len(found), 500):
                store.traces.delete(tx, [r.seq for r in found[start : start + 500]])
            subject = {"experiment": experiment}
            if len(found) == 1:
                subject["trace"] = found[0].id
            self._ledger.record(tx, principal, "trace.deleted", subject, {"count": len(found)})
            return len(found)

        return await self._db.write(work)

    async def _own_experiment(self, principal: Principal, identity: str, *, deleted: bool = False) -> str:
        """The id of an experiment below which the principal may log."""
        self._authorizer.require(principal, Permission.TRACK, what="traces", on=Kind.EXPERIMENT)
        found = await self._tracking.experiment(principal, identity)
        self._require_track(principal, found.id)
        if not deleted:
            require_active(found.lifecycle, "experiment", found.id)
        return found.id

    @staticmethod
    def _same(identity: str, there: str, experiment: str) -> None:
        check_id(identity)
        if there != experiment:
            raise InvalidInput(f"Trace {identity} belongs to another experiment.")
