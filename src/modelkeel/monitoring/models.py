"""What monitoring answers with: predictions, labels, windows, alerts, incidents."""

from typing import Any, Literal

import msgspec

from modelkeel.monitoring.config import MonitorConfig

Value = float | int | bool | str
AlertKind = Literal["drift", "quality", "prediction_drift"]
AlertStatus = Literal["open", "acknowledged", "resolved"]
TRAFFIC_BUCKET_MS = 10_000


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The truth about one prediction; `event_time` (milliseconds or RFC 3339) is when it became known."""

    prediction_id: str
    label: Value
    event_time: int | str | None = None


class LabelColumns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Many labels by column: less to send and to read."""

    prediction_ids: list[str]
    labels: list[Value]
    event_times: list[int | str | None] | None = None


class LabelReceipt(msgspec.Struct, frozen=True):
    """How many labels are now kept durably."""

    accepted: int


class KnownLabel(msgspec.Struct, frozen=True):
    """A label as it was received; a later one for the same prediction corrects it."""

    label: Value
    received: str
    event_time: str | None
    actor: str


class ShadowRecord(msgspec.Struct, frozen=True):
    """What a shadow revision said to the same row."""

    revision: str
    model: str
    version: int
    outputs: dict[str, Any]
    latency_us: int


class PredictionRecord(msgspec.Struct, frozen=True):
    """One predicted row.

    Attributes:
        id: `<request>.<row>`.
        endpoint: the endpoint's name; `endpoint_id` its id.
        server_time: when it was answered.
        event_time: when the thing happened, by the caller.
        label: the latest truth, none so far; `labels` is its history.
        segment: id of the sealed segment that holds the row; `segment_digest` is its blob, `leaf` its place there.
        shadows: what shadow revisions said.
    """

    id: str
    endpoint: str
    endpoint_id: str
    revision: str
    model: str
    version: int
    variant: str
    server_time: str
    event_time: str
    entity: str | None
    latency_us: int
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    label: Value | None
    labels: list[KnownLabel]
    segment: str
    segment_digest: str
    segment_root: str
    leaf: int
    shadows: list[ShadowRecord]


class Monitor(msgspec.Struct, frozen=True):
    """A watched endpoint.

    Attributes:
        watermark: event time up to which rows are taken as complete; none before the first row.
        behind: segments, label batches and windows that are yet to be looked at; 0 when all that was logged is judged.
    """

    id: str
    endpoint: str
    config: MonitorConfig
    digest: str
    watermark: str | None
    behind: int
    created: str
    updated: str


class Estimate(msgspec.Struct, frozen=True):
    """A metric with its confidence interval; `n` rows stand behind it."""

    metric: str
    value: float
    low: float
    high: float
    se: float
    n: int


class ColumnVerdict(msgspec.Struct, frozen=True):
    """One column of one window against the reference.

    Attributes:
        psi: population stability index.
        jensen_shannon: distance, base 2.
        p: of the chi-square test of homogeneity; `rejected` after control of the false-discovery rate.
        limit: of the PSI, as calibrated.
        shifted: effect and evidence both.
        missing: share of missing values.
    """

    column: str
    psi: float
    jensen_shannon: float
    p: float
    rejected: bool
    limit: float
    shifted: bool
    missing: float


class QualityVerdict(msgspec.Struct, frozen=True):
    """The judged metric of one window against the reference.

    Attributes:
        reference: on the reference.
        bar: reference less the allowed drop; `worse` how much worse than the reference.
        p: of at least such a drop if the true one were just the allowed one.
        lost: the interval's better end misses the bar.
        recovered: the value itself reaches the bar.
    """

    current: Estimate
    reference: Estimate | None
    bar: float | None
    worse: float | None
    p: float | None
    lost: bool
    recovered: bool


class RevisionWindow(msgspec.Struct, frozen=True):
    """What one revision did in one window.

    Attributes:
        labels: rows with a label; `coverage` their share.
        quality: every metric that the labels allow.
        judged: the rule's metric against the reference.
        drift: columns against the reference, the score as `prediction`; empty without enough rows or a reference.
        enough_rows: whether drift was judged; `enough_labels` the same for quality.
    """

    revision: str
    variant: str
    model: str
    version: int
    rows: int
    labels: int
    coverage: float
    quality: dict[str, Estimate]
    judged: QualityVerdict | None
    drift: list[ColumnVerdict]
    enough_rows: bool
    enough_labels: bool
    has_reference: bool


class Window(msgspec.Struct, frozen=True):
    """A tumbling window [start, end) of event time, with what each revision did in it."""

    start: str
    end: str
    closed: bool
    rows: int
    revisions: list[RevisionWindow]


class Alert(msgspec.Struct, frozen=True):
    """Something that needs attention.

    Attributes:
        feature: the column, or the metric of a quality alert.
        start: of the first bad window; `end` of the latest.
        windows: bad windows so far.
        effect: PSI, or how much worse the metric is.
        threshold: what it is held against.
        p: of the test against chance.
        evidence: histograms or estimates, reference beside current.
    """

    id: str
    endpoint: str
    kind: AlertKind
    feature: str
    revision: str
    status: AlertStatus
    start: str
    end: str
    windows: int
    effect: float
    threshold: float
    p: float | None
    evidence: dict[str, Any]
    incident: str
    created: str
    updated: str
    acknowledged: str | None
    acknowledged_by: str | None
    note: str | None
    resolved: str | None
    resolution: str | None


class Action(msgspec.Struct, frozen=True):
    """Something that an alert started; `target` is the pipeline, `run` its run."""

    id: str
    alert: str
    kind: str
    target: str
    status: str
    run: str | None
    error: str | None
    created: str
    ended: str | None


class Moment(msgspec.Struct, frozen=True):
    """One step of an incident's timeline, from the ledger."""

    index: int
    time: str
    type: str
    actor: str
    subject: dict[str, Any]
    data: dict[str, Any]
    texts: dict[str, str]


class Incident(msgspec.Struct, frozen=True):
    """What belongs together from the first alert to the measured recovery."""

    id: str
    endpoint: str
    opened: str
    closed: str | None
    resolution: str | None
    alerts: list[Alert]
    actions: list[Action]
    timeline: list[Moment]


class Traffic(msgspec.Struct, frozen=True):
    """Requests of one revision in one bucket of server time."""

    time: str
    revision: str
    variant: str
    model: str
    version: int
    requests: int
    rows: int
    mean_latency_us: float
    max_latency_us: int


class Gap(msgspec.Struct, frozen=True):
    """Rows that were answered and are not in the log."""

    rows: int
    start: str
    end: str
    reason: str


class TrafficReport(msgspec.Struct, frozen=True):
    """Live traffic of an endpoint, oldest bucket first."""

    bucket_seconds: float
    series: list[Traffic]
    gaps: list[Gap]


class Comparison(msgspec.Struct, frozen=True):
    """Two revisions on the rows that both scored and that have a label.

    Attributes:
        rows: how many.
        a: metrics of the first; `b` of the second.
        gain: `b` − `a` of each metric that has a paired test, with its interval.
    """

    rows: int
    a: dict[str, Estimate]
    b: dict[str, Estimate]
    gain: dict[str, Estimate]
