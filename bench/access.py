"""What deciding who may do something costs, as a share of the request that waits for it.

`python -m bench.access [--seconds S]` prints one JSON line a figure. The check is timed by itself: without grants, and
for somebody with 1,000 grants and denials of each kind. Requests are timed at a real server over loopback, by one
client, one after another, with a token. The share is that of three checks, more than any of these requests makes; for
a search also of finding out what may be seen, though not of what the database then takes to leave the rest out.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.start import begin, end
from modelkeel.core.access import PERMISSIONS, Grants, Kind, Object, Permission, Principal, Role
from modelkeel.identity.authorizer import RoleAuthorizer

MANY = 1_000
MOST_CHECKS = 3
"""Checks that one of these requests makes at most: of its kind, of its object, and of what it writes."""


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    print(json.dumps({"bench": "access", "figure": name, "value": round(value, 4), "unit": unit} | more), flush=True)


def timed(call: Callable[[], object], seconds: float) -> float:
    """Seconds that one call takes, the median of ten rounds."""
    rounds = []
    for _ in range(10):
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds / 10:
            for _ in range(100):
                call()
            count += 100
        rounds.append((time.perf_counter() - began) / count)
    return statistics.median(rounds)


def principal(grants: int) -> Principal:
    """A maintainer with so many grants and denials of each kind."""
    some = {f"id{number}": frozenset({Permission.TRACK}) for number in range(grants)}
    denied = {f"no{number}": frozenset({Permission.READ}) for number in range(grants)}
    held = {kind: Grants(some, denied) for kind in Kind} if grants else {}
    return Principal("bench", "bench", "user", "w", PERMISSIONS[Role.MAINTAINER], held)


def p50(call: Callable[[], httpx.Response], seconds: float) -> float:
    """Seconds that a request takes, the median."""
    call().raise_for_status()
    taken, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        answer = call()
        taken.append(time.perf_counter() - began)
        answer.raise_for_status()
    return statistics.median(taken)


def main() -> None:
    """Times the check, then the requests, and prints each share."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    seconds = parser.parse_args().seconds
    authorizer, on = RoleAuthorizer(), Object(Kind.EXPERIMENT, "id1")
    costs = {}
    for grants in (0, MANY):
        who = principal(grants)
        costs[grants] = timed(lambda who=who: authorizer.require(who, Permission.TRACK, what="a run", on=on), seconds)  # type: ignore[misc]
        figure(f"check_{grants}_grants", costs[grants] * 1e6, "us")
    seen = timed(lambda: authorizer.visible(who, Kind.EXPERIMENT), seconds)
    figure(f"visible_{MANY}_grants", seen * 1e6, "us")
    with tempfile.TemporaryDirectory(prefix="mk") as folder:
        home = Path(folder) / "home"
        server, url = begin(home)
        try:
            token = (home / "owner.token").read_text()
            with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
                _requests(client, seconds, MOST_CHECKS * costs[MANY], seen)
        finally:
            end(server)


def _requests(client: httpx.Client, seconds: float, checks: float, seen: float) -> None:
    at = "/api/2.0/mlflow"
    experiment = client.post(f"{at}/experiments/create", json={"name": "bench"}).json()["experiment_id"]
    run = client.post(f"{at}/runs/create", json={"experiment_id": experiment}).json()["run"]["info"]["run_id"]
    metric = {"key": "loss", "value": 0.5, "timestamp": 1, "step": 0}
    asked: dict[str, Callable[[], httpx.Response]] = {
        "runs_get": lambda: client.get(f"{at}/runs/get", params={"run_id": run}),
        "log_batch": lambda: client.post(f"{at}/runs/log-batch", json={"run_id": run, "metrics": [metric]}),
        "runs_search": lambda: client.post(f"{at}/runs/search", json={"experiment_ids": [experiment]}),
    }
    for name, call in asked.items():
        whole = p50(call, seconds)
        figure(f"{name}_p50", whole * 1000, "ms")
        cost = checks + (seen if name == "runs_search" else 0.0)
        figure(f"{name}_share", 100 * cost / whole, "%", goal=5, checks=MOST_CHECKS, grants=MANY)


if __name__ == "__main__":
    main()
