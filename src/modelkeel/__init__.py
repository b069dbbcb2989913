"""Modelkeel: the whole life of a machine-learning model in one place.

`import modelkeel as keel`, then `@keel.step`, `@keel.pipeline` and `keel.run`; `keel.runs` and `keel.metrics` for data
frames.
"""

from typing import TYPE_CHECKING, Any

from modelkeel.version import __version__

if TYPE_CHECKING:
    from modelkeel.sdk.api import Api
    from modelkeel.sdk.authoring import approval, data, pipeline, step
    from modelkeel.sdk.datasets import load_dataset, save_dataset
    from modelkeel.sdk.frames import get_run, metrics, runs
    from modelkeel.sdk.launch import Result, run
    from modelkeel.sdk.secrets import secret
    from modelkeel.sdk.sweeps.result import Sweep
    from modelkeel.sdk.sweeps.space import choice, integer, uniform
    from modelkeel.sdk.sweeps.sweep import sweep
    from modelkeel.sdk.sweeps.trial import report
    from modelkeel.sdk.values import artifact

_PLACES = {
    "Api": "modelkeel.sdk.api",
    "Result": "modelkeel.sdk.launch",
    "Sweep": "modelkeel.sdk.sweeps.result",
    "approval": "modelkeel.sdk.authoring",
    "artifact": "modelkeel.sdk.values",
    "choice": "modelkeel.sdk.sweeps.space",
    "data": "modelkeel.sdk.authoring",
    "get_run": "modelkeel.sdk.frames",
    "integer": "modelkeel.sdk.sweeps.space",
    "load_dataset": "modelkeel.sdk.datasets",
    "metrics": "modelkeel.sdk.frames",
    "pipeline": "modelkeel.sdk.authoring",
    "report": "modelkeel.sdk.sweeps.trial",
    "run": "modelkeel.sdk.launch",
    "runs": "modelkeel.sdk.frames",
    "save_dataset": "modelkeel.sdk.datasets",
    "secret": "modelkeel.sdk.secrets",
    "step": "modelkeel.sdk.authoring",
    "sweep": "modelkeel.sdk.sweeps.sweep",
    "uniform": "modelkeel.sdk.sweeps.space",
}

__all__ = [
    "Api",
    "Result",
    "Sweep",
    "__version__",
    "approval",
    "artifact",
    "choice",
    "data",
    "get_run",
    "integer",
    "load_dataset",
    "metrics",
    "pipeline",
    "report",
    "run",
    "runs",
    "save_dataset",
    "secret",
    "step",
    "sweep",
    "uniform",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used, so that importing the package stays quick."""
    if name not in _PLACES:
        raise AttributeError(f"module 'modelkeel' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found
