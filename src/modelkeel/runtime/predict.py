"""One prediction: which revision, the batch, the answer, the log row, the shadow."""

import asyncio
import time
from dataclasses import dataclass

from modelkeel.core.errors import KeelError
from modelkeel.core.ids import uuid7
from modelkeel.runtime.columns import Columns
from modelkeel.runtime.invocations import read_columns, read_invocation, write_predictions
from modelkeel.runtime.oip import check_wanted, read_request, write_answer
from modelkeel.runtime.params import Parameters, row_entities, row_times, sticky_entity
from modelkeel.runtime.routing import Loaded, Path, Target
from modelkeel.runtime.spool import Entry
from modelkeel.runtime.state import State

MAX_SHADOWS = 1024


@dataclass(slots=True)  # not frozen: that would triple the cost of making one, and one is made for each request
class Answered:
    """An answer, and what remains to be done when it is sent.

    Attributes:
        id: the prediction id of the request.
        body: JSON.
        entry: its log row.
        shadow: who sees the request besides.
    """

    id: bytes
    body: bytes
    entry: Entry
    shadow: Path | None


class Predictor:
    """Answers decoded HTTP bodies.

    Args:
        state: what is served.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._shadows: set[asyncio.Task[None]] = set()

    async def infer(self, target: Target, body: bytes, now: int) -> Answered:
        """An Open Inference Protocol call.

        Args:
            target: the address.
            body: the request.
            now: server time, ms.

        Raises:
            KeelError: in the class that says whose fault it was.
        """
        request = read_request(body)
        path, loaded = target.live.pick(target.version, sticky_entity(request.parameters))
        check_wanted(request, loaded.revision.schema)
        columns, rows = loaded.reader.read(request)
        entry = await self._run(target, path, loaded, columns, rows, request.parameters, now)
        answer = write_answer(
            target.live.endpoint.name,
            path.revision.version,
            path.revision.schema,
            request,
            entry.outputs,
            rows,
            {"prediction_id": entry.request, "revision": path.revision.id},
        )
        return Answered(entry.request.encode(), answer, entry, target.live.shadow)

    async def invoke(self, target: Target, body: bytes, now: int) -> Answered:
        """An MLflow `/invocations` call; arguments and errors as for `infer`."""
        call = read_invocation(body)
        path, loaded = target.live.pick(target.version, sticky_entity(call.parameters))
        columns, rows = read_columns(call, loaded.reader.readers)
        entry = await self._run(target, path, loaded, columns, rows, call.parameters, now)
        answer = write_predictions(entry.outputs, path.revision.version, entry.request)
        return Answered(entry.request.encode(), answer, entry, target.live.shadow)

    async def _run(
        self,
        target: Target,
        path: Path,
        loaded: Loaded,
        columns: Columns,
        rows: int,
        parameters: Parameters | None,
        now: int,
    ) -> Entry:
        endpoint = target.live.endpoint
        times = row_times(parameters, rows, now, simulated=endpoint.simulated)
        entities = row_entities(parameters, rows)
        start = time.perf_counter()
        outputs = await loaded.lane.submit(columns, rows)
        seconds = time.perf_counter() - start
        entry = Entry(path.stream, uuid7(now), now, int(seconds * 1e6), rows, columns, outputs, times, entities)
        if endpoint.log == "before-answer":
            entry.done = asyncio.get_running_loop().create_future()
            self._state.spool.add(entry)
            await entry.done
        else:
            self._state.spool.add(entry)
        path.series.answered(rows, seconds)
        return entry

    def after(self, answered: Answered) -> None:
        """Mirrors an answered request to the shadow, if there is one and it isn't too far behind."""
        shadow = answered.shadow
        if shadow is None:
            return
        if shadow.loaded is None or len(self._shadows) >= MAX_SHADOWS:
            shadow.series.failed("not loaded" if shadow.loaded is None else "dropped")
            return
        task = asyncio.get_running_loop().create_task(self._mirror(shadow, shadow.loaded, answered.entry))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _mirror(self, path: Path, loaded: Loaded, entry: Entry) -> None:
        try:
            if path.stream.inputs != entry.stream.inputs:
                path.series.failed("other schema")
                return
            start = time.perf_counter()
            outputs = await loaded.lane.submit(entry.inputs, entry.rows)
            seconds = time.perf_counter() - start
            path.series.answered(entry.rows, seconds)
            self._state.spool.add(
                Entry(
                    path.stream,
                    entry.request,
                    entry.time,
                    int(seconds * 1e6),
                    entry.rows,
                    entry.inputs,
                    outputs,
                    entry.event_times,
                    entry.entities,
                )
            )
        except KeelError:
            path.series.failed("failed")
