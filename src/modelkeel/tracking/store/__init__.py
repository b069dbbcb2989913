"""All of tracking's SQL, one file a subject."""

from modelkeel.tracking.store import artifacts, experiments, logged_models, metrics, runs, search, tables

__all__ = ["artifacts", "experiments", "logged_models", "metrics", "runs", "search", "tables"]
