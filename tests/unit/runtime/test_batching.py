"""Rows never mix: whatever arrives together, each caller gets the answers to its own rows, in their order."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelkeel.core.errors import InvalidInput, KeelError, Unavailable
from modelkeel.runtime.batching import Lane


class Identity:
    """A model whose answer names the row that was asked; it refuses negative rows and drops the row 13."""

    platform = "test"

    def __init__(self, *, inline: bool, pause: float = 0.0) -> None:
        self._inline = inline
        self._pause = pause
        self.batches: list[int] = []
        self.closed = False

    def inline(self, rows: int) -> bool:  # noqa: ARG002 - as the runtime asks every model
        return self._inline

    def run(self, columns: list[list[Any]], rows: int) -> list[list[Any]]:
        self.batches.append(rows)
        if any(value < 0 for value in columns[0]):
            raise InvalidInput("negative")
        kept = [value for value in columns[0] if value != 13]
        return [[f"a{value}" for value in kept], [[value, -value] for value in kept]]

    async def predict(self, columns: list[list[Any]], rows: int) -> list[list[Any]]:
        await asyncio.sleep(self._pause)
        return self.run(columns, rows)

    async def close(self) -> None:
        self.closed = True


REQUESTS = st.lists(
    st.tuples(st.lists(st.integers(-1, 40), min_size=1, max_size=6), st.integers(0, 3)), min_size=1, max_size=30
)


@settings(max_examples=150, deadline=None)
@given(requests=REQUESTS, inline=st.booleans(), most=st.integers(1, 12))
def test_each_request_gets_exactly_its_own_rows(requests: list[tuple[list[int], int]], inline: bool, most: int):
    async def check() -> None:
        lane = Lane(Identity(inline=inline), max_batch=most)

        async def ask(number: int, values: list[int], turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            other = [f"{number}.{i}" for i in range(len(values))]
            future = lane.submit([values, other], len(values))
            if any(value < 0 for value in values):
                with pytest.raises(InvalidInput):
                    await future
            elif 13 in values:
                with pytest.raises(KeelError, match="rows for"):
                    await future
            else:
                assert await future == [[f"a{value}" for value in values], [[value, -value] for value in values]]

        await asyncio.gather(*(ask(i, values, turns) for i, (values, turns) in enumerate(requests)))

    asyncio.run(check())


async def test_what_arrives_in_one_turn_is_one_batch():
    model = Identity(inline=True)
    lane = Lane(model)
    await asyncio.gather(*(lane.submit([[i, i]], 2) for i in range(10)))
    assert model.batches == [20]


async def test_requests_gather_while_a_slow_batch_runs_and_retiring_waits_for_them():
    model = Identity(inline=False, pause=0.02)
    lane = Lane(model)
    first = lane.submit([[1]], 1)
    await asyncio.sleep(0.005)
    later = [lane.submit([[i]], 1) for i in range(2, 7)]
    retired = asyncio.create_task(lane.retire())
    await asyncio.gather(first, *later)
    assert model.batches == [1, 5]
    await retired
    assert model.closed


async def test_a_full_lane_says_so():
    lane = Lane(Identity(inline=False, pause=0.01), max_waiting=3)
    kept = lane.submit([[1, 2, 3]], 3)
    with pytest.raises(Unavailable):
        lane.submit([[4]], 1)
    assert (await kept)[0] == ["a1", "a2", "a3"]
