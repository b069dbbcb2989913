"""Moving in and out: time and peak memory of an import of many points and one large file, and of its export.

Each command is run twice: on a small source and on a large one. Memory is flat where both peaks are alike.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from bench.servers import modelkeel_server

POINTS_AT_ONCE = 50_000


def main() -> None:
    """Prints one line for the small and one for the large source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--points", type=int, default=1000, help="of one metric, in each run")
    parser.add_argument("--megabytes", type=int, default=500, help="of the one large file")
    parser.add_argument("--traces", type=int, default=1000, help="of five spans")
    asked = parser.parse_args()
    for runs, points, size, traces in (
        (10, 10, 1 << 20, 10),
        (asked.runs, asked.points, asked.megabytes << 20, asked.traces),
    ):
        folder = Path(tempfile.mkdtemp(prefix="mkmove"))
        try:
            _fill(folder, runs, points, size, traces)
            print(
                json.dumps(_measured(folder, {"runs": runs, "points": runs * points, "bytes": size, "traces": traces}))
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _measured(folder: Path, line: dict[str, Any]) -> dict[str, Any]:
    home = folder / "home"
    with modelkeel_server(home):
        server = json.loads((home / "server.json").read_text())["pid"]
        source = f"sqlite:///{folder}/mlflow.db"
        for name, words in (
            ("import", ["import", "mlflow", source]),
            ("repeat", ["import", "mlflow", source]),
            ("export", ["export", "mlflow", f"sqlite:///{folder}/out.db", "--artifacts", str(folder / "out")]),
        ):
            seconds, peak = _run([*words, "--json"], home)
            line[f"{name}_s"], line[f"{name}_peak_mb"] = round(seconds, 1), peak >> 20
        line["server_peak_mb"] = _peak(server) >> 20
    return line


def _run(words: list[str], home: Path) -> tuple[float, int]:
    """Seconds and peak memory, in bytes, of a command."""
    started = time.perf_counter()
    environment = {**os.environ, "MODELKEEL_HOME": str(home)}
    with (home / "command.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "modelkeel", *words], env=environment, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit((home / "command.log").read_text()[-2000:])
    return time.perf_counter() - started, used.ru_maxrss << 10


def _peak(pid: int) -> int:
    """The largest resident memory that a process had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) << 10


def _fill(folder: Path, runs: int, points: int, size: int, traces: int) -> None:
    """An MLflow database with files beside it; rows are written by MLflow's tables, as logging them would take long."""
    from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlRun
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store: Any = SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", str(folder / "files"))
    experiment = store.create_experiment("bench", str(folder / "files"))
    waiting: list[dict[str, Any]] = []
    for number in range(runs):
        identity = uuid.uuid4().hex
        root = folder / "files" / identity / "artifacts"
        row = {
            "run_uuid": identity,
            "name": f"run {number}",
            "experiment_id": int(experiment),
            "user_id": "bench",
            "status": "FINISHED",
            "start_time": number,
            "end_time": number + 1,
            "lifecycle_stage": "active",
            "artifact_uri": str(root),
        }
        made = [
            {"run_uuid": identity, "key": "loss", "step": n, "timestamp": n, "value": 1 / (n + 1), "is_nan": False}
            for n in range(points)
        ]
        _insert(store, [(SqlRun, [row]), (SqlLatestMetric, made[-1:])])
        waiting += made
        if len(waiting) >= POINTS_AT_ONCE or number == runs - 1:
            _insert(store, [(SqlMetric, waiting)])
            waiting = []
        root.mkdir(parents=True)
        (root / "note.txt").write_text(f"run {number}")
        if not number:
            with (root / "large.bin").open("wb") as file:
                for _ in range(max(size >> 20, 1)):
                    file.write(os.urandom(1 << 20))
    _fill_traces(store, experiment, traces)
    store.engine.dispose()


def _fill_traces(store: Any, experiment: str, count: int) -> None:
    from mlflow.entities import TraceInfo, TraceLocation, TraceState
    from mlflow.entities.span import Span
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

    for number in range(count):
        trace = uuid.uuid4()
        spans = []
        for at in range(5):
            message = Message(trace_id=trace.bytes, span_id=(at + 1).to_bytes(8, "big"), name=f"step {at}")
            message.start_time_unix_nano, message.end_time_unix_nano = (
                1_000_000 * (number + 1),
                2_000_000 * (number + 1),
            )
            message.parent_span_id = (1).to_bytes(8, "big") if at else b""
            text = message.attributes.add()
            text.key, text.value.string_value = "text", "x" * 500
            spans.append(Span.from_otel_proto(message))
        place = TraceLocation.from_experiment_id(experiment)
        store.start_trace(TraceInfo(f"tr-{trace.hex}", place, number + 1, TraceState.OK, execution_duration=1))
        store.log_spans(experiment, spans)


def _insert(store: Any, rows: list[tuple[Any, list[dict[str, Any]]]]) -> None:
    with store.ManagedSessionMaker() as session:
        for table, some in rows:
            session.bulk_insert_mappings(table, some)


if __name__ == "__main__":
    main()
