"""`modelkeel predictions`: what was answered, found by its id."""

from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api

predictions = App(name="predictions", help="Look into the prediction log.")


@predictions.command
def show(prediction_id: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Show one prediction: its inputs, its answer, its label, and where it is kept.

    Examples:
        modelkeel predictions show 019a2f0c-7d1e-7c2a-9d37-1f4f5f0f3a11.0
        modelkeel predictions show 019a2f0c-7d1e-7c2a-9d37-1f4f5f0f3a11 --json

    Parameters
    ----------
    prediction_id
        As the answer gave it: `<request>.<row>`; without a row, the first.
    json
        Print it as JSON.
    """
    with Api.from_environment() as api:
        found = api.get(f"/api/v1/predictions/{prediction_id}")
    if json:
        print_json(found)
        return
    Console().print(_table(found))


def _table(found: dict[str, Any]) -> Table:
    table = Table(title=found["id"], title_justify="left", show_header=False)
    table.add_column()
    table.add_column()
    label = "none yet" if found["label"] is None else str(found["label"])
    if len(found["labels"]) > 1:
        label += f" (corrected {len(found['labels']) - 1} times)"
    rows = {
        "endpoint": found["endpoint"],
        "model": f"{found['model']}/{found['version']}",
        "revision": f"{found['revision']} ({found['variant']})",
        "answered": found["server_time"],
        "event time": found["event_time"],
        "entity": found["entity"] or "",
        "latency": f"{found['latency_us'] / 1000:.2f} ms",
        **{f"in  {name}": _value(value) for name, value in found["inputs"].items()},
        **{f"out {name}": _value(value) for name, value in found["outputs"].items()},
        "label": label,
        **{f"shadow {s['model']}/{s['version']}": _value(s["outputs"]) for s in found["shadows"]},
        "segment": found["segment"],
        "leaf": f"{found['leaf']} of the tree {found['segment_root']}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
