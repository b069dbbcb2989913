"""`modelkeel approve`, `reject`, `approvals`, `standing-approval`: what people decide."""

from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.cli.promote import show
from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.api import Api

standing_approval = App(name="standing-approval", help="Approve in advance, within limits, what the server retrains.")


def approve(promotion: str, *, reason: str = "", json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Approve a promotion.

    Your approval is bound to the evidence as it is now: any change voids it.

    Examples:
        MODELKEEL_TOKEN=… modelkeel approve 0199b1…

    Parameters
    ----------
    promotion
        Its id; `modelkeel approvals` lists what waits.
    reason
        Kept beside the ledger entry.
    json
        Print the promotion as JSON.
    """
    with Api.from_environment() as api:
        seen = api.get(f"/api/v1/promotions/{promotion}")
        body = {"reason": reason, "evidence": seen["evidence"]}
        found = api.post(f"/api/v1/promotions/{promotion}/approve", body)
    print_json(found) if json else show(found)


def reject(promotion: str, *, reason: str, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Reject a promotion; it ends there.

    Parameters
    ----------
    promotion
        Its id.
    reason
        What has to change.
    json
        Print the promotion as JSON.
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/promotions/{promotion}/reject", {"reason": reason})
    print_json(found) if json else show(found)


def approvals(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """List promotions that wait for approval.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/promotions", {"status": "waiting_approval"})
    if json:
        print_json(found)
        return
    for promotion in found:
        show(promotion)
    if not found:
        Console().print("Nothing waits for approval.", highlight=False)


@standing_approval.command
def give(
    model: str,
    *,
    bar: str,
    like: int | None = None,
    code: str | None = None,
    promotions: int = 1,
    days: float = 30,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Approve in advance: candidates of one pipeline's code, under the policy in force, above a bar.

    Examples:
        modelkeel standing-approval give churn --bar auc=0.7 --like 1 --promotions 5 --days 90

    Parameters
    ----------
    model
        Whose promotions.
    bar
        METRIC=VALUE that a candidate's run must reach.
    like
        A version whose pipeline code is trusted.
    code
        Or the digest of that code.
    promotions
        How many at most.
    days
        Until it expires.
    json
        Print it as JSON.
    """
    metric, _, least = bar.partition("=")
    try:
        body: dict[str, Any] = {"model": model, "metric": metric, "min": float(least)}
    except ValueError:
        raise InvalidInput(f"{bar!r} is no bar.", hint="Write METRIC=VALUE, for example auc=0.7.") from None
    body |= {"promotions": promotions, "days": days, "like": like, "code": code}
    with Api.from_environment() as api:
        found = api.post("/api/v1/standing-approvals", body)
    print_json(found) if json else _table([found])


@standing_approval.command(name="list")
def list_all(*, model: str | None = None, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """List standing approvals.

    Parameters
    ----------
    model
        Only of this model.
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/standing-approvals", {"model": model})
    print_json(found) if json else _table(found)


@standing_approval.command
def revoke(identity: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Take a standing approval back, at once.

    Parameters
    ----------
    identity
        Its id.
    json
        Print it as JSON.
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/standing-approvals/{identity}/revoke")
    print_json(found) if json else _table([found])


def _table(found: list[dict[str, Any]]) -> None:
    table = Table()
    for column in ("id", "alias", "bar", "left", "until", "given by", "code", "policy"):
        table.add_column(column)
    for one in found:
        left = "revoked" if one["revoked"] else f"{one['left']} of {one['promotions']}"
        cells = [one["id"], f"{one['model']}@{one['alias']}", f"{one['metric']} ≥ {one['min']:g}", left]
        table.add_row(*cells, one["expires"][:16], one["name"], one["code"][:12], one["policy"][:12])
    Console().print(table)
