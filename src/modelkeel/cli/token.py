"""`modelkeel token`: API tokens."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.access import Permission
from modelkeel.sdk.api import Api

token = App(name="token", help="API tokens.")
Flag = Parameter(negative=())


@token.command
def new(
    user: str | None = None,
    *,
    name: str = "",
    permission: tuple[Permission, ...] = (),
    days: float | None = None,
    seconds: int | None = None,
    everywhere: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> None:
    """Mint a token. It is shown once; only its hash is stored.

    Examples:
        export MODELKEEL_TOKEN=$(modelkeel token new vera)
        modelkeel token new --name "nightly job" --permission read --permission track --days 90

    Parameters
    ----------
    user
        Whose, by name; yours by default. A token of somebody else takes the permission to grant.
    name
        What it is for.
    permission
        Narrow it to this permission; may be given several times.
    days
        Until it expires; by default it does not.
    seconds
        The same in seconds.
    everywhere
        Good in each of your workspaces, not only in this one.
    json
        Print the token with its id as JSON.
    """
    body = {
        "user": user,
        "name": name,
        "permissions": list(permission) or None,
        "seconds": round(days * 86_400) if days is not None else seconds,
        "everywhere": everywhere,
    }
    with Api.from_environment() as api:
        found = api.post("/api/v1/tokens", body)
    print_json(found) if json else print(found["secret"])


@token.command(name="list")
def list_all(*, everybody: Annotated[bool, Flag] = False, json: Annotated[bool, Flag] = False) -> None:
    """List your tokens, without their secrets.

    Parameters
    ----------
    everybody
        Those of the whole workspace; takes the permission to grant.
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/tokens", {"everybody": everybody})
    if json:
        print_json(found)
        return
    table = Table()
    for column in ("id", "user", "name", "workspace", "may", "expires", "last used"):
        table.add_column(column, overflow="fold")
    for one in found:
        may = "all that the user may" if one["permissions"] is None else ", ".join(one["permissions"])
        where = one["workspace"] or "all"
        day = [(one[when] or "never")[:10] for when in ("expires", "last_used")]
        table.add_row(one["id"], one["user_name"], one["name"], where, may, *day)
    Console().print(table)


@token.command
def revoke(token: str) -> None:
    """End a token at once.

    Parameters
    ----------
    token
        Its id, as `modelkeel token list` shows it.
    """
    with Api.from_environment() as api:
        api.delete(f"/api/v1/tokens/{token}")
    Console().print("The token is revoked.")
