"""Inputs made to exhaust or to inject: bombs, floods, slow patterns, SQL, lines into the log."""

import gzip
import json
import socket
import time
from collections.abc import Callable

import httpx
import pytest

from tests.security.attack_kit import PROXY, V2, Answer, Victim, raw

SECONDS = 3.0  # nothing here may take longer: an attacker sends it a thousand times
JSON = ("Content-Type", "application/json")


def _within(send: Callable[[], Answer]) -> Answer:
    start = time.monotonic()
    answer = send()
    assert time.monotonic() - start < SECONDS
    return answer


def _nested(depth: int) -> bytes:
    return b'{"name":' + b"[" * depth + b"]" * depth + b"}"


BODIES: dict[str, tuple[str, list[tuple[str, str]], bytes]] = {
    "CVE-2024-6838-name": ("experiments/create", [JSON], b'{"name":"' + b"a" * 5_000_000 + b'"}'),
    "CVE-2024-6838-location": (
        "experiments/create",
        [JSON],
        b'{"name":"n","artifact_location":"' + b"a" * 5_000_000 + b'"}',
    ),
    "CVE-2024-47874-form": (
        "experiments/create",
        [("Content-Type", "multipart/form-data; boundary=a")],
        b"--a\r\n" + b"x" * 5_000_000,
    ),
    "CVE-2023-25577-many-parts": (
        "experiments/create",
        [("Content-Type", "multipart/form-data; boundary=a")],
        b'--a\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n' * 20_000,
    ),
    "CVE-2024-53981-boundary": (
        "experiments/create",
        [("Content-Type", f"multipart/form-data; boundary={'a' * 20_000}")],
        b"\r\n" * 1_000_000,
    ),
    "CVE-2024-24762-type": (
        "experiments/create",
        [("Content-Type", 'application/x-www-form-urlencoded; !="' + "\\" * 20_000)],
        b"a=1",
    ),
    "nesting": ("experiments/create", [JSON], _nested(500_000)),
    "CVE-2025-0453-tags": (
        "experiments/create",
        [JSON],
        json.dumps({"name": "", "tags": [{"key": f"k{n}", "value": "v"} for n in range(100_000)]}).encode(),
    ),
    "CVE-2011-4815-keys": ("experiments/create", [JSON], json.dumps({f"k{n}": n for n in range(200_000)}).encode()),
    "same-keys": ("experiments/create", [JSON], b"{" + b'"a":1,' * 500_000 + b'"a":1}'),
    "big-integer": ("runs/log-metric", [JSON], b'{"run_id":"x","key":"a","timestamp":' + b"9" * 1_000_000 + b"}"),
    "big-exponent": ("runs/log-metric", [JSON], b'{"run_id":"x","key":"a","value":1e999999999,"timestamp":1}'),
    "escapes": ("experiments/create", [JSON], b'{"name":"' + b"\\u0041" * 500_000 + b'"}'),
    "metrics": (
        "runs/log-batch",
        [JSON],
        json.dumps({"run_id": "x", "metrics": [{"key": "a", "value": 1, "timestamp": 1}] * 20_000}).encode(),
    ),
    "CVE-2025-0453-ids": (
        "runs/search",
        [JSON],
        json.dumps({"experiment_ids": [str(n) for n in range(200_000)]}).encode(),
    ),
    "gzip-bomb": ("experiments/create", [JSON, ("Content-Encoding", "gzip")], gzip.compress(b"a" * 50_000_000)),
    "zip-as-json": ("experiments/create", [JSON], b"PK\x03\x04" + b"\0" * 1_000_000),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_made_to_exhaust_is_refused_quickly(victim: Victim, case: str):
    path, headers, body = BODIES[case]
    before = victim.size()
    answer = _within(lambda: victim.post_raw(path, body, headers))
    assert answer.status == 0 or 400 <= answer.status < 500 or "ids" in case, answer.text[:300]
    assert len(answer.body) < 20_000, "a large request gets no large answer"
    assert victim.size() == before


HEADERS: dict[str, list[tuple[str, str]]] = {
    "one-huge": [("X-A", "a" * 1_000_000)],
    "many": [(f"X-{n}", "a") for n in range(20_000)],
    "cookies": [("Cookie", "; ".join(f"a{n}=1" for n in range(50_000)))],
    "CVE-2021-23336-semicolons": [("Cookie", "modelkeel_session=" + ";" * 60_000)],
    "authorization": [("Authorization", "Basic " + "QQ" * 30_000)],
    "authorization-bad": [("Authorization", "Basic \xff\xfe===")],
    "bearer": [("Authorization", "Bearer mk_" + "a" * 60_000)],
    "negative-length": [("Content-Length", "-1")],
    "length-words": [("Content-Length", "1e3")],
    "range": [("Range", "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000)))],
    "accept": [("Accept", ",".join("a/b;q=0." + "1" * 20 for _ in range(2_000)))],
    "workspace": [("X-MLflow-Workspace", "a" * 50_000)],
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_made_to_exhaust_are_answered_quickly(victim: Victim, case: str):
    answer = _within(lambda: raw(victim.server.url, "GET", "/api/v1/me", HEADERS[case]))
    assert answer.status == 0 or 400 <= answer.status < 500, answer.text[:300]


SLOW = {
    "quotes": "name = '" + "\\'" * 20_000,
    "spaces": "name" + " " * 50_000 + "=",
    "backticks": "metrics.`" + "a" * 50_000,
    "ands": " AND ".join(["metrics.a > 1"] * 5_000),
    "parentheses": "(" * 20_000 + "name = 'a'" + ")" * 20_000,
    "in-list": "name IN (" + ",".join(["'a'"] * 50_000) + ")",
    "percent": "name LIKE '" + "%a" * 20_000 + "'",
    "percent-like": "name LIKE '" + "%_" * 5_000 + "%'",
    "numbers": "metrics.a > " + "9" * 50_000,
    "dots": "metrics" + "." * 50_000 + " = 1",
    "words": "a " * 50_000,
    "escapes": "name = '" + "\\\\" * 30_000 + "'",
}
SEARCHES = {
    "runs": lambda v, text: ("runs/search", {"experiment_ids": [v.experiment], "filter": text}),
    "experiments": lambda _, text: ("experiments/search", {"max_results": 5, "filter": text}),
    "logged-models": lambda v, text: ("logged-models/search", {"experiment_ids": [v.experiment], "filter": text}),
}


@pytest.mark.parametrize("where", SEARCHES)
@pytest.mark.parametrize("case", SLOW)
def test_no_filter_is_slow_to_read(victim: Victim, where: str, case: str):
    """CVE-2024-24762 and its kin: patterns in which a reader loses itself."""
    path, body = SEARCHES[where](victim, SLOW[case])
    answer = _within(lambda: victim.post_raw(path, body, [JSON]))
    assert answer.status in {200, 400}, answer.text[:300]
    assert len(answer.body) < 200_000


FULL = " AND ".join(f"{kind}.k{n} = '1'" for n in range(25) for kind in ("params", "tags"))


def test_a_search_with_as_many_conditions_as_it_may_is_answered(victim: Victim):
    order = [f"metrics.k{n} DESC" for n in range(50)]
    for text, keys, status in (
        (FULL, order, 200),
        (f"{FULL} AND tags.a = 'b'", [], 400),
        ("", [*order, "tags.a"], 400),
    ):
        body = {"experiment_ids": [victim.experiment], "filter": text, "order_by": keys}
        answer = _within(lambda body=body: victim.post_raw("runs/search", body, [JSON]))  # type: ignore[misc]
        assert answer.status == status, answer.text


INJECTED = {
    "tautology": "name = 'a' OR '1'='1'",
    "comment": "name = 'a'--",
    "stacked": "name = 'a'; DROP TABLE run; --",
    "union": "name = 'a' UNION SELECT 1,2,3 FROM token",
    "quote": "name = 'a'' OR ''1''=''1'",
    "backslash": "name = 'a\\' OR 1=1 --'",
    "double-quote": 'name = "a" OR "1"="1"',
    "key": "tags.`a' OR 1=1 --` = 'b'",
    "key-double": 'tags."a"" OR 1=1 --" = \'b\'',
    "function": "name = (SELECT hash FROM token)",
    "concat": "name = 'a' || (SELECT 1)",
    "like-escape": "name LIKE '%' ESCAPE 'a'",
    "unicode-quote": "name = \u2019a\u2019 OR 1=1",
    "order": "name DESC; DROP TABLE run",
    "order-case": "CASE WHEN 1=1 THEN name ELSE 1 END",
    "order-column": "metrics.`a` ASC, (SELECT 1)",
}


@pytest.mark.parametrize("where", SEARCHES)
@pytest.mark.parametrize("place", ["filter", "order_by", "page_token"])
@pytest.mark.parametrize("case", INJECTED)
def test_a_search_is_never_sql(victim: Victim, where: str, place: str, case: str):
    path, body = SEARCHES[where](victim, "")
    text = INJECTED[case]
    ordered = [{"field_name": text}] if where == "logged-models" else [text]
    body[place] = ordered if place == "order_by" else text
    answer = victim.post_raw(path, body, [JSON])
    assert answer.status in {200, 400}, answer.text
    if answer.status == 200:
        assert json.loads(answer.text).get("runs", json.loads(answer.text).get("experiments", [])) in ([], None)
    assert victim.owner.get(f"{V2}/runs/get", params={"run_id": victim.run}).status_code == 200


NAMES = ["a'; DROP TABLE experiment; --", "a' OR '1'='1", 'a"; --', "a%' --", "a\\'; --", "{{7*7}}", "${7*7}", "%s%n%x"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_never_sql_nor_a_template(victim: Victim, name: str):
    """CVE-2023-6709: a template rendered from what somebody wrote."""
    made = victim.post("experiments/create", name=name)["experiment_id"]
    found = victim.owner.get(f"{V2}/experiments/get-by-name", params={"experiment_name": name}).json()["experiment"]
    assert (found["experiment_id"], found["name"]) == (made, name)
    assert victim.owner.get(f"{V2}/experiments/get-by-name", params={"experiment_name": name + "x"}).status_code == 404


LARGE = {
    "runs": ("runs/search", {"experiment_ids": ["{experiment}"], "max_results": 2**31}),
    "runs-64": ("runs/search", {"experiment_ids": ["{experiment}"], "max_results": 2**63}),
    "runs-negative": ("runs/search", {"experiment_ids": ["{experiment}"], "max_results": -1}),
    "experiments": ("experiments/search", {"max_results": 10**9}),
    "logged-models": ("logged-models/search", {"experiment_ids": ["{experiment}"], "max_results": 10**9}),
}


@pytest.mark.parametrize("case", LARGE)
def test_no_page_is_larger_than_its_limit(victim: Victim, case: str):
    path, body = LARGE[case]
    filled = json.loads(json.dumps(body).replace("{experiment}", victim.experiment))
    assert victim.post_raw(path, filled, [JSON]).status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/runs?experiment={experiment}&limit=1000000000",
        "/api/v1/experiments?limit=1000000000",
        "/api/v1/ledger/entries?limit=1000000000",
        "/api/v1/ledger/entries?limit=-1",
        "/api/v1/runs/{run}/metric-buckets?key=a&count=1000000000",
        "/api/v1/alerts?limit=1000000000",
        "/api/v1/promotions?limit=1000000000",
        "/api/v1/pipelines/runs?limit=1000000000",
    ],
)
def test_no_list_is_longer_than_its_limit(victim: Victim, path: str):
    assert victim.owner.get(path.format(**victim.names)).status_code == 400


def test_a_history_is_cut_at_its_limit(victim: Victim):
    asked = {"run_id": victim.run, "metric_key": "a", "max_results": 2**62}
    assert victim.owner.get(f"{V2}/metrics/get-history", params=asked).status_code in {200, 400}


FORGED = "\r\n2026-01-01 00:00:00 ERROR forged line in the log\n\x1b[31mforged"


@pytest.mark.parametrize("place", ["name", "path", "header", "workspace", "user-agent", "sign-in"])
def test_no_line_is_forged_in_the_log(victim: Victim, place: str):
    """CVE-2024-53981 and its kin: what was sent becomes a line of the log, or a colour on who reads it."""
    quoted = FORGED.replace("\r", "%0d").replace("\n", "%0a").replace("\x1b", "%1b").replace(" ", "%20")
    if place == "name":
        victim.post_raw("experiments/create", {"name": FORGED})
    elif place == "path":
        victim.raw("GET", f"/api/v1/runs/{quoted}")
    elif place == "sign-in":
        httpx.post(f"{victim.server.url}/api/v1/sessions", json={"name": FORGED, "password": FORGED})
    else:
        name = {"header": "X-A", "workspace": "X-MLflow-Workspace", "user-agent": "User-Agent"}[place]
        victim.raw("GET", "/api/v1/me", [(name, "a\x1b[31mforged")])
    log = (victim.server.home / "server.log").read_text()
    assert "forged" not in log


def test_a_slow_upload_holds_nobody_up(victim: Victim):
    """A body that never ends: others are answered meanwhile, and nothing of it is kept."""
    at = httpx.URL(victim.server.url)
    with socket.create_connection((at.host, at.port)) as slow:
        head = f"PUT {PROXY}/{victim.names['owned']}/slow.bin HTTP/1.1\r\nHost: {at.host}:{at.port}\r\n"
        slow.sendall(
            f"{head}Authorization: Bearer {victim.server.token}\r\nContent-Length: 1000000\r\n\r\nabc".encode()
        )
        assert _within(lambda: victim.raw("GET", "/health")).status == 200
        assert _within(lambda: victim.post_raw("experiments/create", {"name": "meanwhile"})).status == 200
    assert victim.owner.get(f"{PROXY}/{victim.names['owned']}/slow.bin").status_code == 404
