"""Reruns a run from the server alone, in a rebuilt environment, and compares."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from modelkeel.core.errors import InvalidInput, KeelError, NotFound
from modelkeel.sdk.api import Api
from modelkeel.sdk.capture.cache import cache_folder
from modelkeel.sdk.reproducing.prepare import RUNS, command, prepare
from modelkeel.sdk.reproducing.rebuild import worker_environment
from modelkeel.wire.pipelines import Job, PipelineRun
from modelkeel.wire.reproductions import RecordedReproduction, Reproduction

TOLERANCE = 1e-6


def reproduce(
    api: Api,
    run_id: str,
    *,
    tolerance: float = TOLERANCE,
    instead: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> RecordedReproduction:
    """Reruns a finished run and records the verdict.

    The environment is built anew from the captured lock, with hashes checked; the code comes from the snapshot; the
    hash seed and thread settings are those of the run; no step is taken from the cache.

    Args:
        api: the server.
        run_id: the run.
        tolerance: relative, within which numbers count as equivalent.
        instead: packages to use in place of the captured ones, `scikit-learn==1.6.1`, to see what they change.
        tell: hears what is being done.

    Raises:
        InvalidInput: the run did not finish, or was not captured.
        KeelError: the rerun failed.
    """
    try:
        was = api.get(f"{RUNS}/{run_id}", type=PipelineRun)
    except NotFound as error:
        raise NotFound(
            f"There is no pipeline run {run_id}, so nothing to rerun.",
            hint="What runs as a pipeline, by `modelkeel run`, can be made again; a script that only logs can't.",
        ) from error
    if was.status != "finished":
        raise InvalidInput(f"The run {run_id} did not finish ({was.status}).", hint="Only finished runs have results.")
    with tempfile.TemporaryDirectory(prefix="keel-again") as folder:
        scratch = Path(folder)
        result = scratch / "result.json"
        job = Job(
            source=run_id,
            params=was.params,
            seed=was.seed,
            cache=False,
            environments=str(cache_folder() / "environments"),
            scratch=str(scratch / "files"),
            reproduces=True,
            rebuild=True,
            result=str(result),
            instead=tuple(instead),
        )
        tell("rebuilding the environment")
        _, python, root = prepare(api, job)
        file = scratch / "job.json"
        file.write_bytes(msgspec.json.encode(job))
        tell("running the pipeline again")
        variables = worker_environment(was, api, strict=False)
        done = subprocess.run(
            command(python, file), cwd=root, env=variables, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not result.exists():
            raise KeelError(f"The rerun failed: {done.stderr.strip()[-1500:]}")
        again = json.loads(result.read_text())["run_id"]
        tell("comparing")
        verdict = _compared(api, was.run_id, again, tolerance, python, root, variables)
    return api.post("/api/v1/reproductions", verdict, type=RecordedReproduction)


def _compared(
    api: Api, was: str, now: str, tolerance: float, python: str, root: Path, variables: dict[str, str]
) -> Reproduction:
    """The comparison, in the rebuilt environment: models are loaded there and nowhere else."""
    program = "from modelkeel.sdk.reproducing.reproduce import main; main()"
    arguments = [python, "-c", program, was, now, repr(tolerance)]
    done = subprocess.run(arguments, cwd=root, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KeelError(f"The comparison failed on {api.url}: {done.stderr.strip()[-1500:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1].encode(), type=Reproduction)


def main() -> None:
    """Compares the runs named on the command line and prints the verdict as JSON."""
    import sys

    from modelkeel.sdk.reproducing.compare import compare_runs

    sys.path.insert(0, str(Path.cwd()))
    was, now, tolerance = sys.argv[-3:]
    api = Api.from_environment()
    runs = [api.get(f"{RUNS}/{run}", type=PipelineRun) for run in (was, now)]
    verdict = compare_runs(api, runs[0], runs[1], float(tolerance))
    sys.stdout.write(msgspec.json.encode(verdict).decode() + "\n")
