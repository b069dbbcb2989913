"""All SQL about traces."""

from modelkeel.traces.store import assessments, evaluation, moving, search, traces

__all__ = ["assessments", "evaluation", "moving", "search", "traces"]
