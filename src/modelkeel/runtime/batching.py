"""Batching without a timer: what arrives in one turn of the event loop is predicted together, and split by row."""

import asyncio
import logging
from itertools import chain

from modelkeel.core.errors import KeelError, Unavailable
from modelkeel.runtime.columns import Columns
from modelkeel.runtime.loading import Model

MAX_BATCH_ROWS = 4096
MAX_WAITING_ROWS = 65_536
_log = logging.getLogger(__name__)


class _Waiting:
    __slots__ = ("columns", "future", "rows")

    def __init__(self, columns: Columns, rows: int, future: asyncio.Future[Columns]) -> None:
        self.columns = columns
        self.rows = rows
        self.future = future


class Lane:
    """The queue in front of one loaded model.

    While a batch that doesn't run in the loop is under way, later requests gather for the next one.

    Args:
        model: who predicts.
        max_batch: rows of a batch at most (a larger request makes a batch of its own).
        max_waiting: rows that may wait at most.
    """

    def __init__(self, model: Model, *, max_batch: int = MAX_BATCH_ROWS, max_waiting: int = MAX_WAITING_ROWS) -> None:
        self.model = model
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: list[_Waiting] = []
        self._waiting_rows = 0
        self._scheduled = False
        self._running: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None

    def submit(self, columns: Columns, rows: int) -> asyncio.Future[Columns]:
        """Queues rows; the future gets the outputs of exactly these rows, in their order.

        Raises:
            Unavailable: too many rows wait already.
        """
        if self._waiting_rows and self._waiting_rows + rows > self._max_waiting:
            raise Unavailable("Too many rows wait for this model.", hint="Try again shortly.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Columns] = loop.create_future()
        self._waiting.append(_Waiting(columns, rows, future))
        self._waiting_rows += rows
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._turn)
        return future

    async def retire(self) -> None:
        """Ends the model when everything that waits for it is answered."""
        if not self._idle():
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained
        await self.model.close()

    def _idle(self) -> bool:
        return not (self._scheduled or self._waiting or self._running)

    def _tell_drained(self) -> None:
        if self._drained is not None and self._idle() and not self._drained.done():
            self._drained.set_result(None)

    def _turn(self) -> None:
        self._scheduled = False
        if self._running is not None:
            return
        while self._waiting:
            batch = self._take()
            rows = sum(waiting.rows for waiting in batch)
            if not self.model.inline(rows):
                self._running = asyncio.get_running_loop().create_task(self._beside(batch, rows))
                return
            try:
                outputs = self.model.run(_joined(batch), rows)
                _deliver(batch, outputs, rows)
            except Exception as error:  # noqa: BLE001 - one bad request must not fail its neighbours
                self._one_by_one(batch, error)
        self._tell_drained()

    def _take(self) -> list[_Waiting]:
        rows = 0
        for count, waiting in enumerate(self._waiting):
            if count and rows + waiting.rows > self._max_batch:
                batch, self._waiting = self._waiting[:count], self._waiting[count:]
                break
            rows += waiting.rows
        else:
            batch, self._waiting = self._waiting, []
        self._waiting_rows -= rows
        return batch

    def _one_by_one(self, batch: list[_Waiting], error: Exception) -> None:
        for waiting in batch:
            if len(batch) == 1:
                _fail(waiting, error)
                return
            try:
                _deliver([waiting], self.model.run(waiting.columns, waiting.rows), waiting.rows)
            except Exception as own:  # noqa: BLE001 - it is this request's answer
                _fail(waiting, own)

    async def _beside(self, batch: list[_Waiting], rows: int) -> None:
        try:
            outputs = await self.model.predict(_joined(batch), rows)
            _deliver(batch, outputs, rows)
        except Exception as error:  # noqa: BLE001 - one bad request must not fail its neighbours
            for waiting in batch:
                if len(batch) == 1 or isinstance(error, Unavailable):
                    _fail(waiting, error)
                    continue
                try:
                    _deliver([waiting], await self.model.predict(waiting.columns, waiting.rows), waiting.rows)
                except Exception as own:  # noqa: BLE001 - it is this request's answer
                    _fail(waiting, own)
        finally:
            self._running = None
            if self._waiting and not self._scheduled:
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._turn)
            self._tell_drained()


def _joined(batch: list[_Waiting]) -> Columns:
    if len(batch) == 1:
        return batch[0].columns
    return [list(chain.from_iterable(parts)) for parts in zip(*[w.columns for w in batch], strict=True)]


def _deliver(batch: list[_Waiting], outputs: Columns, rows: int) -> None:
    for column in outputs:
        if len(column) != rows:
            raise KeelError(f"The model gave {len(column)} rows for {rows}.")
    if len(batch) == 1:
        if not batch[0].future.done():
            batch[0].future.set_result(outputs)
        return
    start = 0
    for waiting in batch:
        end = start + waiting.rows
        if not waiting.future.done():
            waiting.future.set_result([column[start:end] for column in outputs])
        start = end


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not isinstance(error, KeelError):
        _log.error("a model failed", exc_info=error)
        error = KeelError("The model failed.", hint="The serving log says why.")
    if not waiting.future.done():
        waiting.future.set_exception(error)
