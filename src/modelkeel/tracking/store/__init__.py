"""All of tracking's SQL, one file a subject."""

from modelkeel.tracking.store import (
    artifacts,
    code,
    experiments,
    holds,
    logged_models,
    metrics,
    run_search,
    runs,
    search,
    segments,
    tables,
    uploads,
)

__all__ = [
    "artifacts",
    "code",
    "experiments",
    "holds",
    "logged_models",
    "metrics",
    "run_search",
    "runs",
    "search",
    "segments",
    "tables",
    "uploads",
]
