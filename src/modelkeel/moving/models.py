"""How two versions of a thing become one, without losing what either side changed."""

from dataclasses import dataclass

import msgspec

Base = dict[str, str | None]
"""What a thing was when both sides last agreed: its fields, flat."""


class Origin(msgspec.Struct, frozen=True):
    """Where a thing of a peer is here.

    Attributes:
        ours: its id here.
        base: its fields when both sides last agreed; None: they never did.
        mark: the source's mark when all of it had come over; empty: it has not.
    """

    ours: str
    base: Base | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of a merge.

    Attributes:
        changes: what changes here: the new value, or None where it goes.
        conflicts: fields that differ and were changed on both sides; they stay as they are here.
        base: what both sides agree on now; a conflict keeps its old one, so it is reported until it is resolved.
    """

    changes: Base
    conflicts: list[str]
    base: Base


def merge(base: Base | None, theirs: Base, ours: Base) -> Merged:
    """What a three-way merge changes here.

    A field that only one side changed takes that side's value. One that both changed, each otherwise, is a conflict.
    Without a base, what is missing here is taken and what is different is a conflict.
    """
    before = base or {}
    changes: Base = {}
    conflicts: list[str] = []
    agreed: Base = {}
    for key in sorted({*theirs, *before}):
        new, old, held = theirs.get(key), before.get(key), ours.get(key)
        if new == held or (base is not None and new == old):
            pass  # the same, or changed only here
        elif held == old:
            changes[key] = new
        else:
            conflicts.append(key)
            new = old
        if new is not None:
            agreed[key] = new
    return Merged(changes, conflicts, agreed)
