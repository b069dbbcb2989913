"""Runs the server's background work: of several servers on one database, in one at a time."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from modelkeel.storage.leases import Leases

log = logging.getLogger(__name__)
Worker = Callable[[], Awaitable[None]]
PAUSE = 5.0


@contextlib.asynccontextmanager
async def background(own: Sequence[Worker], single: Sequence[Worker], leases: Leases | None) -> AsyncIterator[None]:
    """Keeps workers going as long as the context is open.

    Args:
        own: what every server does for itself.
        single: what only one server may do at a time.
        leases: decides which; None where no other server can be.
    """
    tasks = [asyncio.create_task(_forever(worker)) for worker in own]
    if leases is None:
        tasks += [asyncio.create_task(_forever(worker)) for worker in single]
    else:
        tasks.append(asyncio.create_task(_leading(leases, single)))
    try:
        yield
    finally:
        await _end(tasks)


async def _leading(leases: Leases, single: Sequence[Worker]) -> None:
    while True:
        try:
            async with leases.held("background") as lost:
                log.info("this server does the background work now")
                tasks = [asyncio.create_task(_forever(worker)) for worker in single]
                try:
                    await lost.wait()
                finally:
                    await _end(tasks)
                log.warning("another server may do the background work now")
        except Exception:
            log.exception("the lease of the background work can't be asked for")
            await asyncio.sleep(PAUSE)


async def _forever(worker: Worker) -> None:
    """Restarts a worker that failed, after a pause: one fault must not end the watch."""
    while True:
        try:
            await worker()
        except Exception:
            log.exception("background work failed")
        await asyncio.sleep(PAUSE)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
