"""Prices, the bill and its arithmetic. No I/O. Money is a plain number in the currency of the prices."""

from typing import Annotated

import msgspec

from modelkeel.core.hashing import digest_of

HOUR = 3600.0
MONTH_SECONDS = 30 * 24 * HOUR
GIB = 2**30
Price = Annotated[float, msgspec.Meta(ge=0)]


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a unit costs. The table `[prices]` of `modelkeel.toml` has exactly these fields.

    The defaults are of the order of on-demand prices of general-purpose machines in public clouds; they are marked as
    defaults on every bill until somebody sets their own.

    Attributes:
        currency: a word, usually an ISO 4217 code; nothing is converted.
        cpu_hour: one processor core busy for an hour.
        gib_hour: one GiB (2³⁰ bytes) of memory held for an hour.
        storage_gib_month: one GiB stored for 30 days.
    """

    currency: Annotated[str, msgspec.Meta(min_length=1, max_length=12)] = "USD"
    cpu_hour: Price = 0.04
    gib_hour: Price = 0.005
    storage_gib_month: Price = 0.025

    def compute(self, cpu_seconds: float, gib_seconds: float) -> float:
        """Cost of busy processors and held memory."""
        return cpu_seconds / HOUR * self.cpu_hour + gib_seconds / HOUR * self.gib_hour

    def storage(self, byte_seconds: float) -> float:
        """Cost of bytes kept for seconds."""
        return byte_seconds / GIB / MONTH_SECONDS * self.storage_gib_month


class StoredPrices(msgspec.Struct, frozen=True):
    """The prices in force.

    Attributes:
        digest: names them.
        default: whether nobody has set any: they are only of a plausible size.
        set_at: since when; None for the defaults.
        set_by: by whom; a principal's id.
        entry: the ledger entry of that.
        changed: whether this call changed them.
    """

    prices: Prices
    digest: str
    default: bool
    set_at: str | None = None
    set_by: str | None = None
    entry: int | None = None
    changed: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the bill.

    Attributes:
        name: what is billed, in words.
        id: of it, where it has one.
        amount: its cost.
        cpu_seconds: busy processor time.
        gib_seconds: memory held times time.
        seconds: wall time.
        count: runs of a pipeline, versions of a model, rows that an endpoint answered.
        how: how the amount was reckoned.
    """

    name: str
    amount: float
    how: str
    id: str = ""
    cpu_seconds: float = 0.0
    gib_seconds: float = 0.0
    seconds: float = 0.0
    count: int = 0


class RunCost(msgspec.Struct, frozen=True):
    """What one run cost, in the currency of the prices."""

    line: Line
    currency: str


class PerThousand(msgspec.Struct, frozen=True, kw_only=True):
    """Cost of a thousand answered rows of one endpoint.

    Attributes:
        serving: of the serving processes alone.
        with_training: with the pipeline runs that made the served versions, spread over the same rows.
    """

    endpoint: str
    rows: int
    serving: float
    with_training: float
    how: str


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What the step cache has spared."""

    cached_steps: int
    seconds: float
    cpu_seconds: float
    amount: float
    how: str


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace has cost so far.

    Attributes:
        total: pipelines, other runs, serving and storage; `models` is another view of these, not added again.
        pipelines: by pipeline.
        runs: the dearest runs, pipeline or not.
        models: by model: the runs that made its versions, and serving them.
        endpoints: the serving processes, divided by use.
        storage: blobs, from their first day.
        per_1000_predictions: by endpoint.
        savings: by cached steps.
    """

    currency: str
    prices: StoredPrices
    made_at: str
    total: float
    pipelines: list[Line]
    other_runs: Line
    runs: list[Line]
    models: list[Line]
    endpoints: list[Line]
    storage: Line
    per_1000_predictions: list[PerThousand]
    savings: Saved


DEFAULT = StoredPrices(Prices(), digest_of(msgspec.to_builtins(Prices())), default=True)
