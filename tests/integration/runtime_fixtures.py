"""A supervisor on a fresh home, for the runtime's tests; it ends with the test."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from modelkeel.core.errors import Unavailable
from modelkeel.runtime.control import SupervisorClient, start_supervisor
from modelkeel.wire.serving import PredictionRow
from modelkeel.wire.spool import read_blocks


@dataclass
class Serving:
    """A running supervisor."""

    home: Path
    control: SupervisorClient
    port: int

    @property
    def folder(self) -> Path:
        return self.home / "serving"

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)


@contextmanager
def supervised(workers: int = 1, *options: str, inside: str = "") -> Iterator[Serving]:
    root = Path(tempfile.mkdtemp(prefix="keel-runtime-"))
    home = root / inside if inside else root
    control = start_supervisor(home, workers=workers, options=options)
    try:
        yield Serving(home, control, control.status().port)
    finally:
        with contextlib.suppress(Unavailable):
            control.shutdown(drain_seconds=1)
        shutil.rmtree(root, ignore_errors=True)


def logged(serving: Serving, wanted: set[str]) -> dict[str, list[PredictionRow]]:
    """The log's rows by id, as soon as all wanted ones are there."""
    deadline = time.monotonic() + 5
    while True:
        rows: dict[str, list[PredictionRow]] = {}
        for path in (serving.folder / "spool").glob("*-*.closed"):
            for block in read_blocks(path):
                for row in block.rows():
                    rows.setdefault(row.prediction_id, []).append(row)
        if wanted <= set(rows) or time.monotonic() > deadline:
            return rows
        time.sleep(0.05)
