"""Drift and quality of 1,000,000 × 20 rows (15 numbers, 5 categories) from Parquet, as a whole process; and collecting.

`python -m bench.drift [--rows N] [--peer PYTHON]` prints one JSON line a figure. The report is the monitor's own
path: read two Parquet files, fit bins on the reference, count both, PSI, Jensen-Shannon distance and chi-square test
a column with false-discovery control, and AUC with its interval. With `--peer`, the Python of an environment that has
`evidently`, its drift preset runs on the same files right after.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

DETECTORS = ["psi", "jensen_shannon", "chi_square", "benjamini_hochberg", "auc_delong"]
PEER = """
import sys, time, resource, json
began = time.perf_counter()
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
drop = ["score", "label"]
reference, current = (pd.read_parquet(p).drop(columns=drop) for p in sys.argv[1:3])
Report([DataDriftPreset()]).run(current, reference)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": time.perf_counter() - began, "peak_mb": peak}))
"""


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    print(json.dumps({"bench": "drift", "figure": name, "value": round(value, 3), "unit": unit} | more), flush=True)


def write(path: Path, rows: int, shift: float, seed: int) -> None:
    """A frame of 15 numbers and 5 categories with a score and a label; three columns are shifted."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"n{i}": rng.normal(shift if i < 2 else 0, 1, rows) for i in range(15)}
    for i in range(5):
        weights = np.arange(1, 11, dtype=float) if i or not shift else np.arange(10, 0, -1, dtype=float)
        columns[f"c{i}"] = rng.choice([f"v{j}" for j in range(10)], rows, p=weights / weights.sum())
    columns["score"] = 1 / (1 + np.exp(-columns["n3"]))
    columns["label"] = (rng.random(rows) < columns["score"]).astype(np.int64)
    pl.DataFrame(columns).write_parquet(path)


def report(reference: Path, current: Path) -> None:
    """The report in this process; prints its own peak and what it found."""
    from modelkeel.monitoring.check import check

    began = time.perf_counter()
    found = check(reference.read_bytes(), current.read_bytes())
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shifted = sorted(c.column for c in found.drift if c.shifted)
    print(json.dumps({"inside": seconds, "peak_mb": peak, "shifted": shifted, "auc": found.quality["auc"].value}))


def whole(command: list[str]) -> tuple[float, dict[str, Any]]:
    """Seconds of a whole process, and what it printed last."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - began, json.loads(done.stdout.splitlines()[-1])


async def collecting(rows: int) -> tuple[float, float]:
    """Rows a second through collecting and folding, and labels a second acknowledged, on a fresh home."""
    from modelkeel.app import Keel, Settings
    from modelkeel.monitoring.config import MonitorConfig
    from tests.integration.monitoring_kit import START, make_rows, reference_of, rig, stream

    with tempfile.TemporaryDirectory() as home:
        keel = Keel.open(Settings(Path(home)))
        made, rng = await rig(keel), np.random.default_rng(1)
        made.references.known["flights", 1] = reference_of(make_rows(rng, 20_000, START))
        await made.monitoring.put_monitor(made.principal, "flights", MonitorConfig())
        drawn = make_rows(rng, rows, START)
        ids = made.write(drawn, stream(), batch=8)
        began = time.perf_counter()
        await made.settle()
        collected = time.perf_counter() - began
        began = time.perf_counter()
        for at in range(0, rows, 5_000):
            await made.label(ids[at : at + 5_000], drawn.truth[at : at + 5_000])
        labelled = time.perf_counter() - began
        keel.close()
    return rows / collected, rows / labelled


def main() -> None:
    """Runs the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer", help="a Python that has evidently")
    parser.add_argument("--report", nargs=2, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.report:
        report(Path(wanted.report[0]), Path(wanted.report[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("reference.parquet", "current.parquet")]
        write(Path(files[0]), wanted.rows, 0.0, 1)
        write(Path(files[1]), wanted.rows, 0.5, 2)
        runs = [whole([sys.executable, "-m", "bench.drift", "--report", *files]) for _ in range(3)]
        seconds, found = min(runs, key=lambda run: run[0])
        more = {"rows": wanted.rows, "columns": 20, "detectors": DETECTORS, "shifted": found["shifted"]}
        figure("report, whole process", seconds, "s", runs=[round(s, 3) for s, _ in runs], **more)
        figure("report, peak resident", found["peak_mb"], "MB")
        if wanted.peer:
            peer_seconds, peer = whole([wanted.peer, "-c", PEER, *files])
            figure("evidently drift preset, whole process", peer_seconds, "s", peak_mb=round(peer["peak_mb"]))
            figure("times faster", peer_seconds / seconds, "x")
    rows, labels = asyncio.run(collecting(100_000))
    figure("predictions collected, sealed and folded", rows, "rows/s")
    figure("labels acknowledged, batches of 5,000", labels, "labels/s")


if __name__ == "__main__":
    main()
