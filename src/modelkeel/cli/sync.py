"""`modelkeel sync`: two Modelkeels, each with the other's work."""

import os
from typing import Annotated

from cyclopts import App, Parameter

from modelkeel.cli.moving import counting, print_report
from modelkeel.sdk.api import Api
from modelkeel.wire.moving import ImportView

sync = App(name="sync", help="Bring two Modelkeels together: a laptop that was offline, and the team's server.")
Names = Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())]
Flag = Annotated[bool, Parameter(negative=())]


@sync.command
def push(
    *,
    to: str,
    experiment: Names = None,
    model: Names = None,
    workspace: str | None = None,
    again: Flag = False,
    json: Flag = False,
) -> None:
    """Send experiments and models of this server to another one.

    Repeat it as often as you like: what the other has is not sent again, what was changed here since follows, and what
    was changed on both sides stays as it is there and is reported. Interrupted, it goes on where it was. The other
    server's token is taken from MODELKEEL_PEER_TOKEN; it must be a maintainer's. Here too, you need to be one.

    Examples:
        modelkeel sync push --to https://keel.example.com --experiment churn
        modelkeel sync push --to https://keel.example.com --model churn --workspace risk

    Parameters
    ----------
    to
        The other server's address.
    experiment
        Names of experiments; with no model either: everything.
    model
        Names of registered models. The runs and logged models behind their versions go along.
    workspace
        The workspace there; the token's own by default.
    again
        Compare also runs that went over before and have not changed since.
    json
        Print the report as JSON.
    """
    with Api.from_environment(timeout=600) as here, _peer(to, workspace) as there:
        view = _moved(here, there, experiment, model, again=again, json=json, verb="Sending")
    print_report(view, json=json)


@sync.command
def pull(
    *,
    origin: Annotated[str, Parameter(name="--from")],
    experiment: Names = None,
    model: Names = None,
    workspace: str | None = None,
    again: Flag = False,
    json: Flag = False,
) -> None:
    """Fetch experiments and models of another server.

    As `push`, the other way: what was changed on both sides stays as it is here.

    Examples:
        modelkeel sync pull --from https://keel.example.com --experiment churn

    Parameters
    ----------
    origin
        The other server's address.
    experiment
        Names of experiments; with no model either: everything.
    model
        Names of registered models. The runs and logged models behind their versions come along.
    workspace
        The workspace there; the token's own by default.
    again
        Compare also runs that came over before and have not changed since.
    json
        Print the report as JSON.
    """
    with Api.from_environment(timeout=600) as here, _peer(origin, workspace) as there:
        view = _moved(there, here, experiment, model, again=again, json=json, verb="Fetching")
    print_report(view, json=json)


def _peer(url: str, workspace: str | None) -> Api:
    return Api(url, os.environ.get("MODELKEEL_PEER_TOKEN"), timeout=600, workspace=workspace)


def _moved(
    source: Api, target: Api, experiments: Names, models: Names, *, again: bool, json: bool, verb: str
) -> ImportView:
    from modelkeel.sdk.moving.from_keel import KeelSource
    from modelkeel.sdk.moving.mover import Mover

    reader = KeelSource(source, experiments or [], models or [])
    with counting(verb, quiet=json) as tell:
        mover = Mover(reader, target, own=source, keep_numbers=False, again=again, progress=tell)
        return mover.move()
