"""`python -m modelkeel.sdk.worker JOB.json`: the process that runs a pipeline again.

First it stands in whatever environment called it: it rebuilds the run's environment, lays the run's files into a
scratch folder, and starts itself anew in that environment (`--prepared`), where it imports the user's code and runs it.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import msgspec

from modelkeel.core.errors import KeelError
from modelkeel.sdk.api import Api
from modelkeel.wire.pipelines import EndRun, Job, PipelineRun

RUNS = "/api/v1/pipelines/runs"


def main() -> None:
    """Reads the job and does its part."""
    prepared = "--prepared" in sys.argv
    file = Path(sys.argv[-1])
    job = msgspec.json.decode(file.read_bytes(), type=Job)
    api = Api.from_environment()
    try:
        if prepared:
            _run(api, job)
            return
        from modelkeel.sdk.reproducing.confined import confined
        from modelkeel.sdk.reproducing.prepare import command, prepare
        from modelkeel.sdk.reproducing.rebuild import worker_environment

        source, python, root = prepare(api, job)
        variables = worker_environment(source, api, strict=True)
        arguments = command(python, file)
        if job.confined is not None:
            arguments, variables = confined(arguments, variables, job, job.confined, file)
    except KeelError as error:
        sys.stderr.write(f"{error}\n")
        if job.run_id is not None and not prepared:
            api.post(f"{RUNS}/{job.run_id}/end", EndRun("failed", str(error)))
        sys.exit(1)
    os.chdir(root)
    os.execve(arguments[0], arguments, variables)  # noqa: S606 - an interpreter of ours, no shell


def _run(api: Api, job: Job) -> None:
    from modelkeel.sdk.launch import Rerun, run
    from modelkeel.sdk.project import load_target
    from modelkeel.sdk.secrets import blot_output

    blot_output()
    source = api.get(f"{RUNS}/{job.source}", type=PipelineRun)
    root = Path.cwd()
    try:
        pipeline = load_target(source.target, extra=[root / path for path in source.paths])
    except BaseException as error:
        if job.run_id is not None:
            api.post(f"{RUNS}/{job.run_id}/end", EndRun("failed", f"{type(error).__name__}: {error}"[:1000]))
        raise
    restored = {item.name: item.value for item in source.data if item.pinned}
    result = run(
        pipeline,
        job.params,
        seed=job.seed,
        cache=job.cache,
        experiment=source.experiment,
        api=api,
        listener=lambda report: print(f"{report.name} {report.status}", flush=True),
        rerun=Rerun(
            root=root,
            run_id=job.run_id,
            reproduces=job.source if job.reproduces else None,
            data=restored if job.reproduces else {},
            snapshot=source.snapshot,
            environment=source.environment if job.confined is not None else None,
        ),
    )
    if job.run_id is not None:
        shutil.rmtree(job.scratch, ignore_errors=True)
    if job.result:
        Path(job.result).write_text(json.dumps({"run_id": result.run_id}))


if __name__ == "__main__":
    main()
