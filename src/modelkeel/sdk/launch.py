"""`keel.run`: runs a pipeline in this process, for the record."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelkeel.core.errors import InvalidInput, KeelError
from modelkeel.core.hashing import digest_of
from modelkeel.sdk import secrets
from modelkeel.sdk.api import Api
from modelkeel.sdk.authoring import Pipeline
from modelkeel.sdk.capture import environment
from modelkeel.sdk.capture.machine import NUMERICS
from modelkeel.sdk.code import reached_code
from modelkeel.sdk.project import project_root, search_paths
from modelkeel.sdk.running import seeds
from modelkeel.sdk.running.capturing import Capturing
from modelkeel.sdk.running.engines import Engine, check_engine
from modelkeel.sdk.running.hits import Hits
from modelkeel.sdk.running.imports import ImportWatch
from modelkeel.sdk.running.lazy import unwrap
from modelkeel.sdk.running.placing import ReachedRun
from modelkeel.sdk.running.recorder import patiently
from modelkeel.sdk.running.run import Hear, Listener, RunContext, Setting, current, running
from modelkeel.sdk.running.tracked import TrackedRun
from modelkeel.sdk.running.workers import INSIDE
from modelkeel.wire.captures import Environment, Snapshot
from modelkeel.wire.pipelines import EndRun, Started, StartRun
from modelkeel.wire.values import Value

if TYPE_CHECKING:
    from modelkeel.sdk.distributed.node import Ground

RUNS = "/api/v1/pipelines/runs"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a run.

    Attributes:
        run_id: of the pipeline run and its MLflow run.
        output: what the pipeline returned.
        steps: how many steps there were.
        cached_steps: how many of them came from the cache.
        saved_seconds: what those took when they ran.
        seconds: from start to end.
        url: where the run is shown.
    """

    run_id: str
    output: Any
    steps: int
    cached_steps: int
    saved_seconds: float
    seconds: float
    url: str


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a started process is told beyond the pipeline and its params.

    Attributes:
        run_id: a run that the server made already.
        reproduces: the run that is rerun.
        root: the folder of the unpacked snapshot.
        data: declared data of the run that is rerun.
        snapshot: from which the folder was unpacked.
        environment: what was captured of the run whose environment this is; None: it is captured anew.
    """

    root: Path
    run_id: str | None = None
    reproduces: str | None = None
    data: Mapping[str, Value] | None = None
    snapshot: Snapshot | None = None
    environment: Environment | None = None


def run(
    pipeline: Pipeline[..., Any],
    params: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    cache: bool = True,
    experiment: str | None = None,
    api: Api | None = None,
    listener: Listener | None = None,
    rerun: Rerun | None = None,
    resume: str | None = None,
    workers: int | None = None,
    engine: str | None = None,
    hear: Hear | None = None,
    opened: Callable[[str], None] | None = None,
) -> Result:
    """Runs a pipeline: steps from the cache where nothing they depend on changed, everything recorded.

    Args:
        pipeline: a function decorated with `@keel.pipeline`.
        params: its arguments by name; texts are read as what is annotated.
        seed: of Python's, numpy's and torch's generators; each step draws from its own.
        cache: whether steps may be taken from the cache.
        experiment: name of the MLflow experiment; MLFLOW_EXPERIMENT_NAME, or the pipeline's name.
        api: the server; the environment's by default.
        listener: told of each step's start and end.
        rerun: for processes that Modelkeel starts itself.
        resume: an ended run of this pipeline, whose finished steps are taken as they are, cached or not.
        workers: how many items of a map run at once; the processors of this machine by default.
        engine: where steps run: `local` (the default) in processes of this machine, `ray` on the cluster that
            RAY_ADDRESS names or else on a Ray that is started here, `ray://HOST:PORT` on that cluster.
        hear: gets what a step prints in another process, with the step's name.
        opened: is told the run's id as soon as there is one.

    Raises:
        InvalidInput: a parameter does not fit, or a pipeline runs already.
        Unavailable: no server answers.
    """
    if not isinstance(pipeline, Pipeline):
        raise InvalidInput(f"{pipeline!r} is no pipeline.", hint="Decorate the function with @keel.pipeline.")
    if INSIDE in os.environ:
        raise ReachedRun  # a worker process imports the file for its steps
    if current() is not None:
        raise InvalidInput("A pipeline runs already.", hint="Inside a pipeline, call another one as a function.")
    given = pipeline.params(dict(params or {}))
    engine = check_engine(engine)
    server = api or Api.from_environment()
    began = time.perf_counter()
    source = _source_of(pipeline)
    root = rerun.root if rerun is not None else project_root(source or Path.cwd())
    wanted = StartRun(
        pipeline=pipeline.name,
        project=root.name,
        target=f"{source.relative_to(root).as_posix()}:{pipeline.function.__name__}" if source else "",
        params=given,
        seed=seed,
        paths=search_paths(root),
        code=digest_of(reached_code(pipeline.function, root)),
        experiment=experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or pipeline.name,
        environment=environment.environment_digest(),
        python=environment.python_version(),
        run_id=rerun.run_id if rerun else None,
        reproduces=rerun.reproduces if rerun else None,
        cache=cache,
        resumes=resume,
    )
    started = patiently(lambda: server.post(RUNS, wanted, type=Started))
    if opened is not None:
        opened(started.run_id)
    capturing = Capturing(
        root,
        notebook=source is None,
        source=rerun.snapshot if rerun else None,
        known=rerun.environment if rerun else None,
    )
    context = RunContext(
        Setting(
            api=server,
            run_id=started.run_id,
            root=root,
            seed=seed,
            hits=Hits(
                server,
                cache,
                {found.key: found for found in started.known},
                {found.key: found for found in started.resumed},
            ),
            tracked=TrackedRun(server, started.run_id),
            workers=workers or len(os.sched_getaffinity(0)),
            listeners=[listener] if listener else [],
            hear=hear or (lambda _name, text: print(text, end="")),
            restored=(rerun and rerun.data) or {},
            engine=partial(_on_ray, engine, workers, lambda: _ground(server, root, capturing)) if engine else None,
        )
    )
    try:
        output = _go(context, pipeline, given, capturing)
    finally:
        capturing.close()
        context.close()
    cached = [report for report in context.reports.values() if report.status == "cached"]
    return Result(
        run_id=started.run_id,
        output=output,
        steps=len(context.reports),
        cached_steps=len(cached),
        saved_seconds=sum(report.saved_us for report in cached) / 1e6,
        seconds=time.perf_counter() - began,
        url=f"{server.url}/pipelines/{started.run_id}",
    )


def _go(context: RunContext, pipeline: Pipeline[..., Any], params: dict[str, Any], capturing: Capturing) -> Any:
    """Runs the function and ends the run as it ended."""
    tracked = context.tracked
    watch = ImportWatch(
        {
            "mlflow": tracked.attach,
            **{name: _seeder(name, context) for name in ("numpy", "torch")},
        }
    )
    status, error = "finished", ""
    try:
        tracked.point()
        watch.start()
        context.sow("")
        with running(context):
            output = unwrap(pipeline.function(**params))
        context.recorder.flush()
        return output
    except BaseException as failure:
        ended = context.recorder.ended
        if isinstance(failure, KeyboardInterrupt) and ended is not None:
            raise ended from None  # somebody cancelled the run
        status = "killed" if isinstance(failure, KeyboardInterrupt) else "failed"
        error = secrets.redact(f"{type(failure).__name__}: {failure}")[:1000]
        raise
    finally:
        watch.stop()
        _end(context, capturing, status, error)


def _end(context: RunContext, capturing: Capturing, status: str, error: str) -> None:
    """Hands in the capture and ends the run; after a failure that failure is what the caller hears of."""
    try:
        if status == "finished":
            capturing.hand_in(context.api, context.run_id, list(context.data.values()))
        else:
            context.recorder.flush()
    except KeelError as failure:
        if status == "finished":
            context.tracked.detach("FAILED")
            context.api.post(f"{RUNS}/{context.run_id}/end", EndRun("failed", failure.message))
            raise
    ended = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}[status]
    context.tracked.detach(ended)
    try:
        patiently(lambda: context.api.post(f"{RUNS}/{context.run_id}/end", EndRun(status, error)))
    except KeelError:
        if status == "finished":
            raise


def _on_ray(address: str, workers: int | None, ground: "Callable[[], Ground]") -> Engine:
    from modelkeel.sdk.distributed.engine import RayWorkers

    return RayWorkers(address, ground, workers or len(os.sched_getaffinity(0)))


def _ground(api: Api, root: Path, capturing: Capturing) -> "Ground":
    """What steps on other machines stand on: the files and packages of this run, by content."""
    from modelkeel.sdk.distributed.node import Ground

    taken, described = capturing.stored(api)
    if taken is None:
        raise InvalidInput(
            "Steps of a notebook can't run on another machine.", hint="Define the pipeline in a .py file."
        )
    kept = (*NUMERICS, "PYTHONHASHSEED", "MODELKEEL_WORKSPACE")
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    return Ground(api.url, api.token, taken.digest, described, str(root), variables)


def _seeder(library: str, context: RunContext) -> Callable[[], None]:
    return lambda: seeds.seed_library(library, context.seed_now)


def _source_of(pipeline: Pipeline[..., Any]) -> Path | None:
    """The file that defines a pipeline; None for one typed into a notebook or a prompt."""
    path = Path(pipeline.function.__code__.co_filename)
    return path.resolve() if path.suffix == ".py" and path.is_file() else None
