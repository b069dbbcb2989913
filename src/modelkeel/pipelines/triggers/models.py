"""What a trigger is and may be: rules that need no I/O."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from modelkeel.core.errors import InvalidInput, Unauthenticated
from modelkeel.core.quantities import seconds
from modelkeel.pipelines.models import MAX_NAME, check_name
from modelkeel.pipelines.triggers.clock import check_cron

EVENTS = frozenset(
    {
        "alert.raised",
        "alert.resolved",
        "alias.moved",
        "dataset_version.created",
        "incident.opened",
        "labels.sealed",
        "pipeline.ended",
        "promotion.committed",
        "rollout.aborted",
        "rollout.completed",
        "version.created",
        "window.closed",
    }
)
"""Entries of the ledger that may start a pipeline."""

HOURLY = 60
"""A trigger starts no more runs in an hour: two pipelines that start each other come to rest."""

TOLERANCE_SECONDS = 300
"""How old or how far ahead the time in a signed call may be, as Standard Webhooks proposes."""

LONGEST_EVENT = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLACE = re.compile(r"\{(due|date|event|data)\}")

Kind = Literal["cron", "entry", "path", "webhook"]
Overlap = Literal["skip", "queue", "cancel", "allow"]
CatchUp = Literal["latest", "all", "none"]
FiringStatus = Literal["waiting", "launched", "skipped", "failed"]


class SetTrigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What starts a pipeline, and how. Exactly one of `cron`, `on`, `path` and `webhook` is given.

    Attributes:
        pipeline: its name; it has run once, so that its code and environment are known.
        cron: five fields: minute, hour, day of the month, month, day of the week, as Debian's cron reads them.
        timezone: of `cron`, by its IANA name. An hour that the clocks skip or repeat counts once.
        catch_up: of times that passed while the server was down: `latest` runs for the last of them, `all` for each
            of the newest hundred, `none` for none.
        on: the type of a ledger entry, e.g. `alert.raised`.
        where: what such an entry must be about: names of its `endpoint`, `model` or `experiment`, and values of its
            data and texts.
        path: a file, a folder, a pattern or a Delta table on the server's machine, which the operator let pipelines
            read. It counts as changed when its files' names, sizes or times, or the table's version, are others.
        settle: for how long a changed path must stay the same.
        webhook: whether a signed call starts it.
        params: what differs from the pipeline's last run. In texts `{due}` stands for the time it was due, `{date}`
            for the day in the time zone, `{event}` for what happened, `{data}` for the state of the path.
        overlap: what happens while a run of this trigger is under way: `skip` the new one, `queue` it, `cancel` the
            old one, or `allow` both.
        at_most_every: what happens sooner after the last run is skipped.
    """

    pipeline: str
    cron: str | None = None
    timezone: str = "UTC"
    catch_up: CatchUp = "latest"
    on: str | None = None
    where: dict[str, str | int | float | bool] = {}
    path: str | None = None
    settle: str = "10s"
    webhook: bool = False
    params: dict[str, Any] = {}
    overlap: Overlap = "skip"
    at_most_every: str | None = None

    @property
    def kind(self) -> Kind:
        """What starts it."""
        if self.cron is not None:
            return "cron"
        if self.on is not None:
            return "entry"
        return "path" if self.path is not None else "webhook"


class Trigger(msgspec.Struct, frozen=True):
    """A trigger as it stands.

    Attributes:
        config: as it was set.
        paused: whether nothing is started for now.
        set_by: id of who set it last: its runs are started in their name, as long as they may.
        next_due: when a schedule is due next.
        hook: the address of signed calls, below the server's.
        last: the newest thing that it did.
        changed: whether setting it changed anything.
        secret: signs calls; told once, when it is made.
    """

    id: str
    name: str
    config: SetTrigger
    kind: Kind
    paused: bool
    set_by: str
    created: str
    updated: str
    next_due: str | None = None
    hook: str | None = None
    last: "Firing | None" = None
    changed: bool = False
    secret: str | None = None


class Firing(msgspec.Struct, frozen=True):
    """One time that a trigger fired.

    Attributes:
        event: why: `cron:TIME`, `entry:INDEX`, `data:STATE`, `call:ID`, `hand:ID`. A trigger fires once for each.
        due: when it should have.
        status: `waiting` for its turn, `launched`, `skipped` or `failed`.
        run_id: of the run that it started.
        why: it was skipped, or failed.
        ended: when that was settled.
    """

    id: str
    trigger: str
    event: str
    due: str
    status: FiringStatus
    run_id: str | None = None
    why: str = ""
    ended: str | None = None


class Fire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fires a trigger by hand; `params` are put over its own."""

    params: dict[str, Any] = {}


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pauses a trigger, or lets it go on."""

    paused: bool


def check_trigger(name: str, wanted: SetTrigger) -> None:
    """Refuses a trigger that makes no sense.

    Raises:
        InvalidInput: the message says what and how to write it.
    """
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:MAX_NAME]!r} can't be the name of a trigger.",
            hint="Write letters, digits, `.`, `_` and `-`: nightly-train.",
        )
    check_name("pipeline", wanted.pipeline)
    given = [wanted.cron is not None, wanted.on is not None, wanted.path is not None, wanted.webhook]
    if sum(given) != 1:
        raise InvalidInput(
            f"The trigger {name} has {'none' if not any(given) else 'several'} of cron, on, path and webhook.",
            hint='Give exactly one: cron = "0 2 * * *", on = "alert.raised", path = "/data/new", or webhook = true.',
        )
    if wanted.cron is not None:
        check_cron(wanted.cron, wanted.timezone)
    if wanted.on is not None and wanted.on not in EVENTS:
        raise InvalidInput(f"Nothing starts on {wanted.on[:100]!r}.", hint=f"Known are {', '.join(sorted(EVENTS))}.")
    if wanted.where and wanted.on is None:
        raise InvalidInput("`where` narrows what a trigger on ledger entries hears of.", hint="Give `on` too.")
    seconds(wanted.settle)
    if wanted.at_most_every is not None:
        seconds(wanted.at_most_every)


def is_about(where: Mapping[str, Any], subject: Mapping[str, Any], *rest: Mapping[str, Any]) -> bool:
    """Whether an entry is about what a trigger asks for.

    Args:
        where: what is asked for; names of objects are replaced by their ids before.
        subject: the entry's, kind to id.
        rest: its data and texts.
    """
    for name, wanted in where.items():
        found = next((part[name] for part in (subject, *rest) if name in part), None)
        if found is None or str(found) != str(wanted):
            return False
    return True


def filled(params: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Parameters with what happened written into their texts."""

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _PLACE.sub(lambda found: values.get(found[1], found[0]), value)
        if isinstance(value, list):
            return [fill(item) for item in value]
        return {name: fill(item) for name, item in value.items()} if isinstance(value, dict) else value

    return {name: fill(value) for name, value in params.items()}


def event_of_call(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Which event a signed call tells of: the same call told twice is one event.

    Understood are Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`; see
    https://www.standardwebhooks.com, version 1) and GitHub's `X-Hub-Signature-256`.

    Args:
        secret: shared with who calls; as bytes of its UTF-8 form, or of its base64 part behind `whsec_`.
        headers: of the call, names in lower case.
        body: of the call.
        now: seconds since 1970.

    Raises:
        Unauthenticated: no signature, a wrong one, or an old call.
    """
    if "x-hub-signature-256" in headers:
        made = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(made.encode(), headers["x-hub-signature-256"].encode()):
            raise _unsigned()
        # Nothing but the body is signed, so only the body can say which call this is.
        return f"call:{hashlib.sha256(body).hexdigest()}"
    identity, sent, signatures = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not identity or len(identity) > LONGEST_EVENT - 5 or not sent.isdecimal() or len(sent) > 12:
        raise _unsigned()
    made = (
        "v1,"
        + base64.b64encode(
            hmac.new(_key(secret), f"{identity}.{sent}.".encode() + body, hashlib.sha256).digest()
        ).decode()
    )
    if not any(hmac.compare_digest(made.encode(), one.encode()) for one in signatures.split()):
        raise _unsigned()
    if abs(now - int(sent)) > TOLERANCE_SECONDS:
        raise Unauthenticated("The call was signed too long ago.", hint="Sign it anew; check the clock of who calls.")
    return f"call:{identity}"


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()


def _unsigned() -> Unauthenticated:
    return Unauthenticated(
        "The call is not signed with the trigger's secret.",
        hint="Sign it as Standard Webhooks or GitHub do: webhook-id, webhook-timestamp and webhook-signature.",
    )
