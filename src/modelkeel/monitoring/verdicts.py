"""The judgement of one revision in one window: how far each column moved, how good the scores were. Pure."""

from typing import Any

from modelkeel.core import lazy_numpy as np
from modelkeel.monitoring.config import HIGHER_IS_BETTER, MonitorConfig
from modelkeel.monitoring.detectors import chi_square, jensen_shannon, psi, quality_drop
from modelkeel.monitoring.detectors.false_discovery import rejected
from modelkeel.monitoring.histograms import Counts, table
from modelkeel.monitoring.models import ColumnVerdict, Estimate, QualityVerdict
from modelkeel.monitoring.profile import Profile
from modelkeel.monitoring.stats import WindowStats


def judge_drift(config: MonitorConfig, profile: Profile, stats: WindowStats) -> list[ColumnVerdict]:
    """Every column against the reference; none where the window has too few rows for a verdict."""
    rule = config.drift
    names = [n for n in profile.columns if n in stats.columns and (not rule or not rule.columns or n in rule.columns)]
    if not names or stats.rows < (rule.min_rows if rule else 1):
        return []
    measured = []
    for name in names:
        reference, current = profile.columns[name].array(), np.asarray(stats.columns[name], dtype=np.int64)
        measured.append(
            (
                psi.measure(reference, current).effect,
                jensen_shannon.measure(reference, current).effect,
                chi_square.measure(reference, current).p or 0.0,
                _share(current),
            )
        )
    believed = rejected([p for _, _, p, _ in measured], rule.alpha if rule else 0.01)
    verdicts = []
    for name, (index, distance, p, missing), real in zip(names, measured, believed, strict=True):
        limit = limit_of(config, profile, name)
        far = index >= limit
        if rule is not None and rule.jensen_shannon is not None:
            far = far or distance >= rule.jensen_shannon
        verdicts.append(
            ColumnVerdict(name, index, distance, p, real, limit, rule is not None and far and real, missing)
        )
    return verdicts


def limit_of(config: MonitorConfig, profile: Profile, name: str) -> float:
    """The PSI from which on a column counts as shifted: the rule's, or its usual one within the reference if larger."""
    rule = config.drift
    usual = profile.columns[name].usual
    least = rule.psi if rule else 0.2
    return max(least, usual) if rule is not None and rule.calibrate and usual is not None else least


def judge_quality(config: MonitorConfig, profile: Profile, quality: dict[str, Estimate]) -> QualityVerdict | None:
    """The rule's metric against the reference; None without a rule, without enough labels, or with one class only."""
    rule = config.quality
    current = quality.get(rule.metric) if rule else None
    if rule is None or current is None or current.n < rule.min_labels:
        return None
    reference = profile.quality.get(rule.metric)
    if reference is None:
        return QualityVerdict(current, None, None, None, None, lost=False, recovered=False)
    drop = drop_of(config, profile, current)
    return QualityVerdict(current, reference, drop.bar, drop.worse, drop.p, drop.lost, drop.recovered)


def drop_of(config: MonitorConfig, profile: Profile, current: Estimate) -> quality_drop.Drop:
    """How much worse than the reference; a window's usual spread counts as uncertainty."""
    rule = config.quality
    if rule is None:
        raise ValueError("there is no quality rule")
    reference = profile.quality[rule.metric]
    return quality_drop.judge(
        current.value,
        float(np.hypot(current.se, profile.spread.get(rule.metric, 0.0))),
        reference.value,
        reference.se,
        allowed=rule.drop,
        confidence=rule.confidence,
        higher_is_better=rule.metric in HIGHER_IS_BETTER,
    )


def histograms(profile: Profile, stats: WindowStats, name: str) -> dict[str, Any]:
    """A column's histogram in the window beside the reference's."""
    column = profile.columns[name]
    return table(column.bins, column.array(), np.asarray(stats.columns[name], dtype=np.int64))


def _share(current: Counts) -> float:
    total = int(current.sum())
    return float(current[-1]) / total if total else 0.0
