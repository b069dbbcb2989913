"""A rollout's next state and traffic, as pure rules."""

import msgspec
import pytest

from modelkeel.core.errors import InvalidInput
from modelkeel.serving.models import Rollout, RolloutPolicy, RolloutState, Share, Verdict, next_state, traffic_of

POLICY = RolloutPolicy(shadow_rows=100, steps=[10, 50], rows_per_step=20)


def _rollout(state: RolloutState, step: int = 0, base: int = 0, policy: RolloutPolicy = POLICY) -> Rollout:
    return Rollout("r", "e", "new", "old", state, step, 0, base, policy, None, "", 0, "u")


@pytest.mark.parametrize(
    ("state", "step", "base", "rows", "expected"),
    [
        (RolloutState.SHADOW, 0, 0, 99, (RolloutState.SHADOW, 0)),
        (RolloutState.SHADOW, 0, 0, 100, (RolloutState.STEPPING, 0)),
        (RolloutState.STEPPING, 0, 100, 119, (RolloutState.STEPPING, 0)),
        (RolloutState.STEPPING, 0, 100, 120, (RolloutState.STEPPING, 1)),
        (RolloutState.STEPPING, 1, 120, 140, (RolloutState.COMPLETED, 1)),
    ],
)
def test_rows_since_the_last_move_decide(state, step, base, rows, expected):
    assert next_state(_rollout(state, step, base), Verdict(rows)) == expected


def test_any_reason_aborts():
    assert next_state(_rollout(RolloutState.SHADOW), Verdict(500, ["too many errors"]))[0] is RolloutState.ABORTED


def test_without_steps_the_shadow_is_followed_by_everything():
    bare = RolloutPolicy(shadow_rows=5)
    assert next_state(_rollout(RolloutState.SHADOW, policy=bare), Verdict(5))[0] is RolloutState.COMPLETED


@pytest.mark.parametrize(
    ("state", "step", "routes", "shadow"),
    [
        (RolloutState.PREPARING, 0, [Share("old", 100)], None),
        (RolloutState.SHADOW, 0, [Share("old", 100)], "new"),
        (RolloutState.STEPPING, 0, [Share("old", 90), Share("new", 10)], None),
        (RolloutState.STEPPING, 1, [Share("old", 50), Share("new", 50)], None),
        (RolloutState.COMPLETED, 1, [Share("new", 100)], None),
        (RolloutState.ABORTED, 1, [Share("old", 100)], None),
    ],
)
def test_traffic_follows_the_state(state, step, routes, shadow):
    assert traffic_of(_rollout(state, step)) == (routes, shadow)


def test_the_first_revision_gets_everything():
    first = msgspec.structs.replace(_rollout(RolloutState.COMPLETED), champion=None)
    assert traffic_of(first) == ([Share("new", 100)], None)


@pytest.mark.parametrize("steps", [[50, 10], [10, 10]])
def test_steps_that_do_not_grow_are_refused(steps):
    with pytest.raises(InvalidInput, match="grow"):
        RolloutPolicy(steps=steps)
