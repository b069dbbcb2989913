"""All SQL about traces."""

from modelkeel.traces.store import assessments, search, traces

__all__ = ["assessments", "search", "traces"]
