"""One run as a notebook shows it."""

import html
from dataclasses import dataclass
from typing import Any

SHOWN = 50


@dataclass(frozen=True, slots=True)
class RunCard:
    """A run's head, latest metrics, params and tags.

    Attributes:
        id: 32 hexadecimal digits.
        name: what people call it.
        experiment_id: where it belongs.
        status: where it stands.
        user: who ran it.
        started: RFC 3339, UTC.
        ended: the same; None while it runs.
        metrics: the latest value of each; None where it is NaN.
        params: each written once.
        tags: free key and value pairs.
    """

    id: str
    name: str
    experiment_id: str
    status: str
    user: str
    started: str
    ended: str | None
    metrics: dict[str, float | None]
    params: dict[str, str]
    tags: dict[str, str]

    @classmethod
    def of(cls, view: dict[str, Any]) -> "RunCard":
        """From the API's view of a run."""
        return cls(
            view["id"],
            view["name"],
            view["experiment"],
            view["status"],
            view["user"],
            view["started"],
            view.get("ended"),
            {key: each["value"] for key, each in view["metrics"].items()},
            view["params"],
            {key: value for key, value in view["tags"].items() if not key.startswith("mlflow.")},
        )

    def _repr_html_(self) -> str:
        """What a notebook shows; every text is escaped."""
        head = f"<b>{_text(self.name)}</b> <code>{_text(self.id)}</code> {_text(self.status)}"
        when = f"{_text(self.user)}, {_text(self.started)} to {_text(self.ended or 'now')}"
        metrics = {key: "NaN" if value is None else f"{value:.6g}" for key, value in self.metrics.items()}
        tables = [
            _table(name, rows) for name, rows in (("Metrics", metrics), ("Params", self.params), ("Tags", self.tags))
        ]
        return f"<div><p>{head}<br><small>{when}</small></p>{''.join(tables)}</div>"


def _table(name: str, rows: dict[str, str]) -> str:
    if not rows:
        return ""
    shown = sorted(rows.items())[:SHOWN]
    body = "".join(f"<tr><td>{_text(key)}</td><td>{_text(value)}</td></tr>" for key, value in shown)
    more = f"<tr><td colspan=2>{len(rows) - SHOWN} more</td></tr>" if len(rows) > SHOWN else ""
    return f"<table style='display:inline-table;vertical-align:top'><caption>{name}</caption>{body}{more}</table>"


def _text(value: str) -> str:
    return html.escape(str(value)[:500])
