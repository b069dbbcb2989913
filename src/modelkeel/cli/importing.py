"""`modelkeel import`: bring over what another tool holds."""

from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from modelkeel.cli.moving import counting, print_report
from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api
from modelkeel.wire.moving import ImportView

importing = App(name="import", help="Bring over what another tool holds.")


@importing.command(name="mlflow")
def from_mlflow(
    source: str,
    *,
    registry_uri: str | None = None,
    artifacts: str | None = None,
    experiment: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    again: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Bring over experiments, runs, artifacts and registered models of an MLflow. It is only read.

    Ids are kept where they are free here; what gets another one is printed. Interrupted, give the command again: it
    goes on where it was. At the end counts and hashes of both sides are compared. Takes a maintainer.

    Examples:
        modelkeel import mlflow http://mlflow.example.com:5000
        modelkeel import mlflow sqlite:///mlflow.db --artifacts ./mlartifacts
        modelkeel import mlflow ./mlruns --experiment churn fraud

    Parameters
    ----------
    source
        A tracking server's URL, a database's URI or an mlruns folder.
    registry_uri
        Where the registered models are, if elsewhere.
    artifacts
        The folder or address that the tracking server was given as --artifacts-destination. Only for a database.
    experiment
        Names of the experiments to bring over, and the models made from them; all by default.
    again
        Compare also runs that came over before and have not changed since.
    dry_run
        Only count what there is.
    json
        Print the report as JSON.
    """
    # Imported only here: the mlflow client takes long to load.
    from modelkeel.sdk.moving.from_mlflow import MlflowSource
    from modelkeel.sdk.moving.mover import Mover, count

    reader = MlflowSource(source, registry_uri, artifacts, experiment or [])
    try:
        with counting("Counting" if dry_run else "Importing", quiet=json) as tell:
            if dry_run:
                counts = count(reader, tell)
                print_json(counts) if json else Console().print(
                    f"{reader.shown} has {_words(counts)}.", highlight=False
                )
                return
            with Api.from_environment(timeout=600) as api:
                view = Mover(reader, api, again=again, progress=tell).move()
    finally:
        reader.close()
    print_report(view, json=json)


@importing.command(name="list")
def list_all(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """List imports and syncs into the workspace, latest first.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/imports", type=list[ImportView])
    if json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        how = "did not end" if one.report is None else "complete" if one.report.complete else "with differences"
        Console().print(f"{one.id}  {one.started[:19]}Z  {one.by}  {one.source}  {how}", highlight=False)


@importing.command
def report(identity: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Show an import's report.

    Parameters
    ----------
    identity
        The import's id.
    json
        Print it as JSON.
    """
    with Api.from_environment() as api:
        print_report(api.get(f"/api/v1/imports/{identity}", type=ImportView), json=json)


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items())
