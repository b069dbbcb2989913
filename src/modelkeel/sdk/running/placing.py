"""Where another process finds a step: the file and the name, as the run itself imported it."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from modelkeel.core.errors import NotFound
from modelkeel.sdk.running.options import StepLike
from modelkeel.sdk.running.task import Place


class ReachedRun(BaseException):
    """A script that starts its run without a guard was imported for its steps, and got as far as the run."""


def place_of(step: StepLike) -> Place | None:
    """Where a step is; None for one that only this process has: typed into a prompt, made inside a function."""
    code = step.function.__code__
    file, name, module = Path(code.co_filename), step.function.__qualname__, step.function.__module__
    if file.suffix != ".py" or not file.is_file() or "<" in name:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not step:
        return None
    file = file.resolve()
    return Place(str(file), file.stem if module == "__main__" else module, name, list(sys.path))


def find_step(place: Place) -> StepLike:
    """The step, its module imported at the first time.

    Raises:
        NotFound: the module has no such step.
    """
    for path in reversed([path for path in place.paths if path not in sys.path]):
        sys.path.insert(0, path)
    found: Any = sys.modules.get(place.module) or _load(place)
    for part in place.name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise NotFound(
            f"{place.file} defines no step {place.name} when it is imported.",
            hint="Define steps at the top of the file, before it starts a run.",
        )
    step: StepLike = found
    return step


def _load(place: Place) -> ModuleType:
    """Imports the module. One that starts a run while it is imported (a script without a guard) ends there."""
    spec = importlib.util.find_spec(place.module)
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != Path(place.file):
        spec = importlib.util.spec_from_file_location(place.module, place.file)
    if spec is None or spec.loader is None:
        raise NotFound(f"{place.file} can't be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[place.module] = module
    try:
        spec.loader.exec_module(module)
    except ReachedRun:
        pass
    except BaseException:
        del sys.modules[place.module]
        raise
    return module
