"""Webhooks and their deliveries as frozen types, the events they hear of, and the pure rules of sending."""

import base64
import hashlib
import hmac
import re
from enum import StrEnum
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.ledger.types import TYPES

GIVE_UP_MS = 12 * 3_600_000
LONGEST_PAUSE_MS = 3_600_000
_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._\-]{0,61}[a-zA-Z0-9])?")
MLFLOW_EVENTS = (
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
)
"""Events of MLflow's kind that happen here; the others belong to what this server does not do."""
_OF_TYPE = {
    "model.created": ("registered_model.created",),
    "version.created": ("model_version.created",),
    "version.tagged": ("model_version_tag.set", "model_version_tag.deleted"),
    "alias.moved": ("model_version_alias.created",),
    "alias.deleted": ("model_version_alias.deleted",),
}


class WebhookStatus(StrEnum):
    """Whether a webhook is told of anything."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class Webhook(msgspec.Struct, frozen=True):
    """An address that hears of events. Its secret is never shown.

    Attributes:
        id: opaque.
        name: letters, digits, dots, underscores and hyphens.
        url: where deliveries go.
        events: MLflow's names (`model_version.created`) or types of ledger entries (`alert.raised`).
        description: free text.
        status: whether it is told.
        signed: whether it has a secret, by which deliveries are signed.
        created: milliseconds since 1970.
        updated: milliseconds since 1970.
    """

    id: str
    name: str
    url: str
    events: list[str]
    description: str
    status: WebhookStatus
    signed: bool
    created: int
    updated: int


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a webhook."""

    name: str
    url: str
    events: list[str]
    description: str = ""
    secret: str = ""
    status: WebhookStatus = WebhookStatus.ACTIVE


class Delivery(msgspec.Struct, frozen=True):
    """One event on its way to one webhook.

    Attributes:
        id: sent as `X-MLflow-Delivery-Id`, the same at each try.
        webhook: its id.
        entry: index of the ledger entry that it tells of.
        event: what happened.
        status: `waiting`, `delivered` or `failed`.
        attempts: tries so far.
        code: of the last answer; null if there was none.
        latency_ms: of the last try.
        error: why the last try failed.
        next_try: milliseconds since 1970; null when there is none.
        created: milliseconds since 1970.
    """

    id: str
    webhook: str
    entry: int
    event: str
    status: str
    attempts: int
    code: int | None
    latency_ms: int | None
    error: str
    next_try: int | None
    created: int


class Outcome(msgspec.Struct, frozen=True):
    """What came of one try.

    Attributes:
        code: of the answer; None: there was none.
        body: of the answer, its beginning.
        error: why it failed; empty: it did not.
        final: whether another try is of no use.
        latency_ms: how long it took.
    """

    code: int | None
    body: str
    error: str
    final: bool
    latency_ms: int


def check_webhook_name(name: str) -> None:
    """1 to 63 characters, as MLflow wants them."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"Webhook name {name!r} is invalid. It must start and end with a letter or digit, be less than 63 "
            "characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
        )


def check_events(events: list[str]) -> None:
    """At least one, and each can happen here."""
    if not events:
        raise InvalidInput("Webhook events must be a non-empty list.")
    for event in events:
        if event not in MLFLOW_EVENTS and event not in TYPES:
            raise InvalidInput(
                f"The event {event!r} never happens on this server.",
                hint=f"Name a type of ledger entry, or one of {', '.join(MLFLOW_EVENTS)}.",
            )


def entry_types(events: list[str]) -> frozenset[str]:
    """The types of ledger entries behind some events."""
    behind = {kind for kind, names in _OF_TYPE.items() if not set(names).isdisjoint(events)}
    return frozenset(behind | {event for event in events if event in TYPES})


def events_of(kind: str, data: dict[str, Any]) -> tuple[str, ...]:
    """What a ledger entry is called in webhooks: by its type, and as MLflow calls it."""
    named = _OF_TYPE.get(kind, ())
    if kind == "version.tagged":
        named = (f"model_version_tag.{data.get('change')}",)
    return (kind, *named)


def signature(secret: str, delivery: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `DELIVERY.TIMESTAMP.BODY`, as MLflow and Standard Webhooks sign."""
    signed = f"{delivery}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def pause_ms(attempts: int, jitter: float) -> int:
    """How long to wait after so many tries: 1 s, 2 s, 4 s, … up to an hour, by half more or less at random.

    Args:
        attempts: tries so far, at least one.
        jitter: 0 to 1.
    """
    return int(min(1000 << min(attempts - 1, 30), LONGEST_PAUSE_MS) * (0.5 + jitter))
