"""`modelkeel audit`: the trail, and its proof without us."""

import io
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.errors import Conflict
from modelkeel.core.paths import unpack
from modelkeel.sdk.api import Api

audit = App(name="audit", help="Read, export and verify the ledger.")


@audit.command
def log(
    *,
    about: str = "",
    types: str = "",
    limit: int = 30,
    installation: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Show entries, newest first.

    Examples:
        modelkeel audit log --types alias.moved,traffic.shifted
        modelkeel audit log --about run:4f2a9c…

    Parameters
    ----------
    about
        kind:id of what the entries are about.
    types
        Comma-separated entry types.
    limit
        How many, at most 1000.
    installation
        Those of every workspace; takes an auditor or admin of the installation.
    json
        Print them as JSON.
    """
    query = {"about": about, "types": types, "limit": limit, "installation": installation or None}
    with Api.from_environment() as api:
        page = api.get("/api/v1/ledger/entries", query)
    if json:
        print_json(page)
        return
    table = Table()
    for column in ("entry", "time", "type", "about", "data"):
        table.add_column(column)
    for entry in page["entries"]:
        subject = " ".join(f"{kind}:{identity[:12]}" for kind, identity in entry["subject"].items())
        facts = {**entry["data"], **entry["texts"]}
        data = " ".join(f"{name}={value}" for name, value in facts.items())[:80]
        table.add_row(str(entry["index"]), entry["time"], entry["type"], subject, data)
    Console().print(table)


@audit.command
def export(directory: Path, *, installation: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Write a bundle that `verify.py`, which is in it, checks without a server and without Modelkeel.

    Examples:
        modelkeel audit export proof
        modelkeel audit export everything --installation
        python proof/verify.py proof

    Parameters
    ----------
    directory
        A new or empty folder.
    installation
        Every workspace's entries; takes an auditor or admin of the installation.
    """
    if directory.exists() and any(directory.iterdir()):
        raise Conflict(f"{directory} is not empty.", hint="Export into a new folder.")
    with Api.from_environment(timeout=600) as api:
        content = api.post_bytes(f"/api/v1/ledger/export{'?installation=true' if installation else ''}")
    unpack(io.BytesIO(content), directory, largest=len(content))
    Console().print(f"Wrote {directory}. Check it with: python {directory}/verify.py {directory}", highlight=False)


@audit.command
def verify(
    directory: Path, *, vkey: tuple[str, ...] = (), json: Annotated[bool, Parameter(negative=())] = False
) -> None:
    """Verify a bundle offline. Exit status 0: intact; 1: tampered; 2: unusable; 3: signatures not checked.

    Parameters
    ----------
    directory
        An export.
    vkey
        The key you were given in another way; it must have signed.
    json
        Print the report as JSON.
    """
    from modelkeel.ledger import verifier

    report = verifier.verify(directory, trusted=vkey)
    if json:
        print_json({**asdict(report), "exit_code": report.exit_code})
    else:
        Console().print(verifier.describe(report), highlight=False)
    sys.exit(report.exit_code)
