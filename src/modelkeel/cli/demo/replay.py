"""Replays flights through the real prediction API in simulated time; their labels follow when they land.

The monitor closes a week two days after it ended (flights land late). There the replay waits for the server, because
in simulated time a retraining takes minutes, not weeks.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import msgspec
import polars as pl

from modelkeel.sdk.api import Api

ROWS_PER_REQUEST = 40
CONCURRENT = 8
LABELS_PER_REQUEST = 20_000


@dataclass(slots=True)
class Tally:
    """What the replay did.

    Attributes:
        predictions: rows answered.
        labels: rows whose truth was sent.
        requests: HTTP requests.
        failed: requests that were not answered with 200.
        seconds: time spent in prediction requests.
    """

    predictions: int = 0
    labels: int = 0
    requests: int = 0
    failed: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)


class _Answer(msgspec.Struct):
    prediction_id: str


class Replay:
    """Sends flights and labels in the order of their times.

    Args:
        api: the control plane, for labels.
        url: the endpoint's address.
        flights: rows with the inputs, `id`, `event_ms`, `label_ms` and `late`, ordered by `event_ms`.
        inputs: names of the input columns.
    """

    def __init__(self, api: Api, url: str, flights: pl.DataFrame, inputs: list[str]) -> None:
        self._api = api
        self._url = f"{url}/invocations"
        self._flights = flights
        self._inputs = inputs
        self._waiting: list[pl.DataFrame] = []
        self.tally = Tally()
        self.last_prediction = ""

    def day(self, start_ms: int, end_ms: int, progress: Callable[[int], None]) -> None:
        """One stretch of simulated time: predictions of its departures, then labels of its arrivals."""
        rows = self._flights.filter((pl.col("event_ms") >= start_ms) & (pl.col("event_ms") < end_ms))
        if rows.height:
            began = time.monotonic()
            asyncio.run(self._send(rows, progress))
            self.tally.seconds += time.monotonic() - began
        self._label(end_ms)

    async def _send(self, rows: pl.DataFrame, progress: Callable[[int], None]) -> None:
        parts = list(rows.iter_slices(ROWS_PER_REQUEST))
        turn = asyncio.Semaphore(CONCURRENT)
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=CONCURRENT)) as client:

            async def one(part: pl.DataFrame) -> None:
                async with turn:
                    await self._predict(client, part)
                progress(part.height)

            await asyncio.gather(*(one(part) for part in parts))

    async def _predict(self, client: httpx.AsyncClient, part: pl.DataFrame) -> None:
        body = {
            "inputs": part.select(self._inputs).to_dict(as_series=False),
            "parameters": {"event_times": part["event_ms"].to_list(), "entities": part["id"].to_list()},
        }
        self.tally.requests += 1
        try:
            answer = await client.post(self._url, content=msgspec.json.encode(body))
        except httpx.TransportError as error:
            self._failed(f"{type(error).__name__}: {error}")
            return
        if answer.status_code != httpx.codes.OK:
            self._failed(f"{answer.status_code}: {answer.text[:200]}")
            return
        request = msgspec.json.decode(answer.content, type=_Answer).prediction_id
        ids = [f"{request}.{row}" for row in range(part.height)]
        self.last_prediction = ids[0]
        self.tally.predictions += part.height
        self._waiting.append(part.select("label_ms", "late").with_columns(pl.Series("prediction", ids)))

    def _failed(self, what: str) -> None:
        self.tally.failed += 1
        self.tally.errors.append(what)

    def _label(self, now_ms: int) -> None:
        if not self._waiting:
            return
        waiting = pl.concat(self._waiting).filter(pl.col("label_ms").is_not_null())
        known = waiting.filter(pl.col("label_ms") < now_ms)
        self._waiting = [waiting.filter(pl.col("label_ms") >= now_ms)]
        for part in known.iter_slices(LABELS_PER_REQUEST):
            body = {
                "prediction_ids": part["prediction"].to_list(),
                "labels": part["late"].to_list(),
                "event_times": part["label_ms"].to_list(),
            }
            self.tally.labels += int(self._api.post("/api/v1/labels", body)["accepted"])
