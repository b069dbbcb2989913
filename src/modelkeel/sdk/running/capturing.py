"""Captures what stands behind a run while its steps run, and hands it in at the end."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelkeel.core.errors import Unavailable
from modelkeel.sdk.api import Api
from modelkeel.sdk.capture import environment, machine, snapshot
from modelkeel.sdk.running.recorder import patiently, store_content
from modelkeel.sdk.values import Content
from modelkeel.wire.captures import Capture, DataInput, Environment, Snapshot


class Capturing:
    """Two captures in the background: the project's files and the environment.

    Args:
        root: the project's folder.
        notebook: whether the pipeline has no file, so that there is nothing to take a snapshot of.
        source: the snapshot from which the folder was unpacked; it stands for this run too.
        known: an environment captured before; where this is the same one, it stands for this run too.
    """

    def __init__(
        self, root: Path, *, notebook: bool, source: Snapshot | None = None, known: Environment | None = None
    ) -> None:
        self._source = source
        self._stored: tuple[Snapshot | None, Environment] | None = None
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="keel-capture")
        taken = notebook or source is not None
        self._snapshot = None if taken else self._pool.submit(snapshot.capture, root)
        self._known = known if known and known.digest == environment.environment_digest() else None
        self._environment = None if self._known else self._pool.submit(environment.lock, root)

    def hand_in(self, api: Api, run_id: str, data: list[DataInput]) -> None:
        """Stores what the server lacks, and says what stood behind the run.

        Raises:
            KeelError: the server refused it.
        """
        taken, described = self.stored(api)
        body = Capture(taken, described, machine.machine(), data)
        patiently(lambda: api.put(f"/api/v1/pipelines/runs/{run_id}/capture", body))

    def stored(self, api: Api) -> tuple[Snapshot | None, Environment]:
        """The files and the environment, whose content the server has from now on."""
        if self._stored is None:
            self._stored = self._store(api)
        return self._stored

    def close(self) -> None:
        """Ends the background work."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _store(self, api: Api) -> tuple[Snapshot | None, Environment]:
        content: dict[str, Content] = {}
        taken = self._source
        if self._snapshot is not None:
            found = self._snapshot.result()
            taken = found.snapshot
            if found.diff and taken.diff:
                content[taken.diff] = found.diff
            held = patiently(lambda: api.post("/api/v1/blobs/held", {"digests": [found.snapshot.digest]}))
            if not held["digests"]:
                content[taken.digest] = found.content()
        described = self._locked(content)
        store_content(api, content)
        return taken, described

    def _locked(self, content: dict[str, Content]) -> Environment:
        if self._known is not None:
            return self._known
        assert self._environment is not None  # noqa: S101 - one of the two is there
        try:
            locked = self._environment.result()
        except Unavailable as error:
            names = [package.name for package in environment.installed()]
            return Environment(
                environment.environment_digest(),
                environment.python_version(),
                error.message[:200],
                len(names),
                unlocked=names,
            )
        content |= locked.wheels
        if locked.environment.lock is not None:
            content[locked.environment.lock] = locked.lock
        return locked.environment
