"""A valid request to every route of data sets."""

from typing import Any

from tests.security.routes_kit import Ask, Case
from tests.security.story import ABC, Story

_NUMBERS = {"value": {"kind": "json", "digest": ABC, "size": 1, "inline": "1"}, "profile": {"rows": 1}}


def _name(s: Story) -> str:
    return f"data-{s.number()}"  # names of data sets are the whole workspace's


def _dataset(s: Story, versions: int = 1, **more: str) -> dict[str, str]:
    name = _name(s)
    for number in range(versions):
        value: dict[str, Any] = {"kind": "json", "digest": f"{number:064x}", "size": 1, "inline": str(number)}
        s.api("POST", f"datasets/{name}/versions", json={"value": value, "profile": {}})
    return {"name": name, **more}


DATASETS = {
    "GET datasets": Case(lambda _: Ask(), viewer=(200,), own="it names no object"),
    "GET datasets/{name:str}": Case(lambda s: Ask(path=_dataset(s)), viewer=(200,)),
    "GET datasets/{name:str}/newest": Case(lambda s: Ask(path=_dataset(s)), viewer=(200,)),
    "GET datasets/{name:str}/versions/{number:int}": Case(lambda s: Ask(path=_dataset(s, number="1")), viewer=(200,)),
    "GET datasets/{name:str}/diff": Case(
        lambda s: Ask(path=_dataset(s, 2), params={"before": 1, "after": 2}), viewer=(200,)
    ),
    "PUT datasets/{name:str}": Case(
        lambda s: Ask(path={"name": _name(s)}, json={"description": "d"}),
        ("dataset.created", "dataset.updated"),
        own="a name may be spoken of in a workspace before it exists there",
    ),
    "POST datasets/{name:str}/versions": Case(
        lambda s: Ask(path={"name": _name(s)}, json=_NUMBERS),
        ("dataset.created", "dataset_version.created"),
        own="a name may be spoken of in a workspace before it exists there",
    ),
    "POST datasets/{name:str}/versions/{number:int}/uses": Case(
        lambda s: Ask(path=_dataset(s, number="1"), json={"run_id": s.run})
    ),
    "DELETE datasets/{name:str}": Case(lambda s: Ask(path=_dataset(s)), ("dataset.deleted",)),
    "DELETE datasets/{name:str}/versions/{number:int}": Case(
        lambda s: Ask(path=_dataset(s, 2, number="1")), ("dataset_version.deleted",)
    ),
}
