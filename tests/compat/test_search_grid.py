"""Every operator on every kind of key, for everything that can be searched, by the unmodified client on both servers.

The same things are made on both; then each filter is asked of both, and names or the error's code are compared.
"""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, ViewType

from tests.compat.by_client import Caller
from tests.compat.twins import Side

TEXTS = (
    "'x'",
    '"x"',
    "'X'",
    "'%'",
    "'_'",
    "'%x%'",
    "''",
    "'0.5'",
    '"It\'s"',
    "'say \"hi\"'",
    "'ü'",
    "'a b'",
    "`x`",
    "x",
)
NUMBERS = ("0", "0.5", "-1", "1e3", "'1'", "1_000", "1.5e-3", ".5", "5.", "NaN")
COMPARE = ("=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "like", "iLike", "~", "IS", "BETWEEN")
TAILS = (
    "IS NULL",
    "IS NOT NULL",
    "is null",
    "IN ('x', 'y')",
    'IN ("x")',
    "NOT IN ('x')",
    "not in ('x', 'a b')",
    "IN ()",
    "IN 'x'",
    "IN ('x' 'y')",
    "IN (1, 2)",
    "IN (x)",
    "NOT 'x'",
    "",
    "=",
    "= 'x' OR 1 = 1",
    "= 'x'; DROP TABLE runs",
    "= 'x' AND",
)
KEYS = (
    "{}.a",
    "{}.`a b`",
    '{}."a b"',
    "{}.a b",
    "{}.b.c",
    "{}.`b.c`",
    "{}.A",
    "{}.ü",
    "{}.`ü`",
    "{}.nothing",
    "{}.'a'",
)
PAIRS = (
    "{0}.a = 'x' AND {0}.`a b` = 'y'",
    "{0}.a = 'x' and {0}.a != 'y' aNd {0}.`a b` LIKE '%'",
    "({0}.a = 'x')",
    "{0}.a = 'x' , {0}.`a b` = 'y'",
    "{0}.a = 'x' AND AND {0}.a = 'x'",
    "AND {0}.a = 'x'",
    "{0}.a = 'x' {0}.a = 'x'",
    "{0}.a='x'",
    "  {0}.a   =   'x'  ",
    "{0}.a = 'x AND y'",
    "{0}.a != 'IN (x)' AND {0}.a IN ('x')",
    "NOT {0}.a = 'x'",
    "{0}.a = 'x' --",
    "'x' = {0}.a",
    "{0}.a = {0}.a",
)


def listed(words: str) -> bool:
    """Whether a difference in docs/reference/differences.md is about this filter."""
    return words.rstrip().upper().endswith("AND")  # "a filter that ends in AND"


def filters(kinds: tuple[str, ...], plain: tuple[str, ...], numbers: tuple[str, ...]) -> Iterator[str]:
    """All filters over keys of some kinds, plain attributes, and attributes or kinds that hold numbers."""
    keys = [key.format(kind) for kind in kinds for key in KEYS]
    for left in (*keys, *plain):
        values = NUMBERS + TEXTS[:2] if left.split(".")[0] in numbers or left in numbers else TEXTS + NUMBERS[:2]
        yield from (f"{left} {operator} {value}" for operator, value in itertools.product(COMPARE[:8], values))
        yield from (f"{left} {operator} 'x'" for operator in COMPARE[8:])
        yield from (f"{left} {tail}" for tail in TAILS)
    for kind in kinds:
        yield from (pair.format(kind) for pair in PAIRS)
    yield from ("", " ", "a", "=", "a.b.c = 'x'", ".a = 'x'", "a. = 'x'", "'a' = 'x'", "a = 'x" + "'", "\n", "1 = 1")


@dataclass
class Both:
    """Two clients whose servers hold the same."""

    callers: tuple[Caller, Caller]
    prefix: str

    def differences(self, asked: list[Any], ask: Any) -> list[str]:
        found = []
        for words in asked:
            stock, ours = (caller.ask(lambda c, _, w=words, me=caller: ask(c, me, w)) for caller in self.callers)  # type: ignore[misc]
            if stock[1] != ours[1]:
                found.append(f"{words!r}: stock {stock[1] if len(str(stock[1])) < 300 else str(stock[1])[:300]}"
                             f" ({str(stock[0])[:200]}), ours {str(ours[1])[:300]} ({str(ours[0])[:200]})")  # fmt: skip
        return found


def fill(client: MlflowClient, me: Caller, prefix: str) -> None:
    """The same things on either side."""
    tags = [{}, {"a": "x"}, {"a": "X", "a b": "y"}, {"a": "It's", "A": "x", "ü": "ü"}, {"b.c": "x", "a": 'say "hi"'}]
    home = client.create_experiment(f"{prefix}home")
    me.learn("home", home)
    for n, held in enumerate(tags):
        client.create_registered_model(f"{prefix}{n}", tags=held, description="x")
    for n, held in enumerate(tags):
        name = f"{prefix}{n}"
        client.create_experiment(name, tags=held)
        run = client.create_run(
            home, start_time=n * 500, tags=held, run_name=["x", "X", "a b", "ü", "%"][n]
        ).info.run_id
        me.learn(f"run{n}", run)
        for key, value in held.items():
            client.log_param(run, key, value)
        if n:
            client.log_batch(run, [Metric("a", [0, 0.5, -1, 1000, float("nan")][n], 1, 0), Metric("a b", n, 1, 0)])
            data = Dataset(["", "x", "X", "ü", "%"][n], f"d{n}", "local", "{}")
            client.log_inputs(
                run, [DatasetInput(data, [InputTag("mlflow.data.context", ["", "x", "X", "y", "a b"][n])])]
            )
        if n > 2:
            client.set_terminated(run, ["FINISHED", "FAILED"][n - 3], end_time=n * 1000)
        with_files = client.create_logged_model(home, name=["x", "X", "a b", "ü", "y"][n], model_type="x" if n else "y",
                                                tags=held, params=held, source_run_id=run)  # fmt: skip
        me.learn(f"logged{n}", with_files.model_id)
        client.log_model_artifact(with_files.model_id, __file__)
        client.finalize_logged_model(with_files.model_id, "READY" if n else "FAILED")
        client.log_metric(run, "auc", n / 2, 7, 0, model_id=with_files.model_id, dataset_name="x", dataset_digest="d1")
        identity = with_files.model_id
        client.create_model_version(f"{prefix}1", f"models:/{identity}", run, tags=held, model_id=identity)
    client.set_registered_model_alias(f"{prefix}1", "x", "2")


@pytest.fixture(scope="module")
def both(sides: tuple[Side, Side]) -> Both:
    made = Both((Caller("stock", sides[0].url), Caller("ours", sides[1].url)), f"g{uuid.uuid4().hex[:6]}-")
    for caller in made.callers:
        fill(caller.client, caller, made.prefix)
    return made


def _say(found: list[str]) -> None:
    if found:
        pytest.fail(f"{len(found)} differ:\n" + "\n".join(found[:200]), pytrace=False)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["metrics", "metric", "params", "parameter", "param", "tags", "tag"])
def test_runs_by_keys(both: Both, kind: str) -> None:
    asked = [w for w in filters((kind,), (), ("metrics", "metric")) if not listed(w)]
    _say(both.differences(asked, lambda c, me, w: [r.info.run_name for r in c.search_runs([me.id("home")], w)]))


@pytest.mark.timeout(1800)
def test_runs_by_attributes(both: Both) -> None:
    plain = ("status", "attributes.status", "run_name", "attr.`run name`", "run_id", "user_id", "artifact_uri", "name")
    plain = (
        *plain,
        "dataset.name",
        "datasets.digest",
        "dataset.context",
        "dataset.profile",
        "`run_name`",
        "run.run_name",
    )  # type: ignore[assignment]
    numbers = ("start_time", "attributes.end_time", "end_time", "created", "Created", "attribute.start_time")
    asked = [w for w in filters((), plain + numbers, numbers) if not listed(w)]
    _say(both.differences(asked, lambda c, me, w: [r.info.run_name for r in c.search_runs([me.id("home")], w)]))


@pytest.mark.timeout(1800)
def test_experiments(both: Both) -> None:
    plain, numbers = (
        ("name", "attributes.name", "attr.name", "experiment_id", "status"),
        ("creation_time", "last_update_time"),
    )
    asked = [w for w in filters(("tags", "tag"), plain + numbers, numbers) if not listed(w)]

    def ask(c: MlflowClient, me: Caller, words: str) -> list[str]:
        within = f"name LIKE '{both.prefix}%'" + (f" AND {words}" if words.strip() else words)
        return [e.name for e in c.search_experiments(filter_string=within, order_by=["name"])]

    _say(both.differences(asked, ask))


@pytest.mark.timeout(1800)
def test_registered_models(both: Both) -> None:
    plain, numbers = ("name", "attributes.name", "attribute.name", "description"), ("creation_timestamp",)
    asked = [w for w in filters(("tags", "tag"), plain + numbers, numbers) if not listed(w)]

    def ask(c: MlflowClient, me: Caller, words: str) -> list[str]:
        within = f"name LIKE '{both.prefix}%'" + (f" AND {words}" if words.strip() else words)
        return [m.name for m in c.search_registered_models(within, order_by=["name"])]

    _say(both.differences(asked, ask))


@pytest.mark.timeout(1800)
def test_versions(both: Both) -> None:
    plain = ("name", "run_id", "source_path", "attributes.run_id", "status", "aliases", "current_stage")
    numbers = ("version_number", "creation_timestamp", "version")
    asked = [w for w in filters(("tags", "tag"), plain + numbers, numbers) if not listed(w)]

    def ask(c: MlflowClient, me: Caller, words: str) -> list[str]:
        within = f"name = '{both.prefix}1'" + (f" AND {words}" if words.strip() else words)
        return [v.version for v in c.search_model_versions(within, order_by=["version_number"])]

    _say(both.differences(asked, ask))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["metrics", "params", "tags", "attributes"])
def test_logged_models(both: Both, kind: str) -> None:
    plain = ("name", "model_id", "model_type", "status", "source_run_id", "attributes.name", "attribute.name")
    numbers = ("creation_timestamp", "last_updated_timestamp", "creation_time")
    every = kind == "attributes"
    asked = filters(() if every else (kind,), plain + numbers if every else (), (*numbers, "metrics"))
    null = kind in {"params", "tags"}  # "IS [NOT] NULL on params and tags of logged models"
    wanted = [w for w in asked if not listed(w) and not (null and w.upper().endswith("NULL"))]
    _say(both.differences(wanted, lambda c, me, w: [m.name for m in c.search_logged_models([me.id("home")], w)]))


ORDERS = [
    f"{left}{way}"
    for left in (
        *("metrics.a", "metrics.`a b`", 'metrics."a b"', "params.a", "parameters.A", "tags.a", "tag.`ü`", "start_time"),
        *(
            "attributes.start_time",
            "attr.end_time",
            "status",
            "run_name",
            "`run name`",
            "run_id",
            "artifact_uri",
            "name",
        ),
        *(
            "Created",
            "created",
            "nothing",
            "dataset.name",
            "creation_time",
            "last_update_time",
            "experiment_id",
            "tags.x",
        ),
        *(
            "version_number",
            "last_updated_timestamp",
            "creation_timestamp",
            "version",
            "timestamp",
            "",
            "a b c",
            "'name'",
        ),
    )
    for way in ("", " ASC", " desc", " DOWN", " ASC DESC", ",")
]


ONLY_OURS = {
    "runs": ("run name", "start_time", "reated"),
    "experiments": ("name",),
    "models": ("name", "creation_timestamp"),
    "versions": ("timestamp",),
}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("what", ["runs", "experiments", "models", "versions"])
def test_orders(both: Both, what: str) -> None:
    within = f"name LIKE '{both.prefix}%'"

    def ask(c: MlflowClient, me: Caller, order: str) -> list[str]:
        if what == "runs":
            return [r.info.run_name for r in c.search_runs([me.id("home")], order_by=[order, "start_time"])]
        if what == "experiments":
            return [e.name for e in c.search_experiments(filter_string=within, order_by=[order, "name"])]
        if what == "models":
            return [m.name for m in c.search_registered_models(within, order_by=[order, "name"])]
        return [v.version for v in c.search_model_versions(f"name = '{both.prefix}1'", order_by=[order])]

    known = ONLY_OURS[what]  # sort keys that only we read, and those named twice, with the key that `ask` adds
    own = [
        o
        for o in ORDERS
        if "_id" not in o and "artifact_uri" not in o and not any(k in o.split(".")[-1] for k in known)
    ]
    _say(both.differences(own, ask))


@pytest.mark.timeout(600)
def test_orders_of_logged_models(both: Both) -> None:
    on = {"dataset_name": "x", "dataset_digest": "d1"}
    names = (
        "name",
        "creation_timestamp",
        "metrics.auc",
        "metrics.nothing",
        "params.a",
        "tags.a",
        "nothing",
        "model_type",
    )
    asked = [[{"field_name": name, **more}] for name in (*names, "creation_time", "status", "last_updated_timestamp")
             for more in ({}, {"ascending": False}, on, on | {"dataset_digest": "no"}, {"dataset_digest": "d1"})]  # fmt: skip # noqa: E501
    _say(
        both.differences(asked, lambda c, me, o: [m.name for m in c.search_logged_models([me.id("home")], order_by=o)])
    )
    data = [
        [on],
        [{"dataset_name": "x"}],
        [{"dataset_name": "no"}],
        [on, {"dataset_name": "z"}],
    ]
    _say(
        both.differences(
            data, lambda c, me, d: sorted(m.name for m in c.search_logged_models([me.id("home")], datasets=d))
        )
    )
    metric = [
        (words, d)
        for words in ("metrics.auc > 0.5", "metrics.auc <= 0.5 AND name != 'x'", "metrics.no > 0")
        for d in data
    ]
    _say(
        both.differences(
            metric,
            lambda c, me, a: sorted(m.name for m in c.search_logged_models([me.id("home")], a[0], datasets=a[1])),
        )
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", [1, 2, 3, 1000, 0, -1, 50_001, 1001, 200_001])
def test_pages(both: Both, size: int) -> None:
    def walk(call: Any) -> list[list[str]]:
        pages, token = [], None  # type: ignore[var-annotated]
        while len(pages) < 20:  # a page of nothing may name another one
            page = call(token)
            pages.append(
                [getattr(item, "name", None) or getattr(item, "version", None) or item.info.run_name for item in page]
            )
            token = page.token
            if not token:
                break
        return pages

    within = f"name LIKE '{both.prefix}%'"
    calls = {
        "runs": lambda c, me, t: c.search_runs([me.id("home")], "", ViewType.ALL, size, ["start_time"], t),
        "experiments": lambda c, _, t: c.search_experiments(ViewType.ALL, size, within, ["name"], t),
        "models": lambda c, _, t: c.search_registered_models(within, size, ["name"], t),
        "versions": lambda c, _, t: c.search_model_versions(f"name = '{both.prefix}1'", size, ["version_number"], t),
        "logged": lambda c, me, t: c.search_logged_models([me.id("home")], max_results=size, page_token=t,
                                                          order_by=[{"field_name": "name"}]),
    }  # fmt: skip
    if size == 0:
        del calls["models"]  # "registered-models/search with max_results=0"
    if size < 0:
        del calls["models"], calls["logged"]  # "empty pages without end"
    _say(both.differences(list(calls), lambda c, me, name: walk(lambda token: calls[name](c, me, token))))  # type: ignore[no-untyped-call]
