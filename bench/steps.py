"""Steps: what a trivial step costs, cold and cached, by us and (with --peer) by Hamilton and Dagster.

`python -m bench.steps [--steps N] [--rounds N] [--peer]` prints one JSON line a figure. Ours records everything: key
parts, results, entries in the ledger. The peers run in virtual environments of their own, with what each offers of
caching and stored results.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.peers import environment

OURS = """
import json, sys, time
import modelkeel as keel


@keel.step
def add(x: int, k: int) -> int:
    return x + k


@keel.pipeline
def many(count: int, k: int) -> int:
    x = 0
    for _ in range(count):
        x = add(x, k)
    return x


count, rounds = int(sys.argv[1]), int(sys.argv[2])
keel.run(many, {"count": 1, "k": 0})
for k in range(1, rounds + 1):
    for _ in ("cold", "cached"):
        for steps in (1, count):
            begun = time.perf_counter()
            keel.run(many, {"count": steps, "k": k + steps * 1000})
            print(json.dumps([steps, time.perf_counter() - begun]))
"""
HAMILTON = """
import json, sys, tempfile, time
from types import ModuleType
from hamilton import driver

count, rounds = int(sys.argv[1]), int(sys.argv[2])
source = "def x0(k: int) -> int:\\n    return k\\n"
source += "".join(f"def x{i}(x{i - 1}: int, k: int) -> int:\\n    return x{i - 1} + k\\n" for i in range(1, count))
import pathlib
folder = tempfile.mkdtemp()
sys.path.insert(0, folder)
pathlib.Path(folder, "flow.py").write_text(source)
import flow
for k in range(1, rounds + 1):
    for _ in ("cold", "cached"):
        begun = time.perf_counter()
        built = driver.Builder().with_modules(flow).with_cache(path=folder + "/cache").build()
        built.execute([f"x{count - 1}"], inputs={"k": k})
        print(json.dumps([count, time.perf_counter() - begun]))
"""
DAGSTER = """
import json, sys, tempfile, time
from dagster import DagsterInstance, FilesystemIOManager, job, op

count, rounds = int(sys.argv[1]), int(sys.argv[2])


@op
def add(x: int) -> int:
    return x + 1


@op
def start() -> int:
    return 0


@job(resource_defs={"io_manager": FilesystemIOManager(base_dir=tempfile.mkdtemp())})
def many():
    x = start()
    for _ in range(count - 1):
        x = add(x)


with DagsterInstance.local_temp(tempfile.mkdtemp()) as instance:
    for _ in range(rounds):
        begun = time.perf_counter()
        many.execute_in_process(instance=instance)
        print(json.dumps([count, time.perf_counter() - begun]))
"""


def figure(who: str, name: str, seconds: float, steps: int) -> None:
    """Prints one result, milliseconds a step."""
    line = {
        "bench": "steps",
        "who": who,
        "figure": name,
        "value": round(seconds * 1000, 3),
        "unit": "ms",
        "steps": steps,
    }
    print(json.dumps(line), flush=True)


def timings(python: str, program: str, steps: int, rounds: int, **variables: str) -> list[tuple[int, float]]:
    """Runs a program in a folder of its own and reads the times that it prints."""
    folder = Path(tempfile.mkdtemp(prefix="mkbench"))
    try:
        (folder / "program.py").write_text(program)
        (folder / "modelkeel.toml").touch()
        done = subprocess.run(
            [python, "program.py", str(steps), str(rounds)],
            cwd=folder,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        return [(int(count), float(seconds)) for count, seconds in lines]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ours(steps: int, rounds: int) -> None:
    """A step in a run of many, and what a run costs beside its steps."""
    home = Path(tempfile.mkdtemp(prefix="mkbench"))
    command = [sys.executable, "-m", "modelkeel", "up", "--home", str(home), "--port", "0", "--predict-port", "0"]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while not (home / "server.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        found = timings(sys.executable, OURS, steps, rounds, MODELKEEL_HOME=str(home), MODELKEEL_URL="")
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(home, ignore_errors=True)
    for at, name in enumerate(("cold", "cached")):
        one = [found[i][1] for i in range(2 * at, len(found), 4)]
        many = [found[i + 1][1] for i in range(2 * at, len(found), 4)]
        figure("modelkeel", f"step_{name}", (statistics.median(many) - statistics.median(one)) / (steps - 1), steps)
        figure("modelkeel", f"run_of_one_step_{name}", statistics.median(one), 1)


def peers(steps: int, rounds: int) -> None:
    """The same by Hamilton (cache on) and Dagster (results in files), each step of a run of so many."""
    hamilton = timings(
        str(environment("hamilton", "sf-hamilton")), HAMILTON, steps, rounds, HAMILTON_TELEMETRY_ENABLED="0"
    )
    figure("hamilton", "step_cold", statistics.median(s for _, s in hamilton[0::2]) / steps, steps)
    figure("hamilton", "step_cached", statistics.median(s for _, s in hamilton[1::2]) / steps, steps)
    python = str(environment("dagster", "dagster"))
    dagster = timings(python, DAGSTER, steps, rounds, DAGSTER_DISABLE_TELEMETRY="1")
    figure("dagster", "step_cold", statistics.median(s for _, s in dagster) / steps, steps)


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", action="store_true")
    options, _ = parser.parse_known_args()
    ours(options.steps, options.rounds)
    if options.peer:
        peers(options.steps, options.rounds)


if __name__ == "__main__":
    main()
