"""`modelkeel costs`: the bill."""

from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api


def costs(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Show what the workspace has cost so far, by pipeline, model, endpoint and 1,000 predictions.

    Prices are those of `[prices]` in modelkeel.toml; without them, defaults that the bill marks as such.

    Parameters
    ----------
    json
        Print the bill as JSON.
    """
    with Api.from_environment() as api:
        bill = api.get("/api/v1/costs")
    print_json(bill) if json else show(bill)


def show(bill: dict[str, Any]) -> None:
    """The bill as a table."""
    console, currency = Console(), bill["currency"]
    table = Table(title=f"Costs until {bill['made_at'][:19]}Z", title_justify="left")
    table.add_column("what")
    for column in ("count", "CPU s", "GiB h", currency):
        table.add_column(column, justify="right")
    for title, lines in (("pipeline", bill["pipelines"]), ("endpoint", bill["endpoints"])):
        for line in lines:
            _row(table, f"{title} {line['name']}", line)
    _row(table, bill["other_runs"]["name"], bill["other_runs"])
    size = bill["storage"]["count"] / 2**20
    table.add_row(f"storage, {size:.1f} MiB", "", "", "", money(bill["storage"]["amount"]))
    table.add_section()
    table.add_row("[bold]total[/]", "", "", "", f"[bold]{money(bill['total'])}[/]")
    table.add_section()
    for line in bill["models"]:
        table.add_row(
            f"of which model {line['name']}",
            f"{line['count']} version{'' if line['count'] == 1 else 's'}",
            "",
            "",
            money(line["amount"]),
        )
    for one in bill["per_1000_predictions"]:
        rows = f"{one['rows']:,} rows"
        table.add_row(f"1,000 predictions of {one['endpoint']}", rows, "", "", money(one["serving"]))
        table.add_row("  with the training behind them", "", "", "", money(one["with_training"]))
    saved = bill["savings"]
    steps = f"{saved['cached_steps']} steps"
    table.add_row("saved by cached steps", steps, f"{saved['cpu_seconds']:.1f}", "", money(saved["amount"]))
    console.print(table)
    prices = bill["prices"]["prices"]
    source = "default prices, set your own" if bill["prices"]["default"] else "your prices"
    console.print(
        f"[dim]{source}: {prices['cpu_hour']:g} a CPU hour, {prices['gib_hour']:g} a GiB hour,"
        f" {prices['storage_gib_month']:g} a stored GiB month[/]",
        highlight=False,
    )
    reckoned = [*bill["pipelines"][:1], *bill["endpoints"][:1], bill["other_runs"]]
    for how in dict.fromkeys(line["how"] for line in reckoned):
        console.print(f"[dim]· {escape(how)}[/]", highlight=False)


def money(amount: float) -> str:
    """An amount with as many digits as it takes to see it."""
    return f"{amount:.2f}" if amount >= 1 else f"{amount:.6f}"


def _row(table: Table, title: str, line: dict[str, Any]) -> None:
    hours = line["gib_seconds"] / 3600
    table.add_row(title, f"{line['count']:,}", f"{line['cpu_seconds']:.1f}", f"{hours:.4f}", money(line["amount"]))
