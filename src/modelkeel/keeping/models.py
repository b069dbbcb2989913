"""What is held, what would go, and what went. Times are milliseconds since 1970, sizes bytes."""

import msgspec

from modelkeel.tracking.holds import HoldKind

DAY_MS = 86_400_000
OLDER_THAN_DAYS = 30.0
GRACE_SECONDS = 3600.0
LISTED = 1000
"""So many things are named in an answer; all are counted."""


class PlaceHold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a hold.

    Attributes:
        kind: on what.
        object: id of a run or an experiment; of a version, `NAME/NUMBER`.
        reason: why; anybody who sees the hold sees it.
    """

    kind: HoldKind
    object: str
    reason: str


class Collect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a collection.

    Attributes:
        older_than_days: only what was deleted at least so long ago goes.
        grace_seconds: content that came, or was asked for, within this time stays, whoever refers to it.
        runs: only these runs, if any are named.
        experiments: only these experiments with what is in them, if any are named.
    """

    older_than_days: float = OLDER_THAN_DAYS
    grace_seconds: float = GRACE_SECONDS
    runs: list[str] = []
    experiments: list[str] = []


class Thing(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that goes, or stays though it was deleted.

    Attributes:
        kind: `run`, `logged_model`, `experiment`, `version` or `model`.
        id: of a version, the model's id, a slash and the number.
        name: as people call it.
        workspace: id.
        because: why it stays; empty for what goes.
    """

    kind: str
    id: str
    name: str
    workspace: str
    because: str = ""


class Collection(msgspec.Struct, frozen=True):
    """What a collection removes, or removed.

    Attributes:
        applied: whether it was done, not only looked at.
        counts: things that go, by kind.
        going: those things, the first thousand.
        staying: what was deleted long enough ago and stays, and why; the first thousand.
        blobs: pieces of content that nothing refers to.
        bytes: what they take in the store.
        too_new: such content that stays for now, because it came or was asked for lately.
    """

    applied: bool
    counts: dict[str, int]
    going: list[Thing]
    staying: list[Thing]
    blobs: int
    bytes: int
    too_new: int
