"""A valid request to every route of evaluation data sets. Add a line here for each new route."""

import json
from typing import Any

from tests.security.routes_kit import Ask, Case
from tests.security.story import Story

_ROOT = "/api/3.0/mlflow/datasets"
_ONE = f"{_ROOT}/{{dataset_id:str}}"
_RECORDS = json.dumps([{"inputs": {"question": "?"}, "expectations": {"answer": "!"}}])
_NOT_THERE = "what is not there is not found, or gone already"


def _read(make: Any, own: str = "") -> Case:
    return Case(make, viewer=(200,), own=own)


def _made(s: Story, *, placed: bool = True) -> dict[str, str]:
    body = {"name": "set", "experiment_ids": [s.experiment] if placed else [], "tags": '{"k": "v"}'}
    sent = s.owner.post(f"{_ROOT}/create", json=body).raise_for_status()
    return {"dataset_id": str(sent.json()["dataset"]["dataset_id"])}


def _record(s: Story) -> Ask:
    made = _made(s)
    at = f"{_ROOT}/{made['dataset_id']}/records"
    s.owner.post(at, json={"records": _RECORDS}).raise_for_status()
    found = json.loads(s.owner.get(at).raise_for_status().json()["records"])
    return Ask(path=made, json={"dataset_record_ids": [found[0]["dataset_record_id"]]})


def _entry(what: str) -> tuple[str, ...]:
    return (f"evaluation_dataset.{what}",)


CASES: dict[str, Case] = {
    f"POST {_ROOT}/create": Case(
        lambda s: Ask(json={"name": "n", "experiment_ids": [s.experiment]}), _entry("created")
    ),
    f"POST {_ROOT}/search": _read(lambda s: Ask(json={"experiment_ids": [s.experiment]}), _NOT_THERE),
    f"GET {_ROOT}/search": _read(lambda s: Ask(params={"experiment_ids": s.experiment}), _NOT_THERE),
    f"GET {_ONE}": _read(lambda s: Ask(path=_made(s))),
    f"DELETE {_ONE}": Case(lambda s: Ask(path=_made(s)), _entry("deleted"), own=_NOT_THERE),
    f"PATCH {_ONE}/tags": Case(lambda s: Ask(path=_made(s), json={"tags": '{"k": "w"}'}), _entry("tagged")),
    f"DELETE {_ONE}/tags/{{key:str}}": Case(lambda s: Ask(path=_made(s) | {"key": "k"}), _entry("tagged")),
    f"POST {_ONE}/records": Case(lambda s: Ask(path=_made(s), json={"records": _RECORDS}), _entry("changed")),
    f"GET {_ONE}/records": _read(lambda s: Ask(path=_made(s))),
    f"DELETE {_ONE}/records": Case(_record, _entry("changed")),
    f"GET {_ONE}/experiment-ids": _read(lambda s: Ask(path=_made(s))),
    f"POST {_ONE}/add-experiments": Case(
        lambda s: Ask(path=_made(s, placed=False), json={"experiment_ids": [s.experiment]}), _entry("placed")
    ),
    f"POST {_ONE}/remove-experiments": Case(
        lambda s: Ask(path=_made(s), json={"experiment_ids": [s.experiment]}), _entry("placed")
    ),
}
