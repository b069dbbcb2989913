"""Modelkeel: the whole life of a machine-learning model in one place.

`import modelkeel as keel`, then `@keel.step`, `@keel.pipeline` and `keel.run`; `keel.runs` and `keel.metrics` for data
frames.
"""

from typing import TYPE_CHECKING, Any

from modelkeel.version import __version__

if TYPE_CHECKING:
    from modelkeel.sdk.api import Api
    from modelkeel.sdk.authoring import approval, data, pipeline, step
    from modelkeel.sdk.frames import get_run, metrics, runs
    from modelkeel.sdk.launch import Result, run
    from modelkeel.sdk.secrets import secret
    from modelkeel.sdk.values import artifact

_PLACES = {
    "Api": "modelkeel.sdk.api",
    "Result": "modelkeel.sdk.launch",
    "approval": "modelkeel.sdk.authoring",
    "artifact": "modelkeel.sdk.values",
    "data": "modelkeel.sdk.authoring",
    "get_run": "modelkeel.sdk.frames",
    "metrics": "modelkeel.sdk.frames",
    "pipeline": "modelkeel.sdk.authoring",
    "run": "modelkeel.sdk.launch",
    "runs": "modelkeel.sdk.frames",
    "secret": "modelkeel.sdk.secrets",
    "step": "modelkeel.sdk.authoring",
}

__all__ = [
    "Api",
    "Result",
    "__version__",
    "approval",
    "artifact",
    "data",
    "get_run",
    "metrics",
    "pipeline",
    "run",
    "runs",
    "secret",
    "step",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used, so that importing the package stays quick."""
    if name not in _PLACES:
        raise AttributeError(f"module 'modelkeel' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found
