"""What this process logs to a run, noted as it leaves: others may log to the same run at the same time."""

import functools
import threading
from collections.abc import Callable
from typing import Any

from modelkeel.wire.pipelines import Logged


class Notes:
    """Parameters and the latest metrics that this process logged to one run since they were last taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._params: dict[str, str] = {}
        self._metrics: dict[str, tuple[int, int, float]] = {}

    def take(self) -> Logged:
        """All of it since the last time."""
        with self._lock:
            params, metrics = self._params, self._metrics
            self._params, self._metrics = {}, {}
        return Logged(params, {key: value for key, (_, _, value) in metrics.items()})

    def metric(self, metric: Any) -> None:
        """A metric, as MLflow's client has it; the latest one is the greatest by step, time and value."""
        point = (int(metric.step), int(metric.timestamp), float(metric.value))
        with self._lock:
            self._metrics[metric.key] = max(self._metrics.get(metric.key, point), point)

    def param(self, param: Any) -> None:
        """A parameter, as MLflow's client has it."""
        with self._lock:
            self._params[param.key] = str(param.value)


_NOTES: dict[str, Notes] = {}


def note(run_id: str) -> Notes:
    """Notes, from now on, what this process logs to a run by the mlflow client."""
    from mlflow.store.tracking.rest_store import RestStore

    if not _NOTES:
        _wrap(RestStore, "log_metric", lambda notes, given: notes.metric(given[0]))
        _wrap(RestStore, "log_param", lambda notes, given: notes.param(given[0]))
        _wrap(RestStore, "log_batch", _batch)
    return _NOTES.setdefault(run_id, Notes())


def _batch(notes: Notes, given: tuple[Any, ...]) -> None:
    for metric in given[0]:
        notes.metric(metric)
    for param in given[1]:
        notes.param(param)


def _wrap(store: Any, name: str, told: Callable[[Notes, tuple[Any, ...]], None]) -> None:
    """Has a method of MLflow's store tell what went through it. All of the client's calls end in these three."""
    method = getattr(store, name)

    @functools.wraps(method)
    def call(self: Any, run_id: str, *given: Any, **named: Any) -> Any:
        answer = method(self, run_id, *given, **named)
        notes = _NOTES.get(run_id)
        if notes is not None:
            told(notes, (*given, *named.values()))
        return answer

    setattr(store, name, call)
