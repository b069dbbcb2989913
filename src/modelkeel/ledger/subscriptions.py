"""Subscribers with durable cursors: each sees every entry in order, at least once, also after a crash."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from modelkeel.ledger.models import Entry
from modelkeel.ledger.service import Ledger

BATCH = 500
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who hears of what.

    Attributes:
        name: of the subscriber; its cursor is kept under it.
        types: entry types that it handles; it skips the others.
        handle: the effect; done twice it must change nothing more.
    """

    name: str
    types: frozenset[str]
    handle: Callable[[Entry], Awaitable[None]]


async def follow(ledger: Ledger, subscription: Subscription) -> None:
    """Handles entries for ever; a failing one is tried again with growing pauses, never skipped silently."""
    pause = 0.5
    while True:
        batch = await ledger.after(subscription.name, BATCH)
        if len(batch) < BATCH and not any(entry.type in subscription.types for entry in batch):
            # the cursor stays: moving it past a few entries that do not matter would cost a commit each time
            await ledger.changed(2.0, subscription.types)
            continue
        done: Entry | None = None
        try:
            for entry in batch:
                if entry.type in subscription.types:
                    await subscription.handle(entry)
                done = entry
            pause = 0.5
        except Exception:
            log.exception("subscriber %s failed", subscription.name)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 60)
        if done is not None:
            await ledger.handled(subscription.name, done.index)
