"""All of tracking's SQL, one file a subject."""

from modelkeel.tracking.store import (
    artifacts,
    experiments,
    logged_models,
    metrics,
    run_search,
    runs,
    search,
    tables,
    uploads,
)

__all__ = ["artifacts", "experiments", "logged_models", "metrics", "run_search", "runs", "search", "tables", "uploads"]
