"""A valid request to every route of traces. Add a line here for each new route."""

import secrets
from typing import Any

from tests.security.routes_kit import Ask, Case
from tests.security.story import Story

_V2, _V3 = "/api/2.0/mlflow/traces", "/api/3.0/mlflow/traces"
_JUDGED = {
    "assessment_name": "good",
    "source": {"source_type": "HUMAN", "source_id": "a"},
    "feedback": {"value": True},
    "create_time": "2026-01-01T00:00:00Z",
    "last_update_time": "2026-01-01T00:00:00Z",
}


def _read(make: Any, own: str = "") -> Case:
    return Case(make, viewer=(200,), own=own)


def _info(s: Story) -> dict[str, Any]:
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": s.experiment}}
    info = {"trace_id": f"tr-{secrets.token_hex(16)}", "trace_location": place, "request_time": "2026-01-01T00:00:00Z"}
    return {"trace": {"trace_info": {**info, "state": "OK", "tags": {"k": "v"}}}}


def _made(s: Story) -> str:
    sent = s.owner.post(_V3, json=_info(s)).raise_for_status()
    return str(sent.json()["trace"]["trace_info"]["trace_id"])


def _judged(s: Story) -> dict[str, str]:
    trace = _made(s)
    sent = s.owner.post(f"{_V3}/{trace}/assessments", json={"assessment": _JUDGED}).raise_for_status()
    return {"trace_id": trace, "assessment_id": str(sent.json()["assessment"]["assessment_id"])}


def _spans(s: Story) -> Ask:
    span = {"traceId": secrets.token_hex(16), "spanId": "b7ad6b7169203331", "name": "a", "startTimeUnixNano": "1"}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    return Ask(json=body, headers={"x-mlflow-experiment-id": s.experiment})


def _places(s: Story) -> list[Any]:
    return [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": s.experiment}}]


_NOT_THERE = "what is not there is not found"
CASES: dict[str, Case] = {
    "POST /v1/traces": Case(_spans),
    f"POST {_V3}": Case(lambda s: Ask(json=_info(s))),
    f"GET {_V3}/get": _read(lambda s: Ask(params={"trace_id": _made(s)})),
    f"GET {_V3}/batchGet": _read(lambda s: Ask(params={"trace_ids": [_made(s)]}), _NOT_THERE),
    f"POST {_V3}/batchGetInfos": _read(lambda s: Ask(json={"trace_ids": [_made(s)]}), _NOT_THERE),
    f"POST {_V3}/search": _read(lambda s: Ask(json={"locations": _places(s)}), _NOT_THERE),
    f"GET {_V3}/{{trace_id:str}}": _read(lambda s: Ask(path={"trace_id": _made(s)})),
    **{
        f"POST {root}/delete-traces": Case(
            lambda s: Ask(json={"experiment_id": s.experiment, "request_ids": [_made(s)]}), ("trace.deleted",)
        )
        for root in (_V2, _V3)
    },
    **{
        f"POST {root}/link-to-run": Case(
            lambda s: Ask(json={"trace_ids": [_made(s)], "run_id": s.new_run()}), ("trace.linked",)
        )
        for root in (_V2, _V3)
    },
    **{
        f"PATCH {root}/{{trace_id:str}}/tags": Case(
            lambda s: Ask(path={"trace_id": _made(s)}, json={"key": "k", "value": "w"}), ("trace.tagged",)
        )
        for root in (_V2, _V3)
    },
    **{
        f"DELETE {root}/{{trace_id:str}}/tags": Case(
            lambda s: Ask(path={"trace_id": _made(s)}, json={"key": "k"}), ("trace.tagged",)
        )
        for root in (_V2, _V3)
    },
    f"POST {_V3}/{{trace_id:str}}/assessments": Case(
        lambda s: Ask(path={"trace_id": _made(s)}, json={"assessment": _JUDGED}), ("assessment.created",)
    ),
    f"GET {_V3}/{{trace_id:str}}/assessments/{{assessment_id:str}}": _read(lambda s: Ask(path=_judged(s))),
    f"PATCH {_V3}/{{trace_id:str}}/assessments/{{assessment_id:str}}": Case(
        lambda s: Ask(path=_judged(s), json={"assessment": {"rationale": "r"}, "update_mask": "rationale"}),
        ("assessment.updated",),
    ),
    f"DELETE {_V3}/{{trace_id:str}}/assessments/{{assessment_id:str}}": Case(
        lambda s: Ask(path=_judged(s)), ("assessment.deleted",)
    ),
}
