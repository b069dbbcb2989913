"""What a user says about a monitor: windows, rules for drift and quality, what an alert starts."""

import re
from typing import Annotated, Literal

import msgspec

from modelkeel.core.clock import parse_rfc3339, rfc3339
from modelkeel.core.errors import InvalidInput

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(\d{1,9})([smhdw])")
MONDAY = "1970-01-05T00:00:00.000Z"
Metric = Literal["auc", "log_loss", "brier", "accuracy", "mae", "rmse"]
HIGHER_IS_BETTER = frozenset({"auc", "accuracy"})
Fraction = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


def parse_duration(text: str) -> int:
    """Milliseconds for `90s`, `15m`, `6h`, `7d` or `2w`.

    Raises:
        InvalidInput: another form.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"{text!r} is not a duration.", hint="Write a number and one of s, m, h, d, w: 7d.")
    return int(found[1]) * _UNITS[found[2]]


class DriftRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an input, or the score, has drifted: an effect that matters and evidence against chance, again and again.

    Attributes:
        psi: population stability index from which on a column counts as shifted.
        jensen_shannon: the same for the Jensen-Shannon distance (base 2, 0 to 1); none: not judged by it.
        min_rows: a window with fewer rows is not judged.
        persist: windows in a row that must be beyond the limit.
        alpha: false-discovery rate over the columns of one window (Benjamini-Hochberg).
        calibrate: raise a column's limit to the largest value that it reaches between parts of the reference itself;
            needs an `event_time` column in the reference.
        columns: judge only these; empty: all.
    """

    psi: Positive = 0.2
    jensen_shannon: Fraction | None = None
    min_rows: Count = 1000
    persist: Count = 2
    alpha: Fraction = 0.01
    calibrate: bool = True
    columns: tuple[str, ...] = ()


class QualityRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When quality is lost.

    Attributes:
        metric: judged on the labelled rows of a window.
        drop: how much worse than on the reference matters, in the metric's own unit.
        min_labels: a window with fewer labels is not judged.
        persist: windows in a row that must be worse.
        confidence: of the two-sided interval whose better end must still miss the bar.
    """

    metric: Metric = "auc"
    drop: Positive = 0.03
    min_labels: Count = 1000
    persist: Count = 2
    confidence: Fraction = 0.95


class Reaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an alert starts.

    Attributes:
        retrain: name of the pipeline; none: nothing is started.
        cool_down_windows: windows that must pass after an action before the next.
        max_actions: actions in one incident, so that it can't go on for ever.
        kinds: alerts that start it.
    """

    retrain: str | None = None
    cool_down_windows: Annotated[int, msgspec.Meta(ge=0)] = 4
    max_actions: Count = 5
    kinds: tuple[Literal["drift", "quality", "prediction_drift"], ...] = ("drift", "quality", "prediction_drift")


class ReferenceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the reference of a revision comes from, and what its columns mean.

    Attributes:
        path: an artifact of the run that made the version: a Parquet file of the inputs, a score that the model gave to
            rows it had not seen in training, and the label.
        digest: a blob uploaded for this monitor instead; it then serves every revision.
        score: the reference's column of scores.
        label: its column of labels.
        event_time: its column of event times (milliseconds since 1970), if it has one.
    """

    path: str = "reference.parquet"
    digest: str | None = None
    score: str = "score"
    label: str = "label"
    event_time: str = "event_time"


class MonitorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one endpoint is watched: `[monitors.<endpoint>]`.

    Attributes:
        window: length of a tumbling window on event time.
        lateness: how far rows may come behind the newest event time before their window closes.
        anchor: a moment at which a window begins.
        drift: none: drift is measured and not judged.
        quality: none: quality is measured and not judged.
        on_alert: what an alert starts.
        output: the output that is the score; empty: the model's probability of its last class, else its first number.
        reference: what windows are compared with.
    """

    window: str = "1d"
    lateness: str = "1h"
    anchor: str = MONDAY
    drift: DriftRule | None = DriftRule()
    quality: QualityRule | None = QualityRule()
    on_alert: Reaction = Reaction()
    output: str = ""
    reference: ReferenceRule = ReferenceRule()

    def check(self) -> None:
        """Reads what is text.

        Raises:
            InvalidInput: a duration or the anchor is malformed, or the window is shorter than a second.
        """
        if self.window_ms < 1_000:
            raise InvalidInput("A window can't be shorter than one second.")
        _ = self.lateness_ms, self.anchor_ms

    @property
    def window_ms(self) -> int:
        """Length of a window in milliseconds."""
        return parse_duration(self.window)

    @property
    def lateness_ms(self) -> int:
        """Allowed lateness in milliseconds."""
        return parse_duration(self.lateness)

    @property
    def anchor_ms(self) -> int:
        """The anchor in milliseconds since 1970."""
        return parse_rfc3339(self.anchor)

    def start_of(self, event_ms: int) -> int:
        """The start of the window `[start, end)` that holds an event time."""
        length, anchor = self.window_ms, self.anchor_ms
        return (event_ms - anchor) // length * length + anchor

    def title(self, start: int) -> str:
        """A window in words: `2013-04-01T00:00:00.000Z/2013-04-08T00:00:00.000Z`."""
        return f"{rfc3339(start)}/{rfc3339(start + self.window_ms)}"
