"""`keel.sweep`: tries a pipeline or a function with many values, each trial a run, and keeps what did best."""

import inspect
import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Literal

from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.api import Api
from modelkeel.sdk.authoring import Pipeline
from modelkeel.sdk.running.run import current
from modelkeel.sdk.sweeps.hands import Hand, hands_for
from modelkeel.sdk.sweeps.record import close_sweep, ended_trials, open_sweep, reopen_sweep
from modelkeel.sdk.sweeps.result import Sweep, Trial
from modelkeel.sdk.sweeps.space import Space, check_space, distributions, told
from modelkeel.sdk.sweeps.trial import Asked, Ended, Report

if TYPE_CHECKING:
    import optuna

Direction = Literal["maximize", "minimize"]
Listener = Callable[["Trial"], None]


def sweep(
    target: Pipeline[..., Any] | Callable[..., Any],
    space: Space,
    *,
    trials: int = 50,
    metric: str = "",
    direction: Direction = "maximize",
    params: Mapping[str, Any] | None = None,
    workers: int = 1,
    seed: int = 0,
    experiment: str | None = None,
    resume: str | None = None,
    sampler: "optuna.samplers.BaseSampler | None" = None,
    pruner: "optuna.pruners.BasePruner | None" = None,
    timeout: float | None = None,
    api: Api | None = None,
    listener: Listener | None = None,
) -> Sweep:
    """Tries a pipeline or a function with values from a space, and looks for those that do best.

    Each trial is a run below the sweep's own run. A pipeline's steps come from the cache wherever a trial has them in
    common with an earlier one. Values are chosen by Optuna (Akiba et al. 2019, https://arxiv.org/abs/1907.10902), by
    default by its tree-structured Parzen estimator; trials that `keel.report` values are pruned below the median.

    Args:
        target: a pipeline, or a function that returns a number or logs a metric to MLflow.
        space: parameter → `keel.uniform`, `keel.integer` or `keel.choice`.
        trials: how many in all; failed ones count, those of a sweep that is resumed too, unless they were under way.
        metric: the metric that a trial logs and is judged by; empty: what it returns.
        direction: `maximize` or `minimize`.
        params: further arguments, the same for every trial.
        workers: how many trials run at once, each in a process of its own; the target must stand in a file then.
        seed: of the choice of values and of every trial.
        experiment: name of the MLflow experiment; the target's name by default.
        resume: the run of an earlier sweep of the same target, of which the rest is to be done.
        sampler: of Optuna, in place of the default.
        pruner: of Optuna, in place of the default.
        timeout: seconds after which no further trial begins.
        api: the server; the environment's by default.
        listener: told of each trial's end.

    Raises:
        InvalidInput: the space, a parameter or the target will not do, or Optuna is not installed.
        NotFound: there is no sweep to resume.
    """
    _check(target, space, params or {}, trials, workers, direction)
    server = api or Api.from_environment()
    name = str(target.name if isinstance(target, Pipeline) else getattr(target, "__name__", "sweep"))
    place = experiment or name
    spec = {"target": name, "metric": metric, "direction": direction, "space": told(space), "seed": seed}
    study, before = _study(server, space, spec, resume, sampler, pruner, workers)
    run_id = resume or open_sweep(server, place, name, spec)
    if resume is not None:
        reopen_sweep(server, run_id)
    found = Sweep(run_id, metric, direction, f"{server.url}/runs/{run_id}", before)
    went = "FAILED"
    try:
        with hands_for(server, target, workers) as hands:
            asked = _Asking(study, space, dict(params or {}), seed, run_id, place, metric, timeout, len(before))
            for trial in _run_all(hands, asked, trials - len(before), workers):
                found.trials.append(trial)
                if listener is not None:
                    listener(trial)
        went = "FINISHED"
    except KeyboardInterrupt:
        went = "KILLED"
        raise
    finally:
        close_sweep(server, found, went)
    return found


class _Asking:
    """Chooses values for trials and takes what became of them."""

    def __init__(
        self,
        study: "optuna.Study",
        space: Space,
        params: dict[str, Any],
        seed: int,
        parent: str,
        experiment: str,
        metric: str,
        timeout: float | None,
        first: int,
    ) -> None:
        self._study, self._distributions = study, distributions(space)
        self._params, self._seed, self._parent = params, seed, parent
        self._experiment, self._metric, self._number = experiment, metric, first
        self._until = math.inf if timeout is None else time.monotonic() + timeout

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._until

    def next(self) -> tuple["optuna.Trial", Asked]:
        """Values for another trial."""
        chosen = self._study.ask(self._distributions)
        number, self._number = self._number, self._number + 1
        params = {**self._params, **chosen.params}
        return chosen, Asked(number, params, self._seed, self._parent, self._experiment, self._metric)

    def ended(self, chosen: "optuna.Trial", asked: Asked, ended: Ended) -> Trial:
        """Tells Optuna what a trial came to."""
        from optuna.trial import TrialState

        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        self._study.tell(chosen, ended.value, state=states[ended.state])
        return Trial(asked.number, ended.state, dict(chosen.params), ended.value, ended.run_id, ended.error)


def _run_all(hands: list[Hand], asking: _Asking, left: int, workers: int) -> Iterator[Trial]:
    """Trials as they end; each hand runs one at a time."""
    with ThreadPoolExecutor(workers, thread_name_prefix="keel-sweep") as threads:
        under_way: dict[Future[Ended], tuple[Hand, optuna.Trial, Asked]] = {}
        free = list(hands)
        while True:
            while free and left > 0 and not asking.over:
                hand, (chosen, asked) = free.pop(), asking.next()
                if workers == 1:  # in this thread: libraries and interrupts want the main one
                    left -= 1
                    yield asking.ended(chosen, asked, hand(asked, _judge(chosen)))
                    free.append(hand)
                    continue
                under_way[threads.submit(hand, asked, _judge(chosen))] = (hand, chosen, asked)
                left -= 1
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                hand, chosen, asked = under_way.pop(future)
                free.append(hand)
                yield asking.ended(chosen, asked, future.result())


def _judge(chosen: "optuna.Trial") -> Report:
    def heard(value: float, step: int) -> bool:
        chosen.report(value, step)
        return chosen.should_prune()

    return heard


def _check(target: Any, space: Space, params: Mapping[str, Any], trials: int, workers: int, direction: str) -> None:
    check_space(space)
    if current() is not None:
        raise InvalidInput("keel.sweep is called in a pipeline.", hint="Call it outside: each trial is a run.")
    if trials < 1 or workers < 1:
        raise InvalidInput("A sweep has at least one trial and one worker.")
    if direction not in {"maximize", "minimize"}:
        raise InvalidInput(f"A sweep maximizes or minimizes, not {direction!r}.")
    if twice := sorted(space.keys() & params.keys()):
        raise InvalidInput(f"{twice[0]!r} is varied and given.", hint="Leave it out of one of them.")
    if not callable(target):
        raise InvalidInput(f"{target!r} is no pipeline and no function.")
    known = target.signature if isinstance(target, Pipeline) else inspect.signature(target)
    try:
        known.bind(**dict.fromkeys((*space, *params)))
    except TypeError as error:
        raise InvalidInput(
            f"The parameters don't fit the target: {error}.", hint=f"It has {', '.join(known.parameters)}."
        ) from error


def _study(
    api: Api,
    space: Space,
    spec: dict[str, Any],
    resume: str | None,
    sampler: Any,
    pruner: Any,
    workers: int,
) -> tuple["optuna.Study", list[Trial]]:
    """Optuna's study, and the trials that a resumed sweep has behind it."""
    try:
        import optuna
    except ImportError as error:
        raise InvalidInput("Optuna is not installed.", hint='Install it: pip install "modelkeel[sweep]".') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    before = ended_trials(api, resume, spec) if resume is not None else []
    # A resumed sweep draws on from another seed: from the same one it would choose again what it has tried.
    drawn = int(spec["seed"]) + len(before)
    study = optuna.create_study(
        direction=spec["direction"],
        sampler=sampler or optuna.samplers.TPESampler(seed=drawn, constant_liar=workers > 1),
        pruner=pruner or optuna.pruners.MedianPruner(),
    )
    known = distributions(space)
    for trial in before:
        if trial.state == "complete":
            study.add_trial(optuna.trial.create_trial(params=trial.params, distributions=known, value=trial.value))
    return study, before
