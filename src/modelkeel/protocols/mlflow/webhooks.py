"""Routes of MLflow's webhooks: a view on the webhooks that hear of MLflow's events."""

import msgspec
from litestar.handlers import HTTPRouteHandler

from modelkeel.collaboration.models import MLFLOW_EVENTS, NewWebhook, WebhookStatus
from modelkeel.collaboration.models import Webhook as Stored
from modelkeel.collaboration.service import Webhooks
from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.protocols.mlflow import messages as m
from modelkeel.protocols.mlflow.answers import Answer
from modelkeel.protocols.mlflow.endpoint import endpoint, require
from modelkeel.tracking.search import page_offset, page_token

PAGE_DEFAULT, PAGE_MOST = 100, 1000


class Event(msgspec.Struct):
    """What happened to what; names in capitals, as protobuf writes them."""

    entity: str = ""
    action: str = ""


class WebhookFields(msgspec.Struct):
    """Creates or changes a webhook; what is not given stays."""

    webhook_id: str = ""
    name: str | None = None
    description: str | None = None
    url: str | None = None
    events: list[Event] = []
    secret: str | None = None
    status: str | None = None


class WebhookId(msgspec.Struct):
    """One webhook."""

    webhook_id: str = ""


class TestWebhook(WebhookId):
    """Sends an example."""

    event: Event | None = None


class ListWebhooks(msgspec.Struct):
    """A page."""

    max_results: int | None = None
    page_token: str | None = None


class AnswerWebhook(Answer):
    """A webhook on the wire, without its secret."""

    webhook_id: str
    name: str
    url: str
    events: list[Event]
    status: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | None = None


class OneWebhook(Answer):
    """A webhook."""

    webhook: AnswerWebhook


class ManyWebhooks(Answer):
    """A page of webhooks."""

    webhooks: list[AnswerWebhook] = msgspec.field(default_factory=list)
    next_page_token: str | None = None


class Tested(Answer):
    """What came of a try."""

    success: bool
    response_status: int | None = None
    response_body: str | None = None
    error_message: str | None = None


class OneTest(Answer):
    """What came of a try."""

    result: Tested


def webhook_routes(webhooks: Webhooks) -> list[HTTPRouteHandler]:
    """`/mlflow/webhooks…`."""

    async def create(principal: Principal, asked: WebhookFields) -> OneWebhook:
        require(name=asked.name, url=asked.url)
        status = _status(asked.status) or WebhookStatus.ACTIVE
        wanted = NewWebhook(
            asked.name or "",
            asked.url or "",
            [_event(event) for event in asked.events],
            asked.description or "",
            asked.secret or "",
            status,
        )
        return _one(await webhooks.create(principal, wanted))

    async def get(principal: Principal, asked: WebhookId) -> OneWebhook:
        return _one(await webhooks.get(principal, asked.webhook_id))

    async def every(principal: Principal, asked: ListWebhooks) -> ManyWebhooks:
        size, start = m.page_size(asked.max_results, PAGE_DEFAULT, PAGE_MOST), page_offset(asked.page_token)
        found = [one for one in await webhooks.all(principal) if _named(one)]
        more = page_token(start + size) if len(found) > start + size else None
        return ManyWebhooks([_answer(one) for one in found[start : start + size]], more)

    async def update(principal: Principal, asked: WebhookFields) -> OneWebhook:
        before = await webhooks.get(principal, asked.webhook_id)
        kept = [event for event in before.events if event not in MLFLOW_EVENTS]
        done = await webhooks.update(
            principal,
            asked.webhook_id,
            name=asked.name,
            url=asked.url,
            events=[_event(event) for event in asked.events] + kept if asked.events else None,
            description=asked.description,
            secret=asked.secret,
            status=_status(asked.status),
        )
        return _one(done)

    async def delete(principal: Principal, asked: WebhookId) -> None:
        await webhooks.delete(principal, asked.webhook_id)

    async def test(principal: Principal, asked: TestWebhook) -> OneTest:
        event = _event(asked.event) if asked.event is not None and asked.event.entity else None
        outcome = await webhooks.test(principal, asked.webhook_id, event)
        failed = outcome.error if outcome.code is None else None
        return OneTest(Tested(not outcome.error, outcome.code, outcome.body or None, failed))

    at = "/mlflow/webhooks"
    one = f"{at}/{{webhook_id}}"
    return [
        endpoint("POST", at, WebhookFields, create, writes="record"),
        endpoint("GET", at, ListWebhooks, every),
        endpoint("GET", one, WebhookId, get),
        endpoint("PATCH", one, WebhookFields, update, writes="record"),
        endpoint("DELETE", one, WebhookId, delete, writes="record"),
        endpoint("POST", f"{one}/test", TestWebhook, test, writes="nothing"),
    ]


def _one(found: Stored) -> OneWebhook:
    return OneWebhook(_answer(found))


def _named(found: Stored) -> list[str]:
    return [event for event in found.events if event in MLFLOW_EVENTS]


def _answer(found: Stored) -> AnswerWebhook:
    events = [Event(*event.upper().split(".")) for event in _named(found)]
    return AnswerWebhook(
        found.id,
        found.name,
        found.url,
        events,
        found.status,
        found.created,
        found.updated,
        found.description or None,
    )


def _event(event: Event) -> str:
    named = f"{event.entity}.{event.action}".lower()
    if named not in MLFLOW_EVENTS:
        raise InvalidInput(
            f"The event {named!r} never happens on this server.", hint=f"Events: {', '.join(MLFLOW_EVENTS)}."
        )
    return named


def _status(text: str | None) -> WebhookStatus | None:
    if text is None:
        return None
    try:
        return WebhookStatus(text)
    except ValueError:
        raise InvalidInput(f"Invalid value '{text}' for parameter 'status' supplied.") from None
