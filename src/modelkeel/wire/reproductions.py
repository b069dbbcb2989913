"""The verdict on a rerun, and how it is shown."""

import msgspec


class Difference(msgspec.Struct, frozen=True):
    """One thing that a rerun made otherwise.

    Attributes:
        kind: `step`, `model`, `metric`, `package`, `python`, `machine` or `code`.
        name: which.
        was: what the first run had, in words.
        now: what the rerun has.
    """

    kind: str
    name: str
    was: str
    now: str


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a rerun.

    Attributes:
        run_id: the run that was rerun.
        rerun_id: the rerun.
        verdict: `identical` (same bytes), `equivalent` (same within the tolerance) or `diverged`.
        steps: step results compared.
        models: logged models compared.
        files: files of those models compared.
        metrics: metrics compared.
        tolerance: relative tolerance of metrics and of model predictions.
        differences: what differs; the first named is the first in the order of the run.
        by_meaning: what differs in bytes and is the same in meaning.
        causes: what differs around the run and may explain it.
        not_compared: steps that are never cached: they read what is outside of the run.
    """

    run_id: str
    rerun_id: str
    verdict: str
    steps: int
    models: int
    files: int
    metrics: int
    tolerance: float
    differences: list[Difference]
    by_meaning: list[str] = []
    causes: list[Difference] = []
    not_compared: list[str] = []


class RecordedReproduction(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with its ledger entry."""

    id: str
    recorded: str
    user: str
    entry: int
    reproduction: Reproduction
