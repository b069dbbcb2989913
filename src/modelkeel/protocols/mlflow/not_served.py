"""What of MLflow's protocol is left out on purpose. docs/reference/not-served.md is made of this table."""

from typing import NamedTuple

_ROOTS = ("/api/2.0", "/api/3.0", "/ajax-api/2.0", "/ajax-api/3.0")


class Left(NamedTuple):
    """A part that is left out.

    Attributes:
        path: how its addresses begin, below `/api/2.0` or `/api/3.0`; one that ends in `$` is meant exactly.
        what: what it is.
        instead: what to use instead.
    """

    path: str
    what: str
    instead: str


_GATEWAY = "The LLM gateway"
_OWN_GATEWAY = "A gateway of its own, in front of the providers; Modelkeel keeps no providers' keys."
_PAGE = "Part of MLflow's own page"
_OWN_PAGE = "Modelkeel's page."
_SCORERS = "Registered scorers and scoring of traces by the server"
_OWN_SCORERS = "Score in your own process, then `mlflow.log_feedback`."
_USERS = "Permissions by the older calls of MLflow's auth app, and lists of them"
_ROLES = "Roles of your own"
_OWN_ROLES = "The roles that there are (docs/guides/access.md), and permissions on single experiments and models."
_OWN_USERS = "`modelkeel users` and `modelkeel grant`, or `/api/v1/users` and `/api/v1/grants` (docs/guides/access.md)."
_OLD = "Traces of clients before 3.4, which send spans as files"
_NEWER = "A newer `mlflow`, or any OpenTelemetry exporter to `/v1/traces`."
LEFT = (
    Left("/mlflow/gateway", _GATEWAY, _OWN_GATEWAY),
    Left("/mlflow/gateway-proxy", _GATEWAY, _OWN_GATEWAY),
    Left("/mlflow/prompt-optimization", "Prompt optimisation", "Optimise in your own process; track it as a run."),
    Left("/mlflow/scorers", _SCORERS, _OWN_SCORERS),
    Left("/mlflow/scorer", _SCORERS, _OWN_SCORERS),
    Left("/mlflow/genai", _SCORERS, _OWN_SCORERS),
    Left("/mlflow/get-online-trace-details", _SCORERS, _OWN_SCORERS),
    Left("/mlflow/jobs", "Jobs that the server runs", "Pipelines, started by `modelkeel run` or by the API."),
    Left("/mlflow/review-queues", "Review queues", "Tags of traces, and searches for them."),
    Left("/mlflow/label-schemas", "Label schemas", "Assessments, named as you like."),
    Left("/mlflow/issues", "Issues found in traces", "Assessments and tags of traces."),
    Left("/mlflow/assistant", "MLflow's assistant", "Nothing."),
    Left("/mlflow/workspaces", "Workspaces of MLflow's kind", "Modelkeel's workspaces: one for each token."),
    Left(
        "/mlflow/traces/calculate-filter-correlation", "Correlations of filters", "`search_traces` and your own count."
    ),
    Left("/mlflow/traces/metrics", "Metrics of traces, counted by the server", "`search_traces` and your own count."),
    Left("/mlflow/traces/link-prompts", "Links of traces to prompts", "Tags of traces."),
    Left("/mlflow/unified-traces", "Traces in a warehouse", "`search_traces`."),
    Left("/mlflow/traces$", _OLD, _NEWER),
    Left("/mlflow/traces/", _OLD, _NEWER),
    Left("/mlflow/get-trace-artifact", _PAGE, _OWN_PAGE),
    Left("/mlflow/runs/create-promptlab-run", _PAGE, _OWN_PAGE),
    Left("/mlflow/upload-artifact", _PAGE, _OWN_PAGE),
    Left("/mlflow/ui-telemetry", _PAGE, _OWN_PAGE),
    Left("/mlflow/experiments/permissions", _USERS, _OWN_USERS),
    Left("/mlflow/registered-models/permissions", _USERS, _OWN_USERS),
    Left("/mlflow/users/permissions/list", _USERS, _OWN_USERS),
    Left("/mlflow/users/current/permissions", _USERS, _OWN_USERS),
    Left("/mlflow/users/create-ui", _PAGE, _OWN_PAGE),
    *(Left(f"/mlflow/roles/{verb}", _ROLES, _OWN_ROLES) for verb in ("create", "update", "delete", "permissions")),
    Left("/graphql", _PAGE, _OWN_PAGE),
)


def left_out(path: str) -> Left | None:
    """The part that an address belongs to, if it is one that is left out.

    Args:
        path: of the request, such as `/api/3.0/mlflow/scorers/list`.
    """
    below = path.rstrip("/")
    for root in _ROOTS:
        below = below.removeprefix(root)
    for left in LEFT:
        if left.path.endswith("$"):
            if below == left.path[:-1]:
                return left
        elif below == left.path or below.startswith(left.path if left.path.endswith("/") else f"{left.path}/"):
            return left
    return None
