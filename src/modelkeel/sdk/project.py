"""The user's project: its folder, which files are its code, and how a `file.py:name` target is loaded."""

import importlib
import os
import site
import sys
import sysconfig
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from modelkeel.core.errors import InvalidInput, NotFound

MARKERS = ("modelkeel.toml", "pyproject.toml", ".git")
_OWN = Path(__file__).resolve().parents[1]


def project_root(start: Path) -> Path:
    """The nearest folder from `start` upward with a `modelkeel.toml`, `pyproject.toml` or `.git`, else its own."""
    start = start.resolve()
    folder = start if start.is_dir() else start.parent
    for place in (folder, *folder.parents):
        if any((place / marker).exists() for marker in MARKERS):
            return place
    return folder


def is_project_code(path: Path) -> bool:
    """Whether a source file is the user's: neither the standard library's, nor installed, nor ours."""
    return not any(path.is_relative_to(folder) for folder in _foreign())


@cache
def _foreign() -> tuple[Path, ...]:
    named = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    named += [*site.getsitepackages(), site.getusersitepackages()]
    return (*dict.fromkeys(Path(folder).resolve() for folder in named), _OWN)


def search_paths(root: Path) -> list[str]:
    """Folders of the project on Python's search path, relative to its root, in their order."""
    found: dict[str, None] = {}
    for entry in sys.path:
        folder = Path(entry or os.curdir).resolve()
        if folder.is_relative_to(root) and is_project_code(folder) and folder.is_dir():
            found[folder.relative_to(root).as_posix()] = None
    return list(found)


def params_of(root: Path, pipeline: str) -> dict[str, Any]:
    """Parameters of a pipeline that the project file gives: `[pipelines.NAME.params]` in modelkeel.toml.

    Raises:
        InvalidInput: the file is no TOML, or has something else there.
    """
    file = root / MARKERS[0]
    try:
        content = tomllib.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} is not TOML: {error}.") from error
    found: Any = content
    for part in ("pipelines", pipeline, "params"):
        found = found.get(part, {}) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise InvalidInput(
            f"{file} has no table of parameters for {pipeline!r}.",
            hint=f"Write [pipelines.{pipeline}.params] and a line for each, such as rows = 1000.",
        )
    return found


def split_target(target: str) -> tuple[Path, str]:
    """`file.py:name` as path and name.

    Raises:
        InvalidInput: it has another form.
    """
    file, colon, name = target.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise InvalidInput(f"{target!r} names no pipeline.", hint="Write FILE.py:FUNCTION, for example train.py:train.")
    return Path(file), name


def load_target(target: str, *, extra: Iterable[Path] = ()) -> Any:
    """Imports the file of a target, as its folder's scripts would see it, and returns the named object.

    Args:
        target: `file.py:name`.
        extra: further folders for Python's search path.

    Raises:
        NotFound: no such file, or no such name in it.
    """
    file, name = split_target(target)
    if not file.is_file():
        raise NotFound(f"There is no file {file}.", hint="Name the file that defines the pipeline.")
    folder, module_name = _module_of(file.resolve())
    for place in (*reversed([str(path) for path in extra]), str(folder)):
        if place in sys.path:
            sys.path.remove(place)
        sys.path.insert(0, place)
    module: ModuleType = importlib.import_module(module_name)
    if not hasattr(module, name):
        raise NotFound(f"{file} defines no {name}.", hint="Name a function decorated with @keel.pipeline.")
    return getattr(module, name)


def _module_of(file: Path) -> tuple[Path, str]:
    """The folder to search and the dotted name under which a file is imported."""
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)
