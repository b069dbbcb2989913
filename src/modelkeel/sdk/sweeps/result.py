"""What became of a sweep and its trials."""

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelkeel.core.errors import NotFound

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of a sweep.

    Attributes:
        number: from 0.
        state: `complete`, `pruned` or `failed`.
        params: what was chosen.
        value: what it came to; None where it is not complete.
        run_id: its run.
        error: of a failed one.
    """

    number: int
    state: str
    params: dict[str, Any]
    value: float | None = None
    run_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What became of a sweep.

    Attributes:
        run_id: of the sweep itself; its trials are runs below it.
        metric: by which trials are judged; empty: by what they return.
        direction: `maximize` or `minimize`.
        trials: all of them, those from before it was resumed too.
        url: where it is shown.
    """

    run_id: str
    metric: str
    direction: str
    url: str
    trials: list[Trial] = field(default_factory=list)

    @property
    def best(self) -> Trial:
        """The best complete trial.

        Raises:
            NotFound: none is complete.
        """
        complete = [trial for trial in self.trials if trial.value is not None]
        if not complete:
            raise NotFound("No trial of the sweep is complete.", hint="`.trials` says why.")
        sign = -1 if self.direction == "maximize" else 1
        return min(complete, key=lambda trial: (sign * (trial.value or 0.0), trial.number))

    def frame(self) -> "pl.DataFrame":
        """A row for each trial: number, state, value, its parameters, its run."""
        import polars as pl

        rows = [
            {"number": one.number, "state": one.state, "value": one.value, **one.params, "run_id": one.run_id}
            for one in sorted(self.trials, key=lambda one: one.number)
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def _repr_html_(self) -> str:
        done = sum(trial.state == "complete" for trial in self.trials)
        head = f"<p><b>Sweep</b> {html.escape(self.run_id)}: {done} of {len(self.trials)} trials complete</p>"
        return head + self.frame()._repr_html_()
