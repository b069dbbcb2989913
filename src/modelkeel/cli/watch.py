"""`modelkeel watch`: an endpoint's windows and alerts in the terminal."""

import time
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api


def watch(
    endpoint: str,
    *,
    windows: int = 12,
    follow: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Show how an endpoint's model does: windows by event time, the most drifted columns, quality, alerts.

    Examples:
        modelkeel watch flights
        modelkeel watch flights --follow
        modelkeel watch flights --json

    Parameters
    ----------
    endpoint
        The endpoint's name; it needs a monitor (modelkeel.toml, `[monitors.NAME]`).
    windows
        How many of the newest windows to show.
    follow
        Keep the table up to date until interrupted.
    json
        Print monitor, windows, alerts and incidents as JSON.
    """
    with Api.from_environment() as api:
        if json:
            print_json(_load(api, endpoint, windows))
            return
        console = Console()
        if not follow:
            console.print(_page(_load(api, endpoint, windows)))
            return
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(_page(_load(api, endpoint, windows)), refresh=True)
                time.sleep(1)


def _load(api: Api, endpoint: str, windows: int) -> dict[str, Any]:
    return {
        "monitor": api.get(f"/api/v1/monitors/{endpoint}"),
        "windows": api.get(f"/api/v1/monitors/{endpoint}/windows", {"limit": windows}),
        "alerts": api.get("/api/v1/alerts", {"endpoint": endpoint, "limit": 50}),
        "incidents": api.get("/api/v1/incidents", {"endpoint": endpoint, "limit": 10}),
    }


def _page(found: dict[str, Any]) -> RenderableType:
    parts: list[RenderableType] = [_windows(found["monitor"], found["windows"])]
    if found["alerts"]:
        parts.append(_alerts(found["alerts"]))
    else:
        parts.append("No alerts.")
    return Group(*parts)


def _windows(monitor: dict[str, Any], windows: list[dict[str, Any]]) -> Table:
    rule = monitor["config"]["quality"]
    metric = rule["metric"] if rule else "auc"
    complete = _minute(monitor["watermark"]) if monitor["watermark"] else "nothing yet"
    table = Table(title=f"{monitor['endpoint']}  complete up to {complete}", title_justify="left")
    for column in ("window", "model", "part", "rows", "labels", metric, "reference", "most drifted"):
        table.add_column(column, justify="right" if column in {"rows", "labels"} else "left")
    for window in windows:
        for i, revision in enumerate(window["revisions"]):
            state = "" if window["closed"] else " (open)"
            table.add_row(
                _minute(window["start"]) + state if i == 0 else "",
                f"{revision['model']}/{revision['version']}",
                revision["variant"],
                f"{revision['rows']:,}",
                f"{revision['labels']:,} ({revision['coverage']:.0%})",
                _quality(revision, metric),
                _reference(revision),
                _drift(revision),
            )
    return table


def _quality(revision: dict[str, Any], metric: str) -> str:
    found = revision["quality"].get(metric)
    if found is None:
        return ""
    text = f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
    judged = revision["judged"]
    return f"[red]{text}[/]" if judged and judged["lost"] else text


def _reference(revision: dict[str, Any]) -> str:
    if not revision["has_reference"]:
        return "none"
    judged = revision["judged"]
    return f"{judged['reference']['value']:.3f}" if judged and judged["reference"] else ""


def _drift(revision: dict[str, Any]) -> str:
    columns = sorted(revision["drift"], key=lambda c: (not c["shifted"], -c["psi"]))[:3]
    texts = [f"{c['column']} {c['psi']:.2f}" for c in columns]
    return ", ".join(f"[red]{t}[/]" if c["shifted"] else t for t, c in zip(texts, columns, strict=True))


def _alerts(alerts: list[dict[str, Any]]) -> Table:
    table = Table(title="alerts", title_justify="left")
    for column in ("status", "kind", "of", "since", "windows", "effect", "limit", "p", "resolution"):
        table.add_column(column)
    for alert in alerts:
        style = "" if alert["status"] == "resolved" else "red"
        p = "" if alert["p"] is None else f"{alert['p']:.1e}"
        table.add_row(
            alert["status"],
            alert["kind"],
            alert["feature"],
            _minute(alert["start"]),
            str(alert["windows"]),
            f"{alert['effect']:.3f}",
            f"{alert['threshold']:.3f}",
            p,
            alert["resolution"] or "",
            style=style,
        )
    return table


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
