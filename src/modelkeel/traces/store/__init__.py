"""All SQL about traces."""

from modelkeel.traces.store import assessments, evaluation, search, traces

__all__ = ["assessments", "evaluation", "search", "traces"]
