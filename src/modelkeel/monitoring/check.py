"""One reference file against one current file, without a server: the report behind a single judgement."""

import msgspec

from modelkeel.monitoring.config import MonitorConfig
from modelkeel.monitoring.histograms import count
from modelkeel.monitoring.models import ColumnVerdict, Estimate, QualityVerdict
from modelkeel.monitoring.profile import SCORE, measured_quality, profile_of, read_table
from modelkeel.monitoring.stats import WindowStats
from modelkeel.monitoring.verdicts import judge_drift, judge_quality


class Report(msgspec.Struct, frozen=True):
    """What one file looks like beside another."""

    rows: int
    reference_rows: int
    drift: list[ColumnVerdict]
    quality: dict[str, Estimate]
    judged: QualityVerdict | None


def check(reference: bytes, current: bytes, config: MonitorConfig | None = None) -> Report:
    """Compares two tables (Parquet or Arrow IPC) by the rules of a monitor.

    Raises:
        InvalidInput: a file can't be read, or is empty.
    """
    rules = config or MonitorConfig()
    profile = profile_of(read_table(reference), rules)
    frame = read_table(current)
    columns = {}
    for name, column in profile.columns.items():
        source = rules.reference.score if name == SCORE else name
        if source in frame.columns:
            series = frame[source].fill_nan(None).drop_nulls() if name == SCORE else frame[source]
            columns[name] = count(column.bins, series).tolist()
    quality = measured_quality(frame, rules)
    stats = WindowStats(frame.height, columns)
    return Report(
        rows=frame.height,
        reference_rows=profile.rows,
        drift=judge_drift(rules, profile, stats),
        quality=quality,
        judged=judge_quality(rules, profile, quality),
    )
