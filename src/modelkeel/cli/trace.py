"""`modelkeel trace` and `modelkeel served`: what stands behind a prediction, and what served when."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from modelkeel.cli.costs import money
from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api


def trace(subject: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Show which model, data, code, environment and approver stand behind a prediction, or behind a version.

    Examples:
        modelkeel trace 0199b1d2c3.0
        modelkeel trace churn/7

    Parameters
    ----------
    subject
        A prediction's id, or `name/7`.
    json
        Print it all as JSON.
    """
    model, _, number = subject.rpartition("/")
    with Api.from_environment() as api:
        if model and number.isdecimal():
            found = api.get(f"/api/v1/trace/versions/{model}/{number}")
        else:
            found = api.get(f"/api/v1/trace/predictions/{subject}")
    if json:
        print_json(found)
        return
    tree = _prediction(found) if "prediction" in found else _version_tree(found)
    Console().print(tree)


def served(
    endpoint: str,
    *,
    at: str,
    clock: Literal["server", "event"] = "server",
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Show what served at a time.

    Examples:
        modelkeel served churn --at 2026-03-03T12:00:00Z
        modelkeel served flights --at 2013-07-01T12:00:00Z --clock event

    Parameters
    ----------
    endpoint
        Its name.
    at
        The time, RFC 3339.
    clock
        `server`: when we answered; `event`: when the things happened, by the callers.
    json
        Print the answer as JSON.
    """
    with Api.from_environment() as api:
        found = api.get(f"/api/v1/served/{endpoint}", {f"{clock}_time": at})
    if json:
        print_json(found)
        return
    console = Console()
    console.print(f"{found['endpoint']} at {found['time']} ({found['clock']} time)", highlight=False)
    for one in found["served"]:
        by = ", ".join(one["approved_by"]) or "nobody: no gate wanted it"
        console.print(
            f"  {one['weight']:g} %  {one['model']}/{one['version']}  revision {one['number']}  approved by {by}",
            highlight=False,
        )
    if not found["served"]:
        console.print("  nothing", highlight=False)
    if found["prediction"]:
        console.print(f"  [dim]shown by prediction {found['prediction']} of {found['since']}[/]", highlight=False)
    console.print(f"  [dim]ledger {_entries(found)}[/]", highlight=False)


def _prediction(found: dict[str, Any]) -> Tree:
    it = found["prediction"]
    tree = Tree(f"[bold]prediction {it['id']}[/]  answered {it['server_time']}, event {it['event_time']}")
    inputs = ", ".join(f"{name}={value}" for name, value in list(it["inputs"].items())[:6])
    outputs = ", ".join(f"{name}={value}" for name, value in it["outputs"].items())
    tree.add(escape(f"inputs {inputs} …"))
    tree.add(escape(f"outputs {outputs}; label {it['label']}"))
    tree.add(f"sealed in segment {it['segment_digest'][:12]}, row {it['leaf']}  [dim]{_entries(it)}[/]")
    revision = found["revision"]
    branch = tree.add(
        f"endpoint [bold]{it['endpoint']}[/], revision {revision['number']} ({revision['runs_as']}), deployed by"
        f" {revision['deployed_by']} {revision['deployed_at'][:19]}Z  [dim]{_entries(revision)}[/]"
    )
    _origin(branch, found["origin"])
    return tree


def _version_tree(found: dict[str, Any]) -> Tree:
    version = found["origin"]["version"]
    tree = Tree(f"[bold]{version['model']}/{version['version']}[/]  {found['predictions']:,} rows answered")
    for use in found["uses"]:
        tree.add(
            f"endpoint {use['endpoint']}, revision {use['number']} ({use['state']}): {use['rows']:,} rows,"
            f" {use['shadow_rows']:,} in shadow"
        )
    _origin(tree, found["origin"])
    return tree


def _origin(tree: Tree, origin: dict[str, Any]) -> None:
    version = origin["version"]
    branch = tree.add(
        f"model [bold]{version['model']}/{version['version']}[/] {version['digest'][:12]}, registered by"
        f" {version['registered_by']} {version['registered_at'][:19]}Z  [dim]{_entries(version)}[/]"
    )
    for promotion in origin["promotions"]:
        entries = " ".join(str(index) for index in promotion["entries"].values())
        gates = branch.add(f"@{promotion['alias']}: {promotion['status'].replace('_', ' ')}  [dim]{entries}[/]")
        for gate in promotion["gates"]:
            gates.add(escape(f"{gate['verdict']}  {gate['gate']}: {gate['sentence']}"))
    branch.add(f"approved by {', '.join(origin['approved_by']) or 'nobody: no gate wanted it'}")
    run = origin["run"]
    if run is None:
        branch.add("made by no run that is known")
        return
    made = branch.add(f"run [bold]{run['id'][:12]}[/] by {run['by']} {run['started'][:19]}Z  [dim]{_entries(run)}[/]")
    if run["metrics"]:
        made.add("metrics " + ", ".join(f"{k} {v:.4g}" for k, v in sorted(run["metrics"].items())[:6]))
    for dataset in run["datasets"]:
        made.add(escape(f"data set {dataset['name']} {dataset['digest']}"))
    if origin["pipeline"] is not None:
        _pipeline(made, origin["pipeline"])
    cost = origin["cost"]
    if cost is not None:
        made.add(f"cost {money(cost['amount'])} {cost['currency']} ({cost['how']})")


def _pipeline(tree: Tree, it: dict[str, Any]) -> None:
    branch = tree.add(f"pipeline [bold]{it['pipeline']}[/] ({it['origin']})  [dim]{_entries(it)}[/]")
    snapshot, environment = it["snapshot"], it["environment"]
    code = f"code {it['code'][:12]}"
    if snapshot is not None:
        commit = f", commit {snapshot['commit'][:12]}" if snapshot.get("commit") else ""
        code += f", snapshot {snapshot['digest'][:12]}{commit}{' with changes' if snapshot.get('dirty') else ''}"
    branch.add(code)
    if environment is not None:
        lock = environment.get("lock") or "none"
        branch.add(f"environment Python {environment['python']}, {environment['packages']} packages, lock {lock[:12]}")
    params = ", ".join(f"{k}={v}" for k, v in it["params"].items()) or "none"
    branch.add(escape(f"params {params}, seed {it['seed']}"))
    for data in it["data"]:
        branch.add(escape(f"data {data['name']} {data['value']['digest'][:12]}"))
    branch.add("steps " + ", ".join(f"{s['name']} ({s['status']})" for s in it["steps"]))
    if it["machine"]:
        branch.add("machine " + ", ".join(f"{k} {v}" for k, v in list(it["machine"].items())[:5]))


def _entries(part: dict[str, Any]) -> str:
    return "entries " + " ".join(str(index) for index in part["entries"]) if part["entries"] else ""
