"""Code without a file: what was typed into a notebook or a prompt, and values that a nested function captured."""

import ast
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelkeel.core.hashing import digest_of
from modelkeel.sdk.code.syntax import normal
from modelkeel.sdk.project import is_project_code


def closure_digests(function: Callable[..., Any]) -> dict[str, str]:
    """Values that a nested function captured, where they are plain data."""
    cells = function.__closure__ or ()
    found = {}
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            found[f"(closure):{name}"] = digest_of(cell.cell_contents)
        except (TypeError, ValueError):
            continue
    return found


def from_memory(function: Callable[..., Any]) -> dict[str, str]:
    """For code without a file (a notebook, a prompt): the function and what its globals name, as they are now."""
    found: dict[str, str] = {}
    waiting = [function]
    while waiting:
        each = inspect.unwrap(waiting.pop())
        name = f"(memory):{each.__qualname__}"
        if name in found:
            continue
        found[name] = hashlib.sha256(_memory_text(each).encode()).hexdigest()
        for used in each.__code__.co_names:
            value = each.__globals__.get(used)
            value = inspect.unwrap(value) if callable(value) else value
            if inspect.isfunction(value) and _in_memory_or_project(value):
                waiting.append(value)
            elif not callable(value) and value is not None:
                try:
                    found[f"(memory):{used}"] = digest_of(value)
                except (TypeError, ValueError):
                    continue
    return dict(sorted(found.items()))


def _in_memory_or_project(function: Callable[..., Any]) -> bool:
    source = inspect.getsourcefile(function)
    return source is None or not Path(source).is_file() or is_project_code(Path(source).resolve())


def _memory_text(function: Callable[..., Any]) -> str:
    try:
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        code = function.__code__
        return repr((code.co_code, code.co_names, [c for c in code.co_consts if not inspect.iscode(c)]))
    return "\n".join(normal(node) for node in tree.body)
