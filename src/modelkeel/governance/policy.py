"""Policy as code: what a version must show before a protected alias of its model may move to it.

The table `[gates.<model>]` of `modelkeel.toml` has exactly these fields. A policy is named by the digest of its
canonical JSON, so a promotion says under which words it was judged.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import fields

from modelkeel.core.access import Role
from modelkeel.core.errors import InvalidInput
from modelkeel.core.hashing import digest_of

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=250)]
Count = Annotated[int, msgspec.Meta(ge=0, le=20)]


class MetricBound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A metric of the version's run must lie within bounds, both inclusive."""

    metric: Name
    min: float | None = None
    max: float | None = None


class BetterThanChampion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The candidate must beat the version that holds the alias, on the same data.

    The candidate's run shows it: metrics `<evidence>_<metric>`, `<evidence>_champion_<metric>` and a bound of the
    confidence interval of their difference, `<evidence>_<metric>_diff_low` (`…_diff_high` where lower is better);
    the parameter `<evidence>_champion`, the version it compared with; and a data set input with the context
    `<evidence>`, whose digest names the data.

    Attributes:
        metric: what is compared.
        evidence: the prefix of the names above.
        direction: which way is better.
        min_gain: how much better, in the metric's unit; the interval must also exclude "no better".
    """

    metric: Name
    evidence: Name = "challenge"
    direction: Literal["higher", "lower"] = "higher"
    min_gain: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class ApprovalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many people must agree, none of them an author of the version or the one who asks.

    Attributes:
        count: how many.
        roles: only people with one of these roles count; none: everybody who may approve.
    """

    count: Count = 1
    roles: tuple[Role, ...] = ()


class GatePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gates in front of one model's protected alias."""

    alias: Name = "champion"
    metrics: tuple[MetricBound, ...] = ()
    schema: bool = False
    approvals: Count | ApprovalRule = 0
    better_than_champion: BetterThanChampion | None = None

    @property
    def approval(self) -> ApprovalRule:
        """The approvals as a rule."""
        return ApprovalRule(self.approvals) if isinstance(self.approvals, int) else self.approvals

    @property
    def digest(self) -> str:
        """SHA-256 of the policy's canonical JSON without the fields that say nothing.

        So a gate that a later version adds, and that the policy does not use, leaves its name as it is.
        """
        return digest_of(_words(self))


def _words(value: Any) -> Any:
    """Plain values without the fields that have their defaults."""
    if isinstance(value, msgspec.Struct):
        said = {f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != f.default}
        return {name: _words(inner) for name, inner in said.items()}
    if isinstance(value, tuple):
        return [_words(inner) for inner in value]
    return value


class StoredPolicy(msgspec.Struct, frozen=True):
    """A policy in force.

    Attributes:
        model: whose alias it guards.
        digest: its name.
        policy: its words.
        set_at: since when, RFC 3339 UTC.
        set_by: who set it; a principal's id.
        entry: the ledger entry of that.
        changed: whether this call changed it.
        voided: promotions under an earlier policy that this call voided.
    """

    model: str
    digest: str
    policy: GatePolicy
    set_at: str
    set_by: str
    entry: int
    changed: bool = False
    voided: int = 0


def check(policy: GatePolicy) -> GatePolicy:
    """The policy itself, if it can be kept.

    Raises:
        InvalidInput: a bound without a limit, or limits the wrong way round.
    """
    for bound in policy.metrics:
        if bound.min is None and bound.max is None:
            raise InvalidInput(f"The gate on {bound.metric!r} has no limit.", hint="Give it min, max or both.")
        if bound.min is not None and bound.max is not None and bound.min > bound.max:
            raise InvalidInput(f"The gate on {bound.metric!r} wants at least {bound.min} and at most {bound.max}.")
    return policy


def parse(value: Any) -> GatePolicy:
    """A policy from plain values, as TOML or JSON give them.

    Raises:
        InvalidInput: an unknown field or a value of the wrong type; the message names where.
    """
    try:
        return check(msgspec.convert(value, GatePolicy))
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"This gate policy can't be read: {error}.",
            hint=f"Its fields are {', '.join(GatePolicy.__struct_fields__)}.",
        ) from error
