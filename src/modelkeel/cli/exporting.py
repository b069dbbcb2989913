"""`modelkeel export`: write what the server holds for another tool."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape

from modelkeel.cli.moving import counting, listed
from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api

exporting = App(name="export", help="Write what the server holds for another tool.")
Names = Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())]


@exporting.command(name="mlflow")
def to_mlflow(
    target: str,
    *,
    artifacts: Path = Path("mlartifacts"),
    experiment: Names = None,
    model: Names = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Write a database and a folder of files that a stock `mlflow server` opens.

    Ids, users, times and the whole metric history are kept. What was written is read back and compared by counts and
    SHA-256 before the database takes its name.

    Examples:
        modelkeel export mlflow sqlite:///backup.db --artifacts ./mlartifacts
        modelkeel export mlflow sqlite:///churn.db --experiment churn --model churn

    Parameters
    ----------
    target
        A new SQLite database.
    artifacts
        The folder for files.
    experiment
        Names of experiments; with no model either: everything.
    model
        Names of registered models. The runs and logged models behind their versions go along.
    json
        Print the counts as JSON.
    """
    # Imported only here: the mlflow client takes long to load.
    from modelkeel.sdk.moving.from_keel import KeelSource
    from modelkeel.sdk.moving.to_mlflow import Export

    with Api.from_environment(timeout=600) as api, counting("Exporting", quiet=json) as tell:
        export = Export(KeelSource(api, experiment or [], model or []), target, artifacts, tell)
        export.write()
    if json:
        print_json(
            {"target": target, "artifacts": str(artifacts), "counts": dict(export.counts), "notes": export.notes}
        )
        return
    console = Console(highlight=False)
    console.print(f"Wrote {listed(export.counts)} to {escape(target)}, read back and found the same.")
    for note in export.notes:
        console.print(f"  {escape(note)}")
    console.print(f"mlflow server --backend-store-uri {target} --artifacts-destination {artifacts}", soft_wrap=True)
