"""A valid request to every route of triggers."""

from typing import Any

from tests.security.routes_kit import Ask, Case
from tests.security.story import Story


def _trigger(s: Story, **more: Any) -> dict[str, str]:
    name = s.name()
    s.api("PUT", f"triggers/{name}", json={"pipeline": s.pipeline, **_HEARD, **more})
    return {"name": name}


_HEARD = {"on": "rollout.aborted", "where": {"endpoint": "none"}}
TRIGGERS = {
    "GET triggers": Case(lambda _: Ask(), viewer=(200,), own="it names no object"),
    "GET triggers/{name:str}": Case(lambda s: Ask(path=_trigger(s)), viewer=(200,)),
    "GET triggers/{name:str}/firings": Case(lambda s: Ask(path=_trigger(s)), viewer=(200,)),
    "PUT triggers/{name:str}": Case(
        lambda s: Ask(path={"name": s.name()}, json={"pipeline": s.pipeline, **_HEARD}),
        ("trigger.created",),
        own="a name may be spoken of in a workspace before it exists there",
    ),
    "DELETE triggers/{name:str}": Case(lambda s: Ask(path=_trigger(s)), ("trigger.deleted",)),
    "POST triggers/{name:str}/pause": Case(
        lambda s: Ask(path=_trigger(s), json={"paused": True}), ("trigger.updated",)
    ),
    "POST triggers/{name:str}/fire": Case(
        lambda s: Ask(path=_trigger(s), json={"params": {}}),
        ("run.created", "pipeline.started", "token.minted"),
        actor="service",
    ),
    "POST triggers/{name:str}/secret": Case(
        lambda s: Ask(path=_trigger(s, on=None, where={}, webhook=True)), ("trigger.updated",)
    ),
}
