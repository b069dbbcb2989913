"""Random programs of calls, sent to stock MLflow and to us: the answers are the same.

Found divergences are mended, or stand in docs/reference/differences.md; what is found becomes a plain test in
tests/acceptance/test_mlflow_protocol.py.
"""

import itertools
import os
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test

from tests.compat.twins import V2, Side, plain

KEYS = st.sampled_from(["a", "b.c", "x y", "d/e", "ü", "A", "mlflow.note.content"]) | st.sampled_from(
    ["", "../x", "k" * 250, "k" * 251, "a//b", "/a", "a:b", "q?"]
)
MADE = KEYS.filter(lambda key: len(key) <= 250)  # "a key of more than 250 characters where something is made"
VALUES = st.sampled_from(["", "1", "0.5", "x", "It's", '"q"', "ÄÖ", "%", "_", "v" * 6001])
SHORT = VALUES.filter(lambda value: len(value) <= 6000)  # "params of a logged model beyond 6,000 characters"
NUMBERS = st.sampled_from([0, 1, -1, 0.5, 1e308, 5e-324, "NaN", "Infinity", "-Infinity", "1.5", 3, None])
STEPS = st.sampled_from([0, 1, -5, 7, "3", 2**40, None])
TIMES = st.sampled_from([0, 5, 1000, "1000", 1_700_000_000_000, -1, None])
NAMES = st.sampled_from(["one", "two", "a b", "Ünï", "x" * 60])
QUOTED = st.sampled_from(["'x'", "'0.5'", '"x"', "'%'", "'It''s'", "'1'", "''", "x", "5"])
OPERATORS = st.sampled_from(["=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "~"])  # not "==": a listed difference
LIMITS = st.sampled_from([None, 1, 2, 100, 0, -1, 50_001, "2"])


@st.composite
def conditions(draw: st.DrawFn, entities: tuple[str, ...], attributes: tuple[str, ...]) -> str:
    entity = draw(st.sampled_from([*entities, ""]))
    if entity:
        key = draw(st.sampled_from(["a", "`b.c`", '"x y"', "A", "`ü`", "nothing"]))
        left = f"{entity}.{key}"
    else:
        left = draw(st.sampled_from(attributes))
    form = draw(st.sampled_from(["compare", "compare", "compare", "null", "in"]))
    if form == "null":
        return f"{left} IS {draw(st.sampled_from(['', 'NOT ']))}NULL"
    if form == "in":
        return f"{left} {draw(st.sampled_from(['', 'NOT ']))}IN ({draw(QUOTED)}, {draw(QUOTED)})"
    return f"{left} {draw(OPERATORS)} {draw(QUOTED | st.sampled_from(['0', '0.5', '1', '-1e3']))}"


def filters(entities: tuple[str, ...], attributes: tuple[str, ...]) -> st.SearchStrategy[str]:
    many = st.lists(conditions(entities, attributes), max_size=3)
    joined = many.map(" AND ".join) | many.map(" and ".join)
    return joined | st.sampled_from(["", "a", "metrics.a >", "a = 'x' OR a = 'y'"])


RUN_FILTERS = filters(
    ("metrics", "params", "tags", "metric", "parameter", "tag", "attributes", "dataset"),
    ("status", "run_name", "start_time", "end_time", "run_id", "user_id", "`run name`", "name"),
)
LOGGED_FILTERS = st.sampled_from(
    [
        "",
        "name LIKE 'logged-%'",
        "tags.a = 'x'",
        "params.A != '1' AND status = 'LOGGED_MODEL_READY'",
        "metrics.a > 0.5",
        "name IN ('x', 'y')",
        "model_type = 't' AND tags.`b.c` ILIKE '%'",
        "params.`x y` = '0.5'",
        "nonsense = 'x'",
        "a OR b",
    ]
)
RUN_ORDERS = st.lists(
    st.sampled_from(
        [
            "metrics.a",
            "metrics.`b.c` DESC",
            "params.a ASC",
            "tags.A desc",
            "start_time",
            "status DESC",
            "run_name",
            "end_time ASC",
            "metrics.nothing",
            "x y z",
            "metrics.a DOWN",
            "attributes.start_time DESC",
        ]
    ),
    max_size=2,
    unique=True,
)


ORDERS = st.sampled_from([["name ASC"], ["name DESC"], ["nothing"]])
POINTS = st.lists(st.tuples(KEYS, NUMBERS, TIMES, STEPS), max_size=3)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=2)


class Twins(RuleBasedStateMachine):
    """The same program on both sides."""

    sides: tuple[Side, Side]
    experiments = Bundle("experiments")
    runs = Bundle("runs")
    models = Bundle("models")
    versions = Bundle("versions")
    logged = Bundle("logged")

    def __init__(self) -> None:
        super().__init__()
        self.count = itertools.count()
        self.prefix = uuid.uuid4().hex[:8]

    def both(self, method: str, path: str, body: Any, *, name: str = "", at: tuple[str, ...] = ()) -> Any:
        answers = [side.send(method, f"{V2}/{path}", body) for side in self.sides]
        if name and all(answer.is_success for answer in answers):
            for side, answer in zip(self.sides, answers, strict=True):
                found = answer.json()
                for step in at:
                    found = found[step]
                side.learn(name, found)
        stock, ours = (plain(side, answer) for side, answer in zip(self.sides, answers, strict=True))
        if ours != stock:
            self.differ(f"{method} {path} {body}", (stock, ours), [answer.text[:600] for answer in answers])
        return all(answer.is_success for answer in answers)

    def differ(self, what: str, plain: tuple[Any, Any], raw: list[str]) -> None:
        """What happens at a difference: the program ends."""
        stock, ours = plain
        assert ours == stock, f"{what}: {raw}"

    def fresh(self, kind: str) -> str:
        return f"{kind}-{self.prefix}-{next(self.count)}"

    @initialize(target=experiments)
    def first(self) -> str:
        return self._experiment([])

    def _experiment(self, tags: list[dict[str, str]]) -> str:
        name = self.fresh("exp")
        self.both("POST", "experiments/create", {"name": name, "tags": tags}, name=name + "-id", at=("experiment_id",))
        return name + "-id"

    @rule(target=experiments, key=KEYS, value=VALUES)
    def create_experiment(self, key: str, value: str) -> Any:
        name = self.fresh("exp")
        body = {"name": name, "tags": [{"key": key, "value": value}]}
        made = self.both("POST", "experiments/create", body, name=name + "-id", at=("experiment_id",))
        return name + "-id" if made else multiple()

    @rule(exp=experiments)
    def get_experiment(self, exp: str) -> None:
        self.both("GET", "experiments/get", {"experiment_id": f"<{exp}>"})

    @rule(exp=experiments, key=KEYS, value=VALUES, delete=st.booleans())
    def tag_experiment(self, exp: str, key: str, value: str, delete: bool) -> None:
        self.both("POST", "experiments/set-experiment-tag", {"experiment_id": f"<{exp}>", "key": key, "value": value})
        if delete:
            for _ in range(2):
                self.both("POST", "experiments/delete-experiment-tag", {"experiment_id": f"<{exp}>", "key": key})

    @rule(exp=experiments, back=st.booleans())
    def delete_experiment(self, exp: str, back: bool) -> None:
        for _ in range(2):
            self.both("POST", "experiments/delete", {"experiment_id": f"<{exp}>"})
        self.both("POST", "runs/create", {"experiment_id": f"<{exp}>", "run_name": "no"})
        if back:
            self.both("POST", "experiments/restore", {"experiment_id": f"<{exp}>"})

    @rule(words=filters(("tags", "tag"), ("name", "creation_time")), view=st.sampled_from(["ACTIVE_ONLY", "ALL", 2]),
          limit=LIMITS)  # fmt: skip
    def search_experiments(self, words: str, view: Any, limit: Any) -> None:
        mine = f"name LIKE 'exp-{self.prefix}-%'"
        body = {"filter": f"{mine} AND {words}" if words else mine, "view_type": view, "order_by": ["name ASC"]}
        self.both("POST", "experiments/search", body | {"max_results": 500 if limit is None else limit})

    @rule(target=runs, exp=experiments, named=NAMES, key=MADE, value=VALUES, time=TIMES)
    def create_run(self, exp: str, named: str, key: str, value: str, time: Any) -> Any:
        name = self.fresh("run")
        body: dict[str, Any] = {"experiment_id": f"<{exp}>", "run_name": named, "tags": [{"key": key, "value": value}]}
        body["tags"].append({"key": "unique", "value": name})
        body |= {"start_time": 0 if time is None else time, "user_id": "me"}
        made = self.both("POST", "runs/create", body, name=name, at=("run", "info", "run_id"))
        return name if made else multiple()

    @rule(run=runs, status=st.sampled_from(["FINISHED", "RUNNING", "KILLED", 4, None]), time=TIMES,
          named=st.sampled_from(["", "renamed"]))  # fmt: skip
    def update_run(self, run: str, status: Any, time: Any, named: str) -> None:
        body = {"run_id": f"<{run}>", "status": status, "end_time": time, "run_name": named}
        self.both("POST", "runs/update", {k: v for k, v in body.items() if v not in (None, "")})

    @rule(run=runs, key=KEYS, value=NUMBERS, time=TIMES, step=STEPS)
    def log_metric(self, run: str, key: str, value: Any, time: Any, step: Any) -> None:
        body = {"run_id": f"<{run}>", "key": key, "value": value, "timestamp": time, "step": step}
        self.both("POST", "runs/log-metric", {k: v for k, v in body.items() if v is not None})
        if key and len(key) < 200:
            self.both("GET", "metrics/get-history", {"run_id": f"<{run}>", "metric_key": key})

    @rule(run=runs, key=KEYS, value=VALUES, other=VALUES)
    def log_param(self, run: str, key: str, value: str, other: str) -> None:
        for text in (value, value, other):
            self.both("POST", "runs/log-parameter", {"run_id": f"<{run}>", "key": key, "value": text})

    @rule(run=runs, metrics=POINTS, params=PAIRS, tags=PAIRS)
    def log_batch(self, run: str, metrics: list[Any], params: list[Any], tags: list[Any]) -> None:
        points = [{"key": k, "value": v, "timestamp": t, "step": s} for k, v, t, s in metrics]
        body = {
            "run_id": f"<{run}>",
            "metrics": [{k: v for k, v in point.items() if v is not None} for point in points],
            "params": [{"key": k, "value": v} for k, v in params],
            "tags": [{"key": k, "value": v} for k, v in tags],
        }
        self.both("POST", "runs/log-batch", body)
        self.both("GET", "runs/get", {"run_id": f"<{run}>"})

    @rule(run=runs, key=KEYS, value=VALUES, delete=st.booleans())
    def tag_run(self, run: str, key: str, value: str, delete: bool) -> None:
        self.both("POST", "runs/set-tag", {"run_id": f"<{run}>", "key": key, "value": value})
        if delete:
            for _ in range(2):
                self.both("POST", "runs/delete-tag", {"run_id": f"<{run}>", "key": key})

    @rule(run=runs, back=st.booleans())
    def delete_run(self, run: str, back: bool) -> None:
        for _ in range(2):
            self.both("POST", "runs/delete", {"run_id": f"<{run}>"})
        self.both("POST", "runs/log-metric", {"run_id": f"<{run}>", "key": "a", "value": 1, "timestamp": 1})
        if back:
            for _ in range(2):
                self.both("POST", "runs/restore", {"run_id": f"<{run}>"})

    @rule(run=runs, digest=st.sampled_from(["d1", "d2", "x" * 37]), context=st.sampled_from(["train", "eval"]))
    def log_inputs(self, run: str, digest: str, context: str) -> None:
        data = {"name": "data", "digest": digest, "source_type": "local", "source": "{}", "schema": "s", "profile": "p"}
        item = {"dataset": data, "tags": [{"key": "mlflow.data.context", "value": context}]}
        self.both("POST", "runs/log-inputs", {"run_id": f"<{run}>", "datasets": [item]})

    @rule(run=runs)
    def get_run(self, run: str) -> None:
        self.both("GET", "runs/get", {"run_id": f"<{run}>"})

    @rule(
        exp=experiments, words=RUN_FILTERS, order=RUN_ORDERS, limit=LIMITS, view=st.sampled_from(["ACTIVE_ONLY", "ALL"])
    )
    def search_runs(self, exp: str, words: str, order: list[str], limit: Any, view: str) -> None:
        body = {"experiment_ids": [f"<{exp}>"], "filter": words, "order_by": order, "run_view_type": view}
        full = body | ({"max_results": limit} if limit is not None else {})
        # runs that the sort keys leave equal are ordered by their ids, which each server makes itself
        self.both("POST", "runs/search", full | {"order_by": [*order, "tags.unique"]})

    @rule(target=models, key=KEYS, value=VALUES)
    def create_model(self, key: str, value: str) -> Any:
        name = self.fresh("model")
        body = {"name": name, "tags": [{"key": key, "value": value}], "description": value[:20]}
        return name if self.both("POST", "registered-models/create", body) else multiple()

    @rule(model=models, text=VALUES)
    def describe_model(self, model: str, text: str) -> None:
        self.both("PATCH", "registered-models/update", {"name": model, "description": text})
        self.both("GET", "registered-models/get", {"name": model})

    @rule(model=models, key=KEYS, value=VALUES, delete=st.booleans())
    def tag_model(self, model: str, key: str, value: str, delete: bool) -> None:
        self.both("POST", "registered-models/set-tag", {"name": model, "key": key, "value": value})
        if delete:
            self.both("DELETE", "registered-models/delete-tag", {"name": model, "key": key})

    @rule(target=versions, model=models, run=runs, key=KEYS, value=VALUES)
    def create_version(self, model: str, run: str, key: str, value: str) -> Any:
        for side in self.sides:
            found = side.client.get(f"{V2}/runs/get", params={"run_id": side.ids[run]}).json()["run"]["info"]
            place = (
                f"/api/2.0/mlflow-artifacts/artifacts/{found['experiment_id']}/{found['run_id']}/artifacts/m/MLmodel"
            )
            if side.client.put(place, content=b"flavors: {}\n").is_error:
                return multiple()  # "files of a deleted run"
        tags = [{"key": key, "value": value}]
        body = {"name": model, "source": f"runs:/<{run}>/m", "run_id": f"<{run}>", "tags": tags}
        made = self.both("POST", "model-versions/create", body)
        return (model, "1") if made else multiple()

    @rule(
        version=versions, alias=st.sampled_from(["best", "Champion", "latest", "v1", "", "a b"]), delete=st.booleans()
    )
    def alias(self, version: tuple[str, str], alias: str, delete: bool) -> None:
        model, number = version
        named = {"name": model, "alias": alias}
        self.both("POST", "registered-models/alias", named | {"version": number})
        self.both("GET", "registered-models/alias", named)
        self.both("GET", "model-versions/get", {"name": model, "version": number})
        if delete:
            for _ in range(2):
                self.both("DELETE", "registered-models/alias", named)

    @rule(version=versions, key=KEYS, value=VALUES, delete=st.booleans())
    def tag_version(self, version: tuple[str, str], key: str, value: str, delete: bool) -> None:
        at = {"name": version[0], "version": version[1]}
        self.both("POST", "model-versions/set-tag", at | {"key": key, "value": value})
        self.both("PATCH", "model-versions/update", at | {"description": value})
        if delete:
            self.both("DELETE", "model-versions/delete-tag", at | {"key": key})

    @rule(words=filters(("tags", "tag"), ("name", "version")), limit=st.sampled_from([None, 1, 2, 1001]), order=ORDERS)
    def search_models(self, words: str, limit: Any, order: list[str]) -> None:
        mine = f"name LIKE 'model-{self.prefix}-%'"
        body = {"filter": f"{mine} AND {words}" if words else mine, "order_by": order}
        self.both("GET", "registered-models/search", body | ({"max_results": limit} if limit is not None else {}))

    @rule(words=filters(("tags", "tag"), ("name", "version_number", "run_id", "source_path")), model=models)
    def search_versions(self, words: str, model: str) -> None:
        mine = f"name = '{model}'"
        self.both("GET", "model-versions/search", {"filter": f"{mine} AND {words}" if words else mine})

    @rule(model=models)
    def latest(self, model: str) -> None:
        self.both("GET", "registered-models/get", {"name": model})
        self.both("POST", "registered-models/get-latest-versions", {"name": model})

    @rule(target=logged, exp=experiments, key=MADE, value=SHORT, wrong=st.sampled_from(["", "", "", ":", "."]))
    def create_logged(self, exp: str, key: str, value: str, wrong: str) -> Any:
        name = self.fresh("logged")
        body = {
            "experiment_id": f"<{exp}>",
            "name": name + wrong,
            "model_type": "t",
            "tags": [{"key": key, "value": value}],
            "params": [{"key": key, "value": value}],
        }
        made = self.both("POST", "logged-models", body, name=name, at=("model", "info", "model_id"))
        return name if made else multiple()

    @rule(model=logged, status=st.sampled_from(["LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED", 2]))
    def finalize(self, model: str, status: Any) -> None:
        self.both("PATCH", f"logged-models/<{model}>", {"model_id": f"<{model}>", "status": status})
        self.both("GET", f"logged-models/<{model}>", {})

    @rule(model=logged, key=MADE, value=VALUES, delete=st.booleans())
    def tag_logged(self, model: str, key: str, value: str, delete: bool) -> None:
        tags = [{"key": key, "value": value}]
        self.both("PATCH", f"logged-models/<{model}>/tags", {"model_id": f"<{model}>", "tags": tags})
        if delete and key in {"a", "A", "ü"}:
            self.both("DELETE", f"logged-models/<{model}>/tags/{key}", {})

    @rule(exp=experiments, words=LOGGED_FILTERS)
    def search_logged(self, exp: str, words: str) -> None:
        order = [{"field_name": "name", "ascending": True}]
        self.both("POST", "logged-models/search", {"experiment_ids": [f"<{exp}>"], "filter": words, "order_by": order})


@pytest.mark.timeout(3600)
def test_random_programs_are_answered_alike(sides: tuple[Side, Side]) -> None:
    Twins.sides = sides
    run_state_machine_as_test(
        Twins,
        settings=settings(
            max_examples=int(os.environ.get("MODELKEEL_PROGRAMS", "40")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
