"""What the supervisor and a runtime process tell each other over their socket pair."""

import msgspec

from modelkeel.runtime.metrics import Snapshot
from modelkeel.wire.serving import RoutingTable


class Prepare(msgspec.Struct, tag="prepare"):
    """Load and verify what this table needs; with `tolerant`, go on without the revisions that fail."""

    seq: int
    table: RoutingTable
    tolerant: bool = False


class Commit(msgspec.Struct, tag="commit"):
    """Serve the prepared table."""

    seq: int


class Abort(msgspec.Struct, tag="abort"):
    """Forget the prepared table."""

    seq: int


class Report(msgspec.Struct, tag="report"):
    """Tell your counters."""

    seq: int


class Merged(msgspec.Struct, tag="merged"):
    """The counters of all processes, for a `WantMetrics`."""

    seq: int
    snapshots: list[Snapshot]


class Stop(msgspec.Struct, tag="stop"):
    """Finish what is in flight and end."""

    seq: int
    drain_seconds: float


class Hello(msgspec.Struct, tag="hello"):
    """A runtime serves; `failures` says why a revision isn't loaded."""

    generation: int
    failures: dict[str, str]
    renewal: int = 0


class Done(msgspec.Struct, tag="done"):
    """The answer to the request with this number; reasons mean that it failed."""

    seq: int
    reasons: list[str] | None = None
    snapshot: Snapshot | None = None
    failures: dict[str, str] = msgspec.field(default_factory=dict)


class Used(msgspec.Struct, tag="used"):
    """On which day, counted from 1970, each of these keys was used last; by hash."""

    days: dict[str, int]


class WantMetrics(msgspec.Struct, tag="want-metrics"):
    """Somebody asks this runtime for the counters of all."""

    seq: int


ToRuntime = Prepare | Commit | Abort | Report | Merged | Stop
FromRuntime = Hello | Done | Used | WantMetrics
to_runtime = msgspec.msgpack.Decoder(ToRuntime)
from_runtime = msgspec.msgpack.Decoder(FromRuntime)
