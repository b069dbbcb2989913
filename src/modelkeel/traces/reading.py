"""Reading and searching traces."""

import zlib
from collections.abc import Sequence

from modelkeel.core.access import Kind, Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.storage.transaction import Tx
from modelkeel.traces import store
from modelkeel.traces.base import Base
from modelkeel.traces.models import MOST_AT_ONCE, TRACES, Trace
from modelkeel.tracking.search import page_offset, page_token, parse_filter, parse_order

MOST_EXPERIMENTS = 1000


class Reading(Base):
    """What reads traces."""

    async def trace(self, principal: Principal, trace_id: str) -> Trace:
        """One trace without its spans.

        Raises:
            NotFound: no such trace, or not the principal's to see.
        """
        self._may_read(principal)
        return await self._db.read(lambda tx: store.traces.load(tx, [self._row(tx, principal, trace_id)])[0])

    async def whole(self, principal: Principal, trace_id: str) -> tuple[Trace, list[bytes]]:
        """One trace with the contents of its spans, oldest first.

        Raises:
            NotFound: no such trace, or not the principal's to see.
        """
        self._may_read(principal)

        def work(tx: Tx) -> tuple[Trace, list[bytes]]:
            row = self._row(tx, principal, trace_id)
            return store.traces.load(tx, [row])[0], store.traces.spans(tx, [row.seq]).get(row.seq, [])

        trace, spans = await self._db.read(work)
        return trace, [zlib.decompress(content) for content in spans]

    async def several(
        self, principal: Principal, trace_ids: Sequence[str], *, spans: bool
    ) -> list[tuple[Trace, list[bytes]]]:
        """Those of the traces that are there, in the order asked, with spans if wanted.

        Raises:
            InvalidInput: more than `MOST_AT_ONCE`.
        """
        self._may_read(principal)
        if len(trace_ids) > MOST_AT_ONCE:
            raise InvalidInput(f"At most {MOST_AT_ONCE} traces can be read at once, got {len(trace_ids)}.")

        def work(tx: Tx) -> list[tuple[Trace, list[bytes]]]:
            there = {row.id: row for row in store.traces.rows(tx, principal.workspace, trace_ids)}
            found = [there[i] for i in dict.fromkeys(trace_ids) if i in there]
            found = [row for row in found if self._reads(principal, row.experiment)]
            contents = store.traces.spans(tx, [row.seq for row in found]) if spans else {}
            loaded = store.traces.load(tx, found)
            return [(trace, contents.get(row.seq, [])) for row, trace in zip(found, loaded, strict=True)]

        answer = await self._db.read(work)
        return [(trace, [zlib.decompress(content) for content in packed]) for trace, packed in answer]

    async def search(
        self,
        principal: Principal,
        experiments: Sequence[str],
        *,
        text: str | None = None,
        order_by: Sequence[str] = (),
        limit: int = 100,
        token: str | None = None,
    ) -> tuple[list[Trace], str | None]:
        """One page of the traces below experiments that meet a filter, newest first unless ordered otherwise.

        Raises:
            InvalidInput: the filter, order, limit or token is wrong.
        """
        self._may_read(principal)
        if not 1 <= limit <= MOST_AT_ONCE:
            raise InvalidInput(f"max_results must be between 1 and {MOST_AT_ONCE}, got {limit}.")
        if not experiments or len(experiments) > MOST_EXPERIMENTS:
            raise InvalidInput(f"Between 1 and {MOST_EXPERIMENTS} experiments have to be named.")
        conditions, orders = parse_filter(text, TRACES), parse_order(list(order_by), TRACES)
        offset = page_offset(token)
        wanted = [
            (await self._tracking.experiment(principal, "0")).id if identity == "0" else identity
            for identity in dict.fromkeys(experiments)
        ]
        visible = self._authorizer.visible(principal, Kind.EXPERIMENT)

        def work(tx: Tx) -> tuple[list[Trace], str | None]:
            rows = store.search.traces(
                tx,
                principal.workspace,
                wanted,
                conditions,
                orders,
                limit=limit + 1,
                offset=offset,
                visible=visible,
            )
            more = page_token(offset + limit) if len(rows) > limit else None
            return store.traces.load(tx, rows[:limit]), more

        return await self._db.read(work)
