"""Everything that a process needs to run a job: the source run, an interpreter with its packages, its files."""

from pathlib import Path

from modelkeel.core.errors import KeelError
from modelkeel.sdk.api import Api
from modelkeel.sdk.reproducing.rebuild import rebuild_environment, restore_files, same_python
from modelkeel.wire.pipelines import Job, PipelineRun

RUNS = "/api/v1/pipelines/runs"


def prepare(api: Api, job: Job) -> tuple[PipelineRun, str, Path]:
    """The source run, the interpreter that has its environment, and the folder with its files."""
    source = api.get(f"{RUNS}/{job.source}", type=PipelineRun)
    root = Path(job.scratch) / (source.project or "project")
    restore_files(api, source, root)
    if source.environment is None:
        raise KeelError("The run's environment was not captured.")
    python = None if job.rebuild else same_python(source.environment)
    if python is None:
        folder = Path(job.environments)
        python = rebuild_environment(
            api, source.environment, folder, confined=job.confined is not None, instead=job.instead
        )
    return source, python, root


def command(python: str, file: Path) -> list[str]:
    """The command line that runs a prepared job."""
    return [python, "-P", "-m", "modelkeel.sdk.worker", "--prepared", str(file)]
