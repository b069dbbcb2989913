"""Search over HTTP in a home with very many runs: filters that match many, few and none, ordered by a metric.

`python -m bench.search [--runs N] [--keep FOLDER]` prints one JSON line a figure. The rows are written straight into a
new home's tables (through the API that would take an hour); a folder that is kept is used again. Each run has 5
metrics, 5 params and 2 tags; times are medians of warm calls for the first 100 runs.
"""

import argparse
import json
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bench.servers import modelkeel_server
from modelkeel.storage.database import Database
from modelkeel.storage.migrate import migrate

EXPERIMENT = "1" * 18
CALLS = 9
SHAPES: dict[str, tuple[str, list[str]]] = {
    "many": ("metrics.m1 > 100 and params.p2 = '3' and tags.team = 'a'", ["metrics.m1 DESC"]),
    "few": ("metrics.m1 > 100 and params.p4 = '77' and tags.team = 'a'", ["metrics.m1 DESC"]),
    "none": ("metrics.m1 > 100 and params.p2 = 'absent' and tags.team = 'a'", ["metrics.m1 DESC"]),
    "none_together": ("metrics.m1 > 100 and params.p2 = '3' and tags.team = 'b' and tags.odd = '1'", ["metrics.m1"]),
    "newest": ("", []),
    "range_only_none": ("metrics.m1 > 2000 and metrics.m2 < -1", ["metrics.m1 DESC"]),
    "ranges_apart": ("metrics.m1 > 990 and metrics.m2 < 10", ["metrics.m3 DESC"]),
}


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    print(json.dumps({"bench": "search", "figure": name, "value": round(value, 2), "unit": unit} | more), flush=True)


def fill(home: Path, runs: int) -> None:
    """A home with so many runs in one experiment."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / "modelkeel.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous=OFF")
    now = time.time_ns() // 1_000_000
    workspace = _workspace(home)
    db.execute("INSERT INTO experiment VALUES (?, ?, 'many', 'active', ?, ?)", (EXPERIMENT, workspace, now, now))
    keys = [f"m{k}" for k in range(5)]
    db.executemany("INSERT INTO metric_key (workspace, key) VALUES (?, ?)", [(workspace, key) for key in keys])
    numbers = dict(db.execute("SELECT key, id FROM metric_key"))
    for start in range(0, runs, 50_000):
        some = range(start, min(start + 50_000, runs))
        _insert(db, "run", _runs(some, workspace, now))
        _insert(db, "metric_latest", _metrics(some, [numbers[key] for key in keys], now))
        _insert(db, "param", _params(some))
        _insert(db, "tag", _tags(some))
        db.commit()
    db.close()


def _workspace(home: Path) -> str:
    """The id of the default workspace, which the server makes on its first start."""
    with modelkeel_server(home):
        pass
    found = sqlite3.connect(home / "modelkeel.db").execute("SELECT id FROM workspace").fetchone()
    return str(found[0])


def _insert(db: sqlite3.Connection, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
    first = next(rows)
    places = ",".join("?" * len(first))
    db.execute(f"INSERT INTO {table} VALUES ({places})", first)
    db.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def _runs(some: range, workspace: str, now: int) -> Iterator[tuple[Any, ...]]:
    for n in some:
        head = (n + 1, f"{n:032x}", workspace, EXPERIMENT, f"run-{n}", "bench", "bench", "FINISHED", "active")
        yield (*head, now - 1000 * n, now, now, None, 0, None, None)


def _metrics(some: range, keys: list[int], now: int) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(some.start)
    for n in some:
        for key in keys:
            yield (n + 1, key, 1, now, chance.random() * 1000, 0)


def _params(some: range) -> Iterator[tuple[Any, ...]]:
    for n in some:
        for k in range(4):
            yield (n + 1, f"p{k}", str((n + k) % 10))
        yield (n + 1, "p4", str(n % 10_007))


def _tags(some: range) -> Iterator[tuple[Any, ...]]:
    for n in some:
        yield (n + 1, "mlflow.runName", f"run-{n}")
        yield (n + 1, "team", "ab"[n // 3 % 2])


def main() -> None:
    """Fills a home, then asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_known_args()[0]
    home = asked.keep or Path(tempfile.mkdtemp(prefix="mksearch"))
    if not (home / "filled").exists():
        began = time.perf_counter()
        fill(home, asked.runs)
        (home / "filled").touch()
        figure("fill", time.perf_counter() - began, "s", runs=asked.runs)
    try:
        with modelkeel_server(home) as url, httpx.Client(base_url=url, timeout=120) as client:
            for name, (words, order) in SHAPES.items():
                body = {"experiment_ids": [EXPERIMENT], "filter": words, "order_by": order, "max_results": 100}
                times, found = [], 0
                for _ in range(CALLS):
                    start = time.perf_counter()
                    answer = client.post("/api/2.0/mlflow/runs/search", json=body).raise_for_status()
                    times.append((time.perf_counter() - start) * 1000)
                    found = len(answer.json().get("runs", []))
                figure(name, statistics.median(times[2:]), "ms", runs=asked.runs, found=found, worst=round(max(times)))
    finally:
        if asked.keep is None:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
